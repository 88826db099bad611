"""An upgrade by dpkg, against what we make of it."""

import io
import os
import subprocess
from pathlib import Path

import pytest

from builder.debian.database.database import database
from builder.debian.root import Root
from builder.debian.unpack.deb import read_deb
from builder.debian.unpack.unpack import unpack
from builder.rootfs.file_index import FileIndex
from layers.entries import DirEntry, FileEntry, WhiteoutEntry
from tests.debian.debs import Member, file, make_deb

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files their owners")

# What dpkg leaves there for itself, and beside files that it does not replace.
OWN = {"lock", "lock-frontend", "status-old", "Lock", "Unincorp", "available"}
DIST = ".dpkg-dist"

type Tree = dict[str, tuple[int, bytes | None]]
"""Mode and content by path; directories have none."""

OLD = {
    "foo": [*(file(f"etc/{n}", b"1") for n in ("kept", "changed", "deleted", "same", "moved"))],
    "other": [file(f"{path}/both", b"1") for path in ("etc", "usr/share")],
}
OLD["other"] += [file("usr/share/other", b"1")]
OLD["foo"] += [file("usr/share/became", b"1"), file("usr/lib/foo/gone"), file("usr/share/left")]
NEW = {
    "foo": [
        file("etc/kept", b"2", mode=0o600),
        file("etc/changed", b"2"),
        file("etc/deleted", b"2"),
        file("etc/same", b"1"),
        file("usr/share/became/data", b"2"),
        file("usr/share/both", b"2"),
        file("etc/both", b"2"),
    ],
    "new": [file("etc/moved", b"2"), file("etc/there", b"2")],
}
FIELDS = {
    "foo": {"Replaces": "other", "Depends": "new"},
    "new": {"Replaces": "foo (<< 2)"},
}


def conffiles_of(members: list[Member]) -> list[str]:
    return [f"/{member.path}" for member in members if member.path.startswith("etc/")]


def written(folder: Path, version: str, packages: dict[str, list[Member]]) -> list[Path]:
    folder.mkdir()
    for name, members in packages.items():
        fields = FIELDS.get(name, {}) if version == "2" else {}
        control = {"Package": name, "Version": version, **fields}
        data = make_deb(control, members, conffiles=conffiles_of(members), compression="gz")
        folder.joinpath(f"{name}.deb").write_bytes(data)
    return sorted(folder.iterdir())


def install(root: Path, *debs: Path) -> None:
    options = ("--force-not-root", "--force-confdef", "--force-confold", "--log=/dev/null")
    subprocess.run(
        ["dpkg", f"--root={root}", *options, "--install", *debs],
        check=True,
        capture_output=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
    )


def read(root: Path) -> Tree:
    found: Tree = {}
    for path in sorted(root.rglob("*")):
        content = path.read_bytes() if path.is_file() else None
        if path.name not in OWN and path.suffix != DIST:
            found[str(path.relative_to(root))] = path.stat().st_mode & 0o7777, content
    return found


def root_of(tree: Tree) -> Root:
    contents = {path: data for path, (_, data) in tree.items() if data is not None}
    return Root(
        files=FileIndex(
            directories={
                path: DirEntry(path=path, mode=mode)
                for path, (mode, _) in tree.items()
                if path not in contents
            },
            files={path: tree[path][0] for path in contents},
        ),
        contents=contents,
    )


def test_an_upgrade_is_what_dpkg_makes_it(tmp_path: Path) -> None:
    top = tmp_path / "root"
    for name in ("alternatives", "info", "updates", "triggers"):
        top.joinpath("var/lib/dpkg", name).mkdir(parents=True)
    top.joinpath("var/lib/dpkg/status").touch()
    install(top, *written(tmp_path / "1", "1", OLD))
    top.joinpath("etc/changed").write_text("mine")
    top.joinpath("etc/there").write_text("mine")
    top.joinpath("etc/deleted").unlink()
    top.joinpath("usr/share/left.local").write_text("mine")
    before = read(top)
    new = written(tmp_path / "2", "2", NEW)
    install(top, *new)
    wanted, ours = read(top), dict(before)
    root = root_of(before)
    debs = [read_deb(io.BytesIO(path.read_bytes()), path.name, tmp_path) for path in new]
    unpacked = unpack(debs, root, docs=True)
    for entry in (*unpacked.entries, *database(debs, unpacked, root, requested=())):
        match entry:
            case WhiteoutEntry():
                gone = [p for p in ours if p == entry.path or p.startswith(f"{entry.path}/")]
                for path in gone:
                    del ours[path]
            case DirEntry():
                ours[entry.path] = entry.mode, None
            case FileEntry():
                with entry.content.open() as stream:
                    ours[entry.path] = entry.mode, stream.read()
            case _:
                raise AssertionError(entry)
    assert not top.joinpath("usr/share/left").exists()
    differing = {path for path in {*ours, *wanted} if ours.get(path) != wanted.get(path)}
    assert {path: (wanted.get(path), ours.get(path)) for path in differing} == {}
