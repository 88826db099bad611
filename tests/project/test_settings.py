import dataclasses
from pathlib import Path
from typing import Any

import pytest

from builder.project.values import FROM_ENVIRON, READERS
from builder.settings import (
    Acceptance,
    AptSourceSettings,
    ChecksSettings,
    Growth,
    HealthSettings,
    Include,
    LayerPolicy,
    Settings,
    User,
)
from layers.compress import ZSTD
from layers.entries import Owner
from tests.project.pyprojects import settings_of

# Every key: as TOML and what it means, then as the environment gives it, then as a flag does.
KEYS: dict[str, tuple[str, Any, tuple[str, Any] | None, tuple[Any, Any]]] = {
    "app": ('"a.b:app"', "a.b:app", ("c:app", "c:app"), ("d:app.wsgi", "d:app.wsgi")),
    "base": (
        '"python:3.13"',
        ("python:3.13",),
        ("oci:base, apt:trixie,", ("oci:base", "apt:trixie")),
        (["b,c", "d"], ("b,c", "d")),
    ),
    "base-mirror": ('"http://m"', "http://m", ("http://n", "http://n"), ("o", "o")),
    "pull": ('"always"', "always", ("never", "never"), ("missing", "missing")),
    "platform": (
        '["linux/arm64", "linux/amd64"]',
        ("linux/arm64", "linux/amd64"),
        ("linux/amd64, linux/arm/v7,", ("linux/amd64", "linux/arm/v7")),
        (["linux/386,linux/arm/v6", "linux/arm"], ("linux/386", "linux/arm/v6", "linux/arm")),
    ),
    "workdir": ('"/srv//app/"', "/srv/app", ("/opt/a", "/opt/a"), ("///x", "/x")),
    "user": (
        '{ name = "web", uid = 7, gid = 8 }',
        User(name="web", uid=7, gid=8),
        ("33:44", User(uid=33, gid=44)),
        ("root", User(name="root", uid=0, gid=0)),
    ),
    "ports": (
        '[8000, "53/udp", 8000]',
        ("8000/tcp", "53/udp"),
        ("80, 443/tcp", ("80/tcp", "443/tcp")),
        ([9000], ("9000/tcp",)),
    ),
    "cmd": ('["a", "b c"]', ("a", "b c"), None, (["d"], ("d",))),
    "entrypoint": ("[]", (), None, (["tini", "--"], ("tini", "--"))),
    "env": (
        '{ A = "1", B = true, C = 2, D = 1.5, E = "" }',
        {"A": "1", "B": "true", "C": "2", "D": "1.5", "E": ""},
        None,
        ({"X": "y"}, {"X": "y"}),
    ),
    "labels": ('{ "a.b" = "c" }', {"a.b": "c"}, None, ({"x": "y"}, {"x": "y"})),
    "source": (
        '["./src/", "main.py", "src/demo", "src"]',
        ("src", "main.py"),
        ("a,b/c", ("a", "b/c")),
        (["."], (".",)),
    ),
    "include": (
        (
            '[{ source = "conf", destination = "/etc//app/", mode = "0640", owner = "0:7" }, {'
            ' source = "a", destination = "/" }]'
        ),
        (
            Include(source="conf", destination="/etc/app/", mode=0o640, owner=Owner(0, 7)),
            Include(source="a", destination="/"),
        ),
        None,
        ([], ()),
    ),
    "extras": ('["a", "b"]', ("a", "b"), ("c, d,", ("c", "d")), (["e"], ("e",))),
    "groups": ('["a"]', ("a",), ("c", ("c",)), (["e", "f"], ("e", "f"))),
    "compression": ('"zstd"', ZSTD, ("zstd", ZSTD), ("zstd", ZSTD)),
    "layers": (
        '[["NumPy", "scikit_learn"], ["torch"]]',
        (("numpy", "scikit-learn"), ("torch",)),
        ("per-package", LayerPolicy.PER_PACKAGE),
        ("single", LayerPolicy.SINGLE),
    ),
    "tags": ('["a:1"]', ("a:1",), ("b:2,c", ("b:2", "c")), (["d:5000/e"], ("d:5000/e",))),
    "outputs": ('["oci:x"]', ("oci:x",), ("oci:y", ("oci:y",)), (["podman"], ("podman",))),
    "health": (
        '{ path = "/ok/?deep=1", expect = false, env = { A = 1 }, timeout = 5 }',
        HealthSettings(path="/ok/?deep=1", expect=None, env={"A": "1"}, timeout=5),
        None,
        ({"expect": {"a": 1}}, HealthSettings(expect={"a": 1})),
    ),
    "apt": (
        '["libpq5", "g++=4:12.2.0-3", "libgl1=1.6.0-1~deb12u1+b1"]',
        ("libpq5", "g++=4:12.2.0-3", "libgl1=1.6.0-1~deb12u1+b1"),
        ("git, 7zip=22.01", ("git", "7zip=22.01")),
        (["curl"], ("curl",)),
    ),
    "apt-mirror": (
        '"http://m.test:3142/debian/"',
        "http://m.test:3142/debian",
        ("https://[::1]:8/a%20b/~c", "https://[::1]:8/a%20b/~c"),
        ("http://n", "http://n"),
    ),
    "apt-sources": (
        (
            '[{ uri = "http://m/debian/", suites = ["bookworm", "stable/updates", "bookworm"] },'
            ' { uri = "https://n", suites = ["trixie"], components = ["main", "contrib"],'
            ' keyring = "./keys//team.asc" },'
            ' { uri = "https://n", suites = ["sid"], keyring = "/usr/share/keyrings/k.gpg" }]'
        ),
        (
            AptSourceSettings(uri="http://m/debian", suites=("bookworm", "stable/updates")),
            AptSourceSettings(
                uri="https://n",
                suites=("trixie",),
                components=("main", "contrib"),
                keyring="keys/team.asc",
            ),
            AptSourceSettings(
                uri="https://n", suites=("sid",), keyring="/usr/share/keyrings/k.gpg"
            ),
        ),
        None,
        ([], ()),
    ),
    "apt-snapshot": (
        "2025-05-20",
        "20250520T000000Z",
        ("20241231T235959Z", "20241231T235959Z"),
        ("2024-02-29", "20240229T000000Z"),
    ),
    "apt-docs": ("true", True, ("false", False), ("true", True)),
    "apt-accept": ('["dbus", "dbus"]', ("dbus",), ("a1,b2", ("a1", "b2")), (["c++"], ("c++",))),
    "checks": (
        (
            '{ accept = [{ check = "secret", path = "/app/src/*.pem", reason = " a sample " },'
            ' { check = "missing-library", distribution = "Py_Side6", reason = "unused" }],'
            ' warn = ["junk", "junk"], refuse = ["*"], imports = true, max-size = "1.5GB",'
            ' max-layer-size = "1GiB", max-layers = 30, max-growth = "10%",'
            ' max-file-size = "100 MB" }'
        ),
        ChecksSettings(
            accept=(
                Acceptance(check="secret", path="/app/src/*.pem", reason="a sample"),
                Acceptance(check="missing-library", distribution="py-side6", reason="unused"),
            ),
            warn=("junk",),
            refuse=("*",),
            imports=True,
            max_size=1_500_000_000,
            max_layer_size=1 << 30,
            max_layers=30,
            max_growth=Growth(percent=10),
            max_file_size=100_000_000,
        ),
        None,
        ({"max-growth": "50MB"}, ChecksSettings(max_growth=Growth(size=50_000_000))),
    ),
    "insecure-registries": (
        '["r.test:5000", "10.1.2.3/8", "[::1]:1", "r.test:5000"]',
        ("r.test:5000", "10.0.0.0/8", "[::1]:1"),
        ("a, b.c", ("a", "b.c")),
        (["d:1"], ("d:1",)),
    ),
    "registry-certs": ('"/etc/certs"', "/etc/certs", ("certs", "certs"), ("../c", "../c")),
    "registries-conf": ('"/a.conf"', "/a.conf", ("b.conf", "b.conf"), ("/c.conf", "/c.conf")),
}


