import json
from pathlib import Path
from typing import Any

import pytest

from builder.project.values import READERS
from tests.project.pyprojects import refused

APP = 'expected "module:attribute", such as "second_brain.main:app"'
STRINGS = "expected a list of strings"
STRING = "expected a string that is not empty"
BASES = "expected a string that is not empty, or a list of them"
COMMAND = 'expected a list of strings, such as ["python", "-m", "app"]'
PORT = 'expected ports such as 8000 or "8000/udp"'
ABSOLUTE = 'expected an absolute path in the image, such as "/app"'
WORKDIR = (
    "expected an absolute path below /, without spaces and colons and of at most 100 characters"
)
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
        ("base = 3.12", "base", 3.12, BASES),
        ('base = ""', "base", "", STRING),
        ("base = []", "base", [], BASES),
        ("base = {}", "base", {}, BASES),
        ('base = ["a", 1]', "base[1]", 1, STRING),
        ('base = ["a", "b", "a"]', "base[2]", "a", "it is in the list already"),
        ("base-mirror = []", "base-mirror", [], STRING),
        ('pull = "sometimes"', "pull", "sometimes", "expected one of missing, always, never"),
        ("pull = []", "pull", [], "expected one of missing, always, never"),
        ('platform = "arm64"', "platform", "arm64", PLATFORM),
        ('platform = "linux/"', "platform", "linux/", PLATFORM),
        ("platform = []", "platform", [], PLATFORM),
        ('platform = " ,"', "platform", " ,", PLATFORM),
        ("platform = 64", "platform", 64, STRING),
        ('platform = ["linux/amd64", "arm64"]', "platform[1]", "arm64", PLATFORM),
        (
            'platform = "linux/arm64,linux/arm64/v8"',
            "platform[1]",
            "linux/arm64/v8",
            "it is in the list already",
        ),
        ('workdir = "app"', "workdir", "app", ABSOLUTE),
        ("workdir = 1", "workdir", 1, ABSOLUTE),
        ('workdir = "/"', "workdir", "/", WORKDIR),
        ('workdir = "/my app"', "workdir", "/my app", WORKDIR),
        ('workdir = "/my:app"', "workdir", "/my:app", WORKDIR),
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
            (
                'include = [{ source = "a", destination = "/a" },'
                ' { source = "b", destination = "/b", mode = 640 }]'
            ),
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
        ('layers = "one"', "layers", "one", "expected one of auto, single, per-package"),
        ('layers = ["numpy"]', "layers[0]", "numpy", "expected a list of names"),
        (
            "layers = []",
            "layers",
            [],
            'expected one of auto, single, per-package, or groups such as [["numpy", "scipy"]]',
        ),
        ('layers = [["a_b"], ["a.B"]]', "layers[1]", "a-b", "it is in a group already"),
        (
            'tags = ["App:1"]',
            "tags[0]",
            "App:1",
            "a repository is written in lower case; write app",
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
        ('apps = "a:b"', "apps", "did you mean app?"),
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
    message, _ = refused(tmp_path, flags={"platform": ["arm64"]})
    assert message == f"--platform: got 'arm64'; {PLATFORM}"
    message, _ = refused(tmp_path, environ={"BUILDER_BASE": "a,b,a"})
    assert message == "environment variable BUILDER_BASE[2]: got 'a'; it is in the list already"
    message, _ = refused(tmp_path, flags={"base": ["a", "a"]})
    assert message == "--base: got 'a'; it is in the list already"
    message, _ = refused(tmp_path, flags={"tags": ["ok", "a b"]})
    assert message == (
        "--tag: got 'a b'; 'a b' is not a repository name; "
        "expected e.g. registry.example.com/team/app:1.0"
    )


def test_tool_builder_must_be_a_table(tmp_path: Path) -> None:
    message, _ = refused(tmp_path, '[tool]\nbuilder = "x"\n')
    assert message == "pyproject.toml: tool.builder: got 'x'; expected a table"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("BUILDER_BASEMIRROR", "did you mean BUILDER_BASE_MIRROR?"),
        ("BUILDER_TAG", "did you mean BUILDER_TAGS?"),
        ("BUILDER_STOR", "did you mean BUILDER_STORE?"),
        ("BUILDER_CMD", "cmd is for [tool.builder] alone: a variable cannot say its structure"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(
    name: str, hint: str, tmp_path: Path
) -> None:
    message, found = refused(tmp_path, environ={name: "secret"})
    assert message == f"environment variable {name} is unknown"
    assert found == hint


DIGEST = f"sha256:{'0' * 64}"


def test_a_name_with_a_digest_is_refused(tmp_path: Path) -> None:
    said = "expected a name without a digest: the image has its own, once it is built"
    tag = f"app:1@{DIGEST}"
    message, hint = refused(tmp_path, f'[tool.builder]\ntags = ["{tag}"]\n')
    assert message == f"pyproject.toml: tool.builder.tags: got {tag!r}; {said}"
    assert hint == "write app:1"
    message, _ = refused(tmp_path, flags={"tags": ["a", tag]})
    assert message == f"--tag: got {tag!r}; {said}"


@pytest.mark.parametrize(
    "key", ["source", "ports", "extras", "groups", "tags", "outputs", "apt", "apt-accept"]
)
def test_a_string_in_the_file_is_no_list(key: str, tmp_path: Path) -> None:
    message, hint = refused(tmp_path, f'[tool.builder]\n{key} = "1,2"\n')
    assert message == f"pyproject.toml: tool.builder.{key}: got '1,2'; expected a list"
    assert hint == f'write {key} = ["1,2"]'
