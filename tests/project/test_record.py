import hashlib
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from builder.events import Caution, Event
from builder.project.record import changed_files
from layers.digest import CHUNK
from tests.project.projects import (
    MINOR,
    UV_BUILD,
    Staged,
    install_project,
    installation_of,
    lock,
    stage,
    write_project,
    write_third_party,
    write_tree,
)
from tests.wheels import write_wheel

SITE_PACKAGES = f"lib/python{MINOR}/site-packages"


def row(path: str, data: bytes, algorithm: str = "sha256") -> str:
    digest = urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
    return f"{path},{algorithm}={digest},{len(data)}"


def write_distribution(
    venv: Path, name: str, files: Mapping[str, bytes], rows: Iterable[str]
) -> None:
    """Files by their paths in site-packages, and what RECORD says of them."""
    site = venv / SITE_PACKAGES
    write_tree(site, files)
    write_tree(site, {f"{name}-1.0.dist-info/RECORD": "".join(f"{line}\n" for line in rows)})


def test_what_is_as_record_says_is_not_changed(tmp_path: Path) -> None:
    files = {
        "third/a.py": b"A = 1\n",
        "third/b.bin": bytes(3 * CHUNK + 1),
        "third/empty": b"",
        "third/a, b.txt": b"quoted",
        "../../../bin/third": b"#!python\n",
    }
    rows = [
        row("third/a.py", files["third/a.py"]),
        row("third/b.bin", files["third/b.bin"], "sha512"),
        row("third/empty", b"", "sha384"),
        row('"third/a, b.txt"', b"quoted"),
        row("../../../bin/third", files["../../../bin/third"]),
        "third-1.0.dist-info/RECORD,,",
    ]
    write_distribution(tmp_path, "third", files, rows)
    assert changed_files(tmp_path) == {}


def test_the_first_changed_file_of_each_distribution_is_named(tmp_path: Path) -> None:
    for name in ("one", "Two_Words", "untouched"):
        files = {f"{name}/{letter}.py": letter.encode() for letter in "abc"}
        rows = [row(path, data) for path, data in files.items()]
        write_distribution(tmp_path, name, files, rows)
    for path in ("one/b.py", "one/c.py", "Two_Words/c.py"):
        with (tmp_path / SITE_PACKAGES / path).open("ab") as file:
            file.write(b" ")
    assert changed_files(tmp_path) == {"one": "one/b.py", "Two_Words": "Two_Words/c.py"}


def test_a_change_that_keeps_the_size_is_seen(tmp_path: Path) -> None:
    write_distribution(tmp_path, "third", {"third.py": b"A = 2"}, [row("third.py", b"A = 1")])
    assert changed_files(tmp_path) == {"third": "third.py"}


def test_a_missing_file_is_a_changed_one(tmp_path: Path) -> None:
    rows = [row("third/a.py", b"a"), row("third/gone.py", b"")]
    write_distribution(tmp_path, "third", {"third/a.py": b"a"}, rows)
    assert changed_files(tmp_path) == {"third": "third/gone.py"}


def test_a_directory_in_a_file_s_place_is_a_change(tmp_path: Path) -> None:
    write_distribution(tmp_path, "third", {"third/a/b": b""}, [row("third/a", b"")])
    assert changed_files(tmp_path) == {"third": "third/a"}


@pytest.mark.parametrize("stated", ["blake9=AAAA", "AAAA", "=AAAA"])
def test_a_hash_that_nobody_can_compute_is_not_taken_on_trust(stated: str, tmp_path: Path) -> None:
    write_distribution(tmp_path, "third", {"third.py": b""}, [f"third.py,{stated},0"])
    assert changed_files(tmp_path) == {"third": "third.py"}


@pytest.mark.parametrize("line", ["third.py,,", "third.py,,5", "third.py", "gone.py,,", ""])
def test_a_row_without_a_hash_says_nothing(line: str, tmp_path: Path) -> None:
    write_distribution(tmp_path, "third", {"third.py": b"A = 2\n"}, [line, row("b.py", b"b")])
    write_tree(tmp_path / SITE_PACKAGES, {"b.py": b"b"})
    assert changed_files(tmp_path) == {}


def test_an_empty_environment_has_no_changes(tmp_path: Path) -> None:
    assert changed_files(tmp_path) == {}


