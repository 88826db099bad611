from pathlib import Path
from typing import Any

import pytest

from tests.project.pyprojects import refused

SHAPE = (
    "is no name of a package: that has lower-case letters, digits, '+', '-' and '.', begins with "
    "a letter or digit, and is at least two characters long"
)
PATTERN = "is no name of a package: patterns are not taken; write every name"
VERSION = (
    'is no version of a package; expected "name" or "name=version", such as '
    '"libpq5=15.13-0+deb12u1"'
)
ADDRESS = 'expected an address such as "https://mirror.example.com/debian"'
CREDENTIALS = "credentials are not taken in an address"
SUITES = 'expected a list of strings, such as ["bookworm", "bookworm-updates"]'
SUITE = 'expected a name such as "bookworm-security"'
MOMENT = 'expected a moment such as "20250520T000000Z", or a day such as "2025-05-20"'
KEYRING = "expected a path in the project, or an absolute one"


def said(tmp_path: Path, line: str) -> str:
    message, _ = refused(tmp_path, f"[tool.builder]\n{line}\n")
    return message.removeprefix("pyproject.toml: tool.builder.")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (1, "expected a string that is not empty"),
        ("", "expected a string that is not empty"),
        ("a", f"'a' {SHAPE}"),
        ("LibPQ5", f"'LibPQ5' {SHAPE}"),
        ("-q", f"'-q' {SHAPE}"),
        ("lib_pq", f"'lib_pq' {SHAPE}"),
        ("libpq5 (>= 15)", f"'libpq5 (>' {SHAPE}"),
        ("libpq5>=15", f"'libpq5>' {SHAPE}"),
        (
            "libpq5:arm64",
            (
                "'libpq5:arm64' is no name of a package: the architecture is that of the image; "
                "write the name alone"
            ),
        ),
        (
            "libpq5/bookworm-backports",
            (
                "'libpq5/bookworm-backports' is no name of a package: a suite or a file cannot be "
                "chosen for one package; apt-sources names suites"
            ),
        ),
        ("libpq*", f"'libpq*' {PATTERN}"),
        ("libpq?", f"'libpq?' {PATTERN}"),
        ("libpq[56]", f"'libpq[56]' {PATTERN}"),
        ("libpq5=", f"'' {VERSION}"),
        ("libpq5=deb12", f"'deb12' {VERSION}"),
        ("libpq5=15.*", f"'15.*' {VERSION}"),
        ("libpq5=1:2:3", f"'1:2:3' {VERSION}"),
    ],
)
def test_what_is_no_package(item: Any, reason: str, tmp_path: Path) -> None:
    assert said(tmp_path, f"apt = ['libgl1', {item!r}]") == f"apt[1]: got {item!r}; {reason}"


def test_a_package_is_asked_for_once(tmp_path: Path) -> None:
    assert said(tmp_path, 'apt = ["libgl1=1", "git", "libgl1"]') == (
        "apt: got ['libgl1=1', 'git', 'libgl1']; libgl1 is asked for twice: 'libgl1=1' and 'libgl1'"
    )


def test_a_variable_says_which_package_is_none(tmp_path: Path) -> None:
    message, _ = refused(tmp_path, environ={"BUILDER_APT": "git,Curl"})
    assert message == f"environment variable BUILDER_APT: got 'git,Curl'; 'Curl' {SHAPE}"


def test_who_is_accepted_has_no_version(tmp_path: Path) -> None:
    assert said(tmp_path, 'apt-accept = ["dbus=1"]') == (
        f"apt-accept[0]: got 'dbus=1'; 'dbus=1' {SHAPE}"
    )


@pytest.mark.parametrize(
    ("address", "shown", "reason"),
    [
        ("mirror.test", "mirror.test", ADDRESS),
        ("ftp://mirror.test", "ftp://mirror.test", ADDRESS),
        ("file:///srv/debian", "file:///srv/debian", ADDRESS),
        ("http://", "http://", ADDRESS),
        ("http://mirror.test/a b", "http://mirror.test/a b", ADDRESS),
        ("http://mirror.test/a?key=hunter2", "http://mirror.test/a", ADDRESS),
        ("http://mirror.test/a#hunter2", "http://mirror.test/a", ADDRESS),
        ("https://me:hunter2@mirror.test/a?b", "https://...@mirror.test", CREDENTIALS),
        ("https://me:hun@ter2@mirror.test", "https://...@mirror.test", CREDENTIALS),
        ("me:hunter2@mirror.test", "...@mirror.test", CREDENTIALS),
    ],
)
def test_what_is_no_address_is_shown_without_secrets(
    address: str, shown: str, reason: str, tmp_path: Path
) -> None:
    expected = f"got {shown!r}; {reason}"
    assert said(tmp_path, f'apt-mirror = "{address}"') == f"apt-mirror: {expected}"
    sources = f'apt-sources = [{{ uri = "{address}", suites = ["sid"] }}]'
    assert said(tmp_path, sources) == f"apt-sources[0].uri: {expected}"
    message, _ = refused(tmp_path, flags={"apt-mirror": address})
    assert message == f"--apt-mirror: {expected}"


