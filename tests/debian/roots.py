"""Roots made by hand, as packages are laid on them."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from builder.debian.root import Root
from builder.debian.unpack.deb import Deb, read_deb
from builder.rootfs.file_index import FileIndex
from layers.entries import DirEntry, parents
from tests.debian.debs import Member, make_deb


def a_root(
    *directories: str | DirEntry,
    files: Mapping[str, bytes] | None = None,
    links: Mapping[str, str] | None = None,
) -> Root:
    """A root with these paths, and the directories above them."""
    files, links = files or {}, links or {}
    given = [d if isinstance(d, DirEntry) else DirEntry(path=d) for d in directories]
    above = {p for path in (*files, *links, *(d.path for d in given)) for p in parents(path)}
    return Root(
        files=FileIndex(
            directories={
                **{path: DirEntry(path=path) for path in sorted(above)},
                **{entry.path: entry for entry in given},
            },
            symlinks=links,
            files=dict.fromkeys(files, 0o644),
            passwd=files.get("etc/passwd", b""),
            group=files.get("etc/group", b""),
        ),
        contents=files,
    )


def a_deb(
    scratch: Path,
    name: str,
    files: Sequence[Member] = (),
    *,
    conffiles: Sequence[str] = (),
    scripts: Mapping[str, bytes | str] | None = None,
    **fields: str,
) -> Deb:
    """A package; ``Multi_Arch`` and the like are fields with hyphens."""
    control = {"Package": name, **{key.replace("_", "-"): value for key, value in fields.items()}}
    data = make_deb(control, files, scripts=scripts, conffiles=conffiles, compression="none")
    return read_deb(io.BytesIO(data), name, scratch)


def status(*packages: str, **fields: str) -> bytes:
    """A list of installed packages, ``name version`` each."""
    more = "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in fields.items())
    return "".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n"
        f"Version: {version}\n{more}\n"
        for name, version in (package.split() for package in packages)
    ).encode()
