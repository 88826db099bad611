"""What is in the image of backend/, read from the finished blobs."""

import csv
import hashlib
import io
import posixpath
import re
import struct
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from layers.verify import read_members, verify_layer
from tests.e2e.conftest import TAG, Built, contents

pytestmark = [pytest.mark.engine, pytest.mark.index]

SITE = "app/.venv/lib/python3.12/site-packages"


def test_stdout_has_the_name_and_digest_and_nothing_else(built: Built) -> None:
    assert built.stdout == f"{TAG}@{built.image.digest}\n"


def test_every_step_is_told_with_its_time(built: Built) -> None:
    steps = re.findall(r"^(\S.*?) +\d+\.\d\d s  \S", built.stderr, re.MULTILINE)
    assert steps == [
        "settings",
        "base",
        "uv sync --frozen --no-dev",
        "dependencies",
        "project",
        "checks",
        "config and manifest",
        "store",
        f"oci:{built.folder}/layout",
        f"oci-archive:{built.folder}/oci.tar",
        f"docker-archive:{built.folder}/docker.tar",
        "podman",
    ]


def test_the_config_is_the_house_s(built: Built) -> None:
    config = built.image.config.value
    run = config.run
    assert run["User"] == "1001:1001"
    assert run["WorkingDir"] == "/app"
    assert run["ExposedPorts"] == {"8000/tcp": {}}
    assert run["Cmd"] == [
        "uvicorn",
        "second_brain.main:app",
        "--host",
        "0.0.0.0",
        "--port",
        "8000",
    ]
    assert config.env["PATH"].startswith("/app/.venv/bin:/usr/local/bin:")
    assert config.env["PYTHONDONTWRITEBYTECODE"] == "1"
    assert config.env["PYTHONUNBUFFERED"] == "1"
    assert config.env["LANG"] == "C.UTF-8"
    assert config.members["created"] == "2023-11-14T22:13:20Z"


def test_labels_and_annotations_tell_where_it_comes_from(built: Built) -> None:
    base = built.result["base"]
    annotations = built.image.manifest.value.annotations
    assert annotations == {
        "org.opencontainers.image.title": "second-brain",
        "org.opencontainers.image.description": "Notes that outlive the day: a small FastAPI "
        "service on Azure",
        "org.opencontainers.image.version": "0.1.0",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.base.name": "docker.io/library/python:3.12-slim-bookworm",
        "org.opencontainers.image.base.digest": base["digest"],
    }
    labels = built.image.config.value.labels
    assert annotations.items() <= labels.items()


def test_history_has_an_entry_for_each_layer(built: Built) -> None:
    config = built.image.config.value
    filled = [entry for entry in config.history if not entry.get("empty_layer")]
    assert len(filled) == len(config.diff_ids) == len(built.image.layers)
    own = [entry for entry in filled if entry.get("created_by", "").startswith("image-builder: ")]
    held = [entry["comment"] for entry in own if entry["created_by"].endswith(": dependencies")]
    assert [entry["comment"] for entry in (own[0], own[-1])] == ["account", "project"]
    assert len(own) == len(held) + 2 == len(built.own_layers)
    # A large one by itself, and small ones together.
    assert [names for names in held if re.fullmatch(r"cryptography \S+", names)]
    assert [names for names in held if re.fullmatch(r"\S+ \S+(, \S+ \S+)+", names)]


def test_every_layer_reads_back_as_it_is_described(built: Built) -> None:
    for layer in built.own_layers:
        assert verify_layer(layer) > 0


def test_nothing_is_in_the_image_that_should_not_be(built: Built) -> None:
    names = [member.name for layer in built.own_layers for member, _ in read_members(layer)]
    project = [name for name in names if "second_brain" in name or not name.startswith(SITE)]
    for unwanted in ("/tests", ".env", ".md", "CACHEDIR.TAG", ".lock", "activate", ".gitignore"):
        assert not [name for name in project if name.endswith(unwanted)], unwanted
    for development in ("pytest", "ruff", "httpx2", "iniconfig"):
        assert not [name for name in names if name.startswith(f"{SITE}/{development}")], development
    assert not [name for name in names if posixpath.basename(name) == "direct_url.json"]
    assert not [name for name in names if posixpath.basename(name) == "uv_cache.json"]
    assert "app/src/second_brain/main.py" in names
    assert "app/src/second_brain/__pycache__/main.cpython-312.pyc" not in names


def test_everything_of_the_application_belongs_to_1001_with_normal_modes(built: Built) -> None:
    for name in ("dependencies", "project"):
        for member in (m for layer in built.layers(name) for m, _ in read_members(layer)):
            assert (member.uid, member.gid) == (1001, 1001), member.name
            assert (member.uname, member.gname) == ("", ""), member.name
            assert member.mode in {0o644, 0o755, 0o777}, member.name
            assert member.mtime == 315532801, member.name


def test_the_account_layer_keeps_the_base_s_directories_and_adds_the_account(built: Built) -> None:
    [account] = built.layers("account")
    members = {m.name: (m, s.read() if s else b"") for m, s in read_members(account)}
    assert set(members) == {"app", "etc", "etc/group", "etc/passwd"}
    assert (members["etc"][0].uid, members["etc"][0].mode) == (0, 0o755)
    assert (members["app"][0].uid, members["app"][0].mode) == (1001, 0o755)
    assert members["etc/passwd"][1].endswith(b"app:x:1001:1001::/app:/usr/sbin/nologin\n")
    assert members["etc/passwd"][1].startswith(b"root:x:0:0:")
    assert members["etc/group"][1].endswith(b"app:x:1001:\n")


def test_no_layer_names_this_machine(built: Built, project: Path) -> None:
    # The store with its staging directories, and the build user's home, are in the folder.
    places = [str(project).encode(), str(built.folder).encode()]
    for layer in built.own_layers:
        for path, data in contents(layer).items():
            for place in places:
                assert place not in data, (path, place)


def test_record_tells_the_truth_about_every_file(built: Built) -> None:
    files = built.files
    records = [path for path in files if path.endswith(".dist-info/RECORD")]
    assert len(records) > 30
    for record in records:
        site = posixpath.dirname(posixpath.dirname(record))
        for path, digest, size in csv.reader(io.StringIO(files[record].decode())):
            name = posixpath.normpath(posixpath.join(site, path))
            assert name in files, (record, path)
            if digest:
                encoded = urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=")
                assert digest == f"sha256={encoded.decode()}", name
                assert int(size) == len(files[name]), name


def test_console_scripts_start_the_image_s_interpreter(built: Built) -> None:
    files = built.files
    scripts = {path: data for path, data in files.items() if path.startswith("app/.venv/bin/")}
    assert {"app/.venv/bin/uvicorn", "app/.venv/bin/second-brain"} <= set(scripts)
    for path, data in scripts.items():
        assert data.startswith(b"#!/app/.venv/bin/python\n"), path


def test_every_module_has_unchecked_bytecode(built: Built) -> None:
    files = built.files
    missing = []
    for path in files:
        directory, name = posixpath.split(path)
        is_test = "/tests/" in path and name.startswith(("test_", "conftest."))
        if path.startswith(SITE) and name.endswith(".py") and not is_test:
            pyc = files.get(f"{directory}/__pycache__/{name[:-3]}.cpython-312.pyc")
            if pyc is None:
                missing.append(path)
            else:
                assert struct.unpack("<I", pyc[4:8]) == (1,), path
    assert missing == []
