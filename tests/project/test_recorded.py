"""Whose installed files are."""

import pytest

from builder.project.recorded import by_distribution, recorded_paths
from layers.entries import Entry, FileEntry, SymlinkEntry

SITE = "app/.venv/lib/python3.12/site-packages"
VENDORED = "deps"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("x/a.py", f"{SITE}/x/a.py"),
        ("../../../bin/x", "app/.venv/bin/x"),
        ("/app/.venv/share/x", "app/.venv/share/x"),
        ("../../../../.env", None),
        ("../../../../.venvy/a", None),
        ("../../../../../../../etc/a", None),
        ("/etc/a", None),
    ],
)
def test_files_are_those_below_the_prefix(name: str, path: str | None) -> None:
    assert list(recorded_paths(f"{SITE}/x-1.dist-info/RECORD", f"{name},,\n")) == [path] * bool(
        path
    )


@pytest.mark.parametrize(("name", "path"), [("x/a.py", "deps/x/a.py"), ("../app/a", None)])
def test_what_is_installed_elsewhere_is_all_in_one_place(name: str, path: str | None) -> None:
    """As ``pip install --target`` does."""
    assert list(recorded_paths("deps/x-1.dist-info/RECORD", name)) == [path] * bool(path)


def test_names_are_as_csv_has_them_and_what_is_no_csv_ends_them() -> None:
    text = f'"x/a,b",,\n"x/\nc",,\n\n{"y" * 200_000},,\nx/d,,\n'
    found = list(recorded_paths(f"{SITE}/x-1.dist-info/RECORD", text))
    assert found == [f"{SITE}/x/a,b", f"{SITE}/x/\nc"]


def test_an_environment_is_divided() -> None:
    def file(path: str, text: str = "") -> FileEntry:
        return FileEntry.of(f"{SITE}/{path}", text.encode())

    link = SymlinkEntry(path=f"{SITE}/lib/link", target="a")
    records = {
        "my_lib-1.0": file("my_lib-1.0.dist-info/RECORD", "lib/a,,\nlib/link,,\nshared,,\n"),
        "demo-2.0": file("demo-2.0.dist-info/RECORD", "demo/a,,\nlib/gone,,\nshared,,\n"),
    }
    own = {"lib": file("lib/a"), "demo": file("demo/a"), "?": file("b"), "both": file("shared")}
    entries: list[Entry] = [*records.values(), *own.values(), link]
    assert by_distribution(entries) == {
        "": [*records.values(), own["?"]],
        "demo 2.0": [own["demo"]],
        "my-lib 1.0": [own["lib"], own["both"], link],
    }