@pytest.mark.parametrize(
    ("table", "place", "got", "reason"),
    [
        ('suites = ["sid"]', "", {"suites": ["sid"]}, "expected both uri and suites"),
        ('uri = "http://m"', "", {"uri": "http://m"}, "expected both uri and suites"),
        ('uri = "http://m", suites = "sid"', ".suites", "sid", SUITES),
        ('uri = "http://m", suites = []', ".suites", [], SUITES),
        ('uri = "http://m", suites = ["a", 1]', ".suites[1]", 1, SUITE),
        ('uri = "http://m", suites = ["a b"]', ".suites[0]", "a b", SUITE),
        ('uri = "http://m", suites = ["a/../b"]', ".suites[0]", "a/../b", SUITE),
        ('uri = "http://m", suites = ["/a"]', ".suites[0]", "/a", SUITE),
        (
            'uri = "http://m", suites = ["./"]',
            ".suites[0]",
            "./",
            "archives without suites and components are not read",
        ),
        ('uri = "http://m", suites = ["a"], components = []', ".components", [], SUITES),
        ('uri = "http://m", suites = ["a"], keyring = ""', ".keyring", "", KEYRING),
        ('uri = "http://m", suites = ["a"], keyring = 1', ".keyring", 1, KEYRING),
        (
            'uri = "http://m", suites = ["a"], keyring = "../k.gpg"',
            ".keyring",
            "../k.gpg",
            "expected a path in the project's directory, or an absolute one",
        ),
    ],
)
def test_what_is_no_source(table: str, place: str, got: Any, reason: str, tmp_path: Path) -> None:
    line = f"apt-sources = [{{ {table} }}]"
    assert said(tmp_path, line) == f"apt-sources[0]{place}: got {got!r}; {reason}"


def test_sources_are_a_list_of_tables(tmp_path: Path) -> None:
    assert said(tmp_path, 'apt-sources = ["deb http://m sid main"]') == (
        "apt-sources: got ['deb http://m sid main']; expected a list of tables, such as "
        '[{uri = "https://mirror.example.com/debian", suites = ["bookworm"]}]'
    )


@pytest.mark.parametrize(
    "value",
    ["", "now", "2025-5-20", "2025-02-30", "20250520", "20250520T00000Z", "2025-05-20T00:00:00Z"],
)
def test_what_is_no_moment(value: str, tmp_path: Path) -> None:
    assert said(tmp_path, f'apt-snapshot = "{value}"') == f"apt-snapshot: got {value!r}; {MOMENT}"


@pytest.mark.parametrize("value", ["20250520", "2025-05-20T00:00:00Z", "true"])
def test_what_is_no_moment_in_toml(value: str, tmp_path: Path) -> None:
    assert said(tmp_path, f"apt-snapshot = {value}").endswith(f"; {MOMENT}")


@pytest.mark.parametrize("value", ['"yes"', "1", "[]"])
def test_what_is_neither_true_nor_false(value: str, tmp_path: Path) -> None:
    assert said(tmp_path, f"apt-docs = {value}").endswith("; expected true or false")


@pytest.mark.parametrize(
    ("line", "place", "hint"),
    [
        ("apt-doc = true", "apt-doc", "did you mean apt-docs?"),
        (
            'apt-sources = [{ url = "http://m", suites = ["sid"] }]',
            "apt-sources[0].url",
            "did you mean uri?",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(
    line: str, place: str, hint: str, tmp_path: Path
) -> None:
    message, found = refused(tmp_path, f"[tool.builder]\n{line}\n")
    assert message == f"pyproject.toml: tool.builder.{place} is unknown"
    assert found == hint


def test_sources_are_for_the_file_alone(tmp_path: Path) -> None:
    message, hint = refused(tmp_path, environ={"BUILDER_APT_SOURCES": "http://m"})
    assert message == "environment variable BUILDER_APT_SOURCES is unknown"
    assert hint == "apt-sources is for [tool.builder] alone: a variable cannot say its structure"