def test_what_uv_installs_is_as_its_records_say(staged: Staged) -> None:
    assert changed_files(staged.third_party) == {}
    assert changed_files(staged.own) == {}


def install_and_hear(project: Path, into: Path) -> tuple[Staged, list[Event]]:
    heard: list[Event] = []
    into.mkdir()
    return stage(installation_of(project), into, heard.append), heard


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def package_index(directory: Path) -> Iterator[str]:
    """A package index on the loopback: a directory for each project, as the server lists it."""
    handler = partial(_Quiet, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_changed_file_in_uv_s_cache_is_fetched_again_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("UV_OFFLINE")
    module = f"lib/python{MINOR}/site-packages/third/__init__.py"
    write_third_party(tmp_path / "index/third")
    heard: list[Event] = []
    with package_index(tmp_path / "index") as url:
        project = write_project(
            tmp_path / "demo",
            project='dependencies = ["third"]',
            tables=f"{UV_BUILD}\n[[tool.uv.index]]\nurl = '{url}'\ndefault = true\n",
        )
        lock(project)
        linked = install_project(project, tmp_path / "first").third_party / module
        if linked.stat().st_nlink < 2:
            pytest.skip("the cache is on another disk, nothing is linked")
        good = linked.read_bytes()
        with linked.open("ab") as file:
            file.write(b"# changed in the cache too\n")
        second = tmp_path / "second"
        second.mkdir()
        staged = stage(installation_of(project), second, heard.append)
    assert (staged.third_party / module).read_bytes() == good
    assert heard == [
        Caution("not what RECORD says, so fetched again, past uv's cache: third/__init__.py")
    ]


def rewrite(wheel: Path, old: bytes, new: bytes) -> None:
    """Change what a wheel holds, but not its RECORD."""
    with zipfile.ZipFile(wheel) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data.replace(old, new))


def test_a_wheel_that_is_not_what_its_own_record_says_is_installed_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_OFFLINE")
    for name in ("right", "third", "under_score"):
        wheel = write_wheel(tmp_path / "wheels", name)
        if name != "right":
            rewrite(wheel, b"VALUE = 1", b"VALUE = 2")
    project = write_project(
        tmp_path / "demo",
        project='dependencies = ["right", "third", "under_score"]',
        tables=f"{UV_BUILD}\n[tool.uv]\nno-index = true\nfind-links = ['../wheels']\n",
    )
    lock(project)
    staged, heard = install_and_hear(project, tmp_path / "staging")
    values = {
        name: (staged.third_party / SITE_PACKAGES / name / "__init__.py").read_bytes()
        for name in ("right", "third", "under_score")
    }
    assert values == {
        "right": b"VALUE = 1\n",
        "third": b"VALUE = 2\n",
        "under_score": b"VALUE = 2\n",
    }
    assert heard == [
        Caution(
            "not what RECORD says, so fetched again, past uv's cache: "
            "third/__init__.py, under_score/__init__.py"
        ),
        Caution(
            "not what RECORD says, even as published: third/__init__.py, under_score/__init__.py"
        ),
    ]


@pytest.mark.index
def test_a_distribution_of_the_package_index_is_mended_once_and_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("UV_CACHE_DIR", str(cache))
    monkeypatch.delenv("UV_OFFLINE", raising=False)
    project = write_project(tmp_path / "demo", project='dependencies = ["idna"]')
    lock(project)
    first, heard = install_and_hear(project, tmp_path / "first")
    assert heard == []
    installed = first.third_party / SITE_PACKAGES / "idna/core.py"
    genuine = installed.read_bytes()
    (cached,) = cache.rglob("idna/core.py")
    with cached.open("ab") as file:
        file.write(b"# written by something on this machine\n")
    if installed.read_bytes() == genuine:
        pytest.skip("the cache is on another disk, nothing is linked")
    assert changed_files(first.third_party) == {"idna": "idna/core.py"}

    mended, heard = install_and_hear(project, tmp_path / "mended")
    assert (mended.third_party / SITE_PACKAGES / "idna/core.py").read_bytes() == genuine
    assert heard == [
        Caution("not what RECORD says, so fetched again, past uv's cache: idna/core.py")
    ]
    later, heard = install_and_hear(project, tmp_path / "later")
    assert (later.third_party / SITE_PACKAGES / "idna/core.py").read_bytes() == genuine
    assert heard == []
    assert changed_files(later.third_party) == changed_files(later.own) == {}