def test_the_table_covers_every_key_and_every_field() -> None:
    assert set(KEYS) == set(READERS)
    fields = {field.name.replace("_", "-") for field in dataclasses.fields(Settings)}
    assert set(READERS) == fields
    with_variable = {key for key, (_, _, environ, _) in KEYS.items() if environ}
    assert set(FROM_ENVIRON.values()) == with_variable


@pytest.mark.parametrize("key", KEYS)
def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(
    key: str, tmp_path: Path
) -> None:
    toml, from_file, environ, (flag, from_flag) = KEYS[key]
    field = key.replace("-", "_")
    builder = f"[tool.builder]\n{key} = {toml}\n"
    assert getattr(settings_of(tmp_path), field) == getattr(Settings(), field)
    assert getattr(settings_of(tmp_path, builder), field) == from_file
    chosen = from_file
    variables = {}
    if environ:
        variables = {f"BUILDER_{field.upper()}": environ[0]}
        chosen = environ[1]
    assert getattr(settings_of(tmp_path, builder, environ=variables), field) == chosen
    flags = {key: flag}
    wanted = chosen if flag == [] else from_flag
    assert getattr(settings_of(tmp_path, builder, environ=variables, flags=flags), field) == wanted


def test_a_base_may_be_a_list_and_a_path_with_commas(tmp_path: Path) -> None:
    listed = settings_of(tmp_path, '[tool.builder]\nbase = ["python:3.13", "apt:trixie"]\n')
    assert listed.base == ("python:3.13", "apt:trixie")
    assert settings_of(tmp_path, '[tool.builder]\nbase = "oci:a,b"\n').base == ("oci:a,b",)


