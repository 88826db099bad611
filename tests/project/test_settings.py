import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from builder.errors import SettingsError, exit_code
from builder.project.pyproject import Pyproject, read_pyproject
from builder.project.settings import read_settings
from builder.project.values import FROM_ENVIRON, READERS
from builder.settings import HealthSettings, Include, Settings, User
from layers.compress import ZSTD
from layers.entries import Owner

PROJECT = '[project]\nname = "demo"\n'


def project_with(directory: Path, builder: str) -> Pyproject:
    (directory / "pyproject.toml").write_text(f"{PROJECT}{builder}")
    return read_pyproject(directory)


def settings_of(
    directory: Path,
    builder: str = "",
    *,
    environ: dict[str, str] | None = None,
    flags: dict[str, Any] | None = None,
) -> Settings:
    pyproject = project_with(directory, builder)
    return read_settings(pyproject, environ=environ or {}, flags=flags or {})


def refused(directory: Path, builder: str = "", **other: Any) -> tuple[str, str | None]:
    """The message, without the directory, and the hint."""
    with pytest.raises(SettingsError) as caught:
        settings_of(directory, builder, **other)
    assert exit_code(caught.value) == 2
    return caught.value.message.replace(f"{directory}/", ""), caught.value.hint


# Every key: as TOML and what it means, then as the environment gives it, then as a flag does.
KEYS: dict[str, tuple[str, Any, tuple[str, Any] | None, tuple[Any, Any]]] = {
    "app": ('"a.b:app"', "a.b:app", ("c:app", "c:app"), ("d:app.wsgi", "d:app.wsgi")),
    "base": ('"python:3.13"', "python:3.13", ("oci:base", "oci:base"), ("b", "b")),
    "base-mirror": ('"http://m"', "http://m", ("http://n", "http://n"), ("o", "o")),
    "pull": ('"always"', "always", ("never", "never"), ("missing", "missing")),
    "platform": (
        '"linux/arm64"',
        "linux/arm64",
        ("linux/amd64", "linux/amd64"),
        ("linux/arm/v7", "linux/arm/v7"),
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
        '[{ source = "conf", destination = "/etc//app/", mode = "0640", owner = "0:7" },'
        ' { source = "a", destination = "/" }]',
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
    "tags": ('["a:1"]', ("a:1",), ("b:2,c", ("b:2", "c")), (["d:5000/e"], ("d:5000/e",))),
    "outputs": ('["oci:x"]', ("oci:x",), ("oci:y", ("oci:y",)), (["podman"], ("podman",))),
    "health": (
        '{ path = "/ok/?deep=1", expect = false, env = { A = 1 }, timeout = 5 }',
        HealthSettings(path="/ok/?deep=1", expect=None, env={"A": "1"}, timeout=5),
        None,
        ({"expect": {"a": 1}}, HealthSettings(expect={"a": 1})),
    ),
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


def test_flags_not_given_and_empty_variables_choose_nothing(tmp_path: Path) -> None:
    chosen = settings_of(
        tmp_path,
        '[tool.builder]\nbase = "mine"\ntags = ["a"]\n',
        environ={"BUILDER_BASE": "", "BUILDER_STORE": "/somewhere", "BUILDER_CMD": "x"},
        flags={"base": None, "tags": []},
    )
    assert chosen == Settings(base="mine", tags=("a",))


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


APP = 'expected "module:attribute", such as "second_brain.main:app"'
STRINGS = "expected a list of strings"
STRING = "expected a string that is not empty"
COMMAND = 'expected a list of strings, such as ["python", "-m", "app"]'
PORT = 'expected ports such as 8000 or "8000/udp"'
ABSOLUTE = 'expected an absolute path in the image, such as "/app"'
WORKDIR = "expected an absolute path below /, without spaces and of at most 100 characters"
NUMBERS = 'expected numbers, such as "1001:1001": Kubernetes needs them'
RELATIVE = "expected a path relative to the project"
BELOW = "expected a path in the project's directory"
MODE = 'expected an octal string such as "0640"'
PLATFORM = 'expected "os/architecture", such as "linux/arm64"'


@pytest.mark.parametrize(
    ("line", "place", "got", "expectation"),
    [
        ("app = 1", "app", 1, APP),
        ('app = "main"', "app", "main", APP),
        ('app = "a-b:app"', "app", "a-b:app", APP),
        ('app = "a:"', "app", "a:", APP),
        ("base = 3.12", "base", 3.12, STRING),
        ('base = ""', "base", "", STRING),
        ("base-mirror = []", "base-mirror", [], STRING),
        ('pull = "sometimes"', "pull", "sometimes", "expected one of missing, always, never"),
        ("pull = []", "pull", [], "expected one of missing, always, never"),
        ('platform = "arm64"', "platform", "arm64", PLATFORM),
        ('platform = "linux/"', "platform", "linux/", PLATFORM),
        ('workdir = "app"', "workdir", "app", ABSOLUTE),
        ("workdir = 1", "workdir", 1, ABSOLUTE),
        ('workdir = "/"', "workdir", "/", WORKDIR),
        ('workdir = "/my app"', "workdir", "/my app", WORKDIR),
        ('workdir = "/a/../b"', "workdir", "/a/../b", 'expected an absolute path without ".."'),
        ('workdir = "/a\\u0000"', "workdir", "/a\0", ABSOLUTE),
        ('user = "app"', "user", "app", NUMBERS),
        ("user = true", "user", True, NUMBERS),
        ("user = -1", "user", -1, NUMBERS),
        ('user = "1:"', "user", "1:", NUMBERS),
        ("user = 4294967295", "user", 4294967295, NUMBERS),
        ('user.uid = "web"', "user.uid", "web", NUMBERS),
        ("user.gid = true", "user.gid", True, NUMBERS),
        (
            'user.name = "App"',
            "user.name",
            "App",
            "expected lower-case letters, digits, '_' and '-'",
        ),
        ("ports = 0", "ports", 0, PORT),
        ("ports = true", "ports", True, PORT),
        ("ports = [8000, 65536]", "ports[1]", 65536, PORT),
        ('ports = ["80/http"]', "ports[0]", "80/http", PORT),
        ("ports = []", "ports", [], "expected at least one port"),
        ("ports = {}", "ports", {}, "expected a list of ports"),
        ('cmd = "uvicorn main:app"', "cmd", "uvicorn main:app", COMMAND),
        ("cmd = [1]", "cmd", [1], COMMAND),
        ("entrypoint = true", "entrypoint", True, COMMAND),
        ("env = []", "env", [], "expected a table of strings"),
        ("env.A = []", "env.A", [], "expected a string"),
        ('env."A=B" = "c"', "env", {"A=B": "c"}, "'A=B' cannot be a name"),
        ('labels."" = "c"', "labels", {"": "c"}, "'' cannot be a name"),
        ('labels."a.b" = {}', 'labels."a.b"', {}, "expected a string"),
        ('source = ["src", "/etc"]', "source[1]", "/etc", RELATIVE),
        ('source = ["../other"]', "source[0]", "../other", BELOW),
        ("source = 1", "source", 1, STRINGS),
        (
            'include = ["conf"]',
            "include",
            ["conf"],
            'expected a list of tables, such as [{source = "a", destination = "/b"}]',
        ),
        (
            'include = [{ source = "a" }]',
            "include[0]",
            {"source": "a"},
            "expected both source and destination",
        ),
        (
            'include = [{ source = "a", destination = "/a" },'
            ' { source = "b", destination = "/b", mode = 640 }]',
            "include[1].mode",
            640,
            MODE,
        ),
        (
            'include = [{ source = "a", destination = "/a", mode = "4755" }]',
            "include[0].mode",
            "4755",
            MODE,
        ),
        (
            'include = [{ source = "a", destination = "/a", owner = "app" }]',
            "include[0].owner",
            "app",
            NUMBERS,
        ),
        (
            'include = [{ source = "a", destination = "a" }]',
            "include[0].destination",
            "a",
            ABSOLUTE,
        ),
        (
            'include = [{ source = "/a", destination = "/a" }]',
            "include[0].source",
            "/a",
            RELATIVE,
        ),
        ("extras = [1]", "extras[0]", 1, STRING),
        ('groups = ["a", ""]', "groups[1]", "", STRING),
        ('compression = "brotli"', "compression", "brotli", "expected one of gzip, zstd, none"),
        (
            'tags = ["App:1"]',
            "tags[0]",
            "App:1",
            "not an image reference: 'App:1': a repository is written in lower case; write app",
        ),
        ("outputs = [{}]", "outputs[0]", {}, STRING),
        ("health = true", "health", True, "expected a table"),
        (
            'health.path = "health"',
            "health.path",
            "health",
            'expected the path of a URL, such as "/health"',
        ),
        (
            'health.expect = "ok"',
            "health.expect",
            "ok",
            "expected a table, or false when status 200 is enough",
        ),
        ("health.env.A = []", "health.env.A", [], "expected a string"),
        ("health.timeout = 0", "health.timeout", 0, "expected a number of seconds"),
        ("health.timeout = true", "health.timeout", True, "expected a number of seconds"),
    ],
)
def test_a_wrong_value_is_refused_with_place_value_and_expectation(
    line: str, place: str, got: Any, expectation: str, tmp_path: Path
) -> None:
    message, _ = refused(tmp_path, f"[tool.builder]\n{line}\n")
    assert message == f"pyproject.toml: tool.builder.{place}: got {got!r}; {expectation}"


def test_dates_are_no_json(tmp_path: Path) -> None:
    message, _ = refused(tmp_path, "[tool.builder]\nhealth.expect = { at = 2024-01-01 }\n")
    assert message == (
        "pyproject.toml: tool.builder.health.expect: got {'at': datetime.date(2024, 1, 1)}; "
        "expected what JSON can say: no dates or times"
    )


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    message, _ = refused(tmp_path, f"[tool.builder]\napp = {json.dumps('x' * 500)}\n")
    assert message == f"pyproject.toml: tool.builder.app: got {repr('x' * 500)[:80]}...; {APP}"


@pytest.mark.parametrize(
    ("line", "place", "hint"),
    [
        ('aap = "a:b"', "aap", "did you mean app?"),
        ('base_mirror = "x"', "base_mirror", "did you mean base-mirror?"),
        ("comand = []", "comand", "did you mean cmd?"),
        ("user.id = 1", "user.id", "did you mean uid?"),
        (
            'include = [{ source = "a", destination = "/a" }, { src = "b" }]',
            "include[1].src",
            "did you mean source?",
        ),
        ('health.pth = "/"', "health.pth", "did you mean path?"),
        ("health.zzz = 1", "health.zzz", "known: env, expect, path, timeout"),
        ("zzz = 1", "zzz", f"known: {', '.join(sorted(READERS))}"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(
    line: str, place: str, hint: str, tmp_path: Path
) -> None:
    message, found = refused(tmp_path, f"[tool.builder]\n{line}\n")
    assert message == f"pyproject.toml: tool.builder.{place} is unknown"
    assert found == hint


def test_messages_name_the_variable_or_the_flag(tmp_path: Path) -> None:
    message, _ = refused(tmp_path, environ={"BUILDER_PORTS": "80,http"})
    assert message == f"environment variable BUILDER_PORTS: got '80,http'; {PORT}"
    message, _ = refused(tmp_path, flags={"platform": "arm64"})
    assert message == f"--platform: got 'arm64'; {PLATFORM}"
    message, _ = refused(tmp_path, flags={"tags": ["ok", "a b"]})
    assert message == (
        "--tag[1]: got 'a b'; not an image reference: 'a b': 'a b' is not a repository name; "
        "expected e.g. registry.example.com/team/app:1.0"
    )


def test_tool_builder_must_be_a_table(tmp_path: Path) -> None:
    message, _ = refused(tmp_path, '[tool]\nbuilder = "x"\n')
    assert message == "pyproject.toml: tool.builder: got 'x'; expected a table"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[project", "{path} is not valid TOML: "),
        (b"[project]\nname = '\xff'\n", "{path} is not valid TOML: "),
        ("", "{path}: project.name is missing"),
        ("project = 1", "{path}: project.name is missing"),
        ("[project]\nname = 1", "{path}: project.name is missing"),
        (f"{PROJECT}version = 1.0", "{path}: project.version: got 1.0; expected a string"),
        (
            f"{PROJECT}requires-python = 3.12",
            "{path}: project.requires-python: got 3.12; expected a string",
        ),
        (f"{PROJECT}urls = []", "{path}: project.urls: got []; expected a table"),
        (f"{PROJECT}[tool]\nuv = 1", "{path}: tool.uv: got 1; expected a table"),
        (f"tool = 1\n{PROJECT}", "{path}: tool: got 1; expected a table"),
    ],
)
def test_a_pyproject_that_is_none_is_refused(
    text: str | bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as caught:
        read_pyproject(tmp_path)
    assert caught.value.message.startswith(message.format(path=path))


def test_no_pyproject_at_all(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_pyproject(tmp_path)
    assert caught.value.message == f"no pyproject.toml in {tmp_path}"
    assert caught.value.hint == (
        "name the directory of a uv project: python -m builder build PROJECT"
    )
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(SettingsError) as caught:
        read_pyproject(tmp_path)
    assert caught.value.message == f"cannot read {tmp_path}/pyproject.toml: Is a directory"


@pytest.mark.parametrize(
    ("tables", "is_package"),
    [
        ("", False),
        ("[build-system]\n", True),
        ("[build-system]\n[tool.uv]\npackage = false\n", False),
        ("[tool.uv]\npackage = true\n", True),
    ],
)
def test_a_project_is_a_package_by_uv_s_rule(
    tables: str,
    is_package: bool,
    tmp_path: Path,  # noqa: FBT001
) -> None:
    assert project_with(tmp_path, tables).is_package is is_package


def test_names_are_normalised(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "My__Second.Brain"\n')
    assert read_pyproject(tmp_path).name == "my-second-brain"
