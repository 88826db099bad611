"""Alternatives end up as a real ``update-alternatives`` leaves them."""

import subprocess
from pathlib import Path

import pytest

from builder.debian.effects.alternatives import decode, encode
from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.scripts import Subject, follow
from builder.errors import PackageError
from tests.debian.effects.mutable_roots import of
from tests.debian.roots import a_root

_PROGRAMS = ("usr/bin/vim", "usr/bin/nano", "usr/bin/ed", "usr/share/man/vim.1", "usr/bin/rvim")
_CALLS = [
    ["/usr/bin/editor", "editor", "/usr/bin/nano", "40"],
    [
        *("/usr/bin/editor", "editor", "/usr/bin/vim", "60", "--slave", "/usr/share/man/editor.1"),
        *("editor.1", "/usr/share/man/vim.1", "--slave", "/usr/bin/reditor", "reditor"),
        "/usr/bin/rvim",
        *("--slave", "/usr/share/man/de/editor.1", "de.editor.1", "/usr/share/man/de/vim.1"),
    ],
    ["/usr/bin/editor", "editor", "/usr/bin/ed", "60"],
    ["/usr/bin/pico", "pico", "/usr/bin/nano", "-5"],
]


def script(calls: list[list[str]]) -> bytes:
    lines = [f"update-alternatives --quiet --install {' '.join(call)}\n" for call in calls]
    return b"#!/bin/sh\nset -e\n" + "".join(lines).encode()


def installed(calls: list[list[str]], files: MutableRoot) -> tuple[str, ...]:
    subject = Subject(package="p", architecture="amd64", members={"postinst": script(calls)})
    return follow("postinst", ["configure", ""], subject, files)


def really(calls: list[list[str]], root: Path) -> None:
    directories = ["etc/alternatives", "var/lib/dpkg/alternatives", "var/log", "usr/bin"]
    for directory in [*directories, "usr/share/man/de"]:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for program in _PROGRAMS:
        (root / program).write_text("")
    for call in calls:
        command = ["update-alternatives", "--root", str(root), "--install", *call]
        subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize("count", range(1, len(_CALLS) + 1))
def test_links_and_state_are_the_real_ones(tmp_path: Path, count: int) -> None:
    really(_CALLS[:count], tmp_path)
    files = of(dict.fromkeys(_PROGRAMS, b""))
    assert installed(_CALLS[:count], files) == ()
    real = {
        str(path.relative_to(tmp_path)): str(path.readlink())
        for path in tmp_path.rglob("*")
        if path.is_symlink()
    }
    assert dict(files.files.symlinks) == real
    for state in (tmp_path / "var/lib/dpkg/alternatives").iterdir():
        assert files.read(f"var/lib/dpkg/alternatives/{state.name}") == state.read_bytes()


@pytest.mark.parametrize(("mode", "editor"), [("auto", "vim"), ("manual", None)])
def test_the_choice_of_the_base_counts(mode: str, editor: str | None) -> None:
    state = f"{mode}\n/usr/bin/editor\n\n/usr/bin/nano\n50\n\n".encode()
    base = a_root(files={"var/lib/dpkg/alternatives/editor": state, "usr/bin/nano": b""})
    files = MutableRoot(base, dict(of(dict.fromkeys(_PROGRAMS, b"")).packed))
    installed([["/usr/bin/editor", "editor", "/usr/bin/vim", "60"]], files)
    assert files.target("etc/alternatives/editor") == (editor and f"/usr/bin/{editor}")
    written = files.read("var/lib/dpkg/alternatives/editor") or b""
    assert written == state[:-1] + b"/usr/bin/vim\n60\n\n"


def test_a_program_that_is_not_there_makes_nothing() -> None:
    files = of({"usr/bin/other": b""})
    installed([["/usr/bin/editor", "editor", "/usr/bin/vim", "60"]], files)
    assert files.added == ()


def test_what_real_state_files_say_is_written_again() -> None:
    for path in Path("/var/lib/dpkg/alternatives").iterdir():
        text = path.read_text()
        assert encode(decode(path.name, text)) == text


@pytest.mark.parametrize("text", ["", "auto", "auto\n/x\n\n/y\nmuch\n\n", "auto\n/x\nslave\n"])
def test_a_damaged_state_is_refused(text: str) -> None:
    with pytest.raises(PackageError, match="/var/lib/dpkg/alternatives/x of the base is damaged"):
        decode("x", text)