def test_platforms_may_be_a_string(tmp_path: Path) -> None:
    one = settings_of(tmp_path, '[tool.builder]\nplatform = "linux/arm64"\n')
    assert one.platform == ("linux/arm64",)
    two = settings_of(tmp_path, '[tool.builder]\nplatform = "linux/arm64,linux/amd64"\n')
    assert two.platform == ("linux/arm64", "linux/amd64")


def test_flags_not_given_and_empty_variables_choose_nothing(tmp_path: Path) -> None:
    chosen = settings_of(
        tmp_path,
        '[tool.builder]\nbase = "mine"\ntags = ["a"]\n',
        environ={"BUILDER_BASE": "", "BUILDER_STORE": "/somewhere", "BUILDER_CMD": ""},
        flags={"base": None, "tags": []},
    )
    assert chosen == Settings(base=("mine",), tags=("a",))


def test_growth_is_in_bytes_or_in_hundredths() -> None:
    assert Growth(size=50).beyond(1000) == 1050
    assert Growth(percent=2.5).beyond(1000) == 1025
    assert Growth().beyond(1000) == 1000


def test_the_house_s_defaults() -> None:
    settings = Settings(app="a:b")
    assert settings.venv == "/app/.venv"
    assert settings.port == 8000
    assert settings.command == ("uvicorn", "a:b", "--host", "0.0.0.0", "--port", "8000")
    assert Settings(app="a:b", cmd=("x",)).command == ("x",)
    assert Settings(app="a:b", ports=("81/tcp", "82/tcp")).command == (
        "uvicorn", "a:b", "--host", "0.0.0.0", "--port", "81",
    )  # fmt: skip
    assert Settings().command is None


def test_variables_that_are_read_elsewhere_choose_nothing(tmp_path: Path) -> None:
    others = (
        *("BUILDER_STORE", "BUILDER_STORE_MAX_SIZE"),
        *("BUILDER_REGISTRY_USERNAME", "BUILDER_REGISTRY_PASSWORD"),
    )
    assert settings_of(tmp_path, environ=dict.fromkeys(others, "x")) == Settings()
