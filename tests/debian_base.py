"""A small base that knows an archive: where system packages are laid on in tests."""

from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path

from builder.base.base import Base
from builder.base.intake import load_image
from builder.oci.descriptor import REF_NAME
from builder.rootfs.indexing import file_index, libraries
from builder.rootfs.runtime import Runtime
from builder.store.layout import Layout, Store
from layers.entries import DirEntry, Entry, FileEntry, SymlinkEntry
from tests.base.images import PYTHON, make_image
from tests.debian.archives import LocalArchive
from tests.debian.debs import Member, file, make_deb

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9

Package: tool
Status: install ok installed
Architecture: amd64
Version: 1
"""


def rootfs(archive: LocalArchive | None = None) -> tuple[Entry, ...]:
    """Merged /usr, Python, two packages in dpkg's database, and apt's sources if any."""
    sources = "etc/apt/sources.list.d/local.sources"
    return (
        *(DirEntry(path=path) for path in ("etc", "usr", "usr/lib", "usr/bin", "tmp")),
        SymlinkEntry(path="lib", target="usr/lib"),
        *PYTHON,
        FileEntry.of("usr/lib/libc.so.6", b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\0" + LIBC),
        FileEntry.of("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
        FileEntry.of("etc/group", b"root:x:0:\n"),
        FileEntry.of("usr/bin/tool", b"tool 1", mode=0o755),
        FileEntry.of("var/lib/dpkg/status", STATUS.encode()),
        FileEntry.of("var/lib/dpkg/info/tool.list", b"/.\n/usr\n/usr/bin\n/usr/bin/tool\n"),
        *([FileEntry.of(sources, archive.deb822().encode())] if archive else []),
    )


LIBC = b"GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n"


def a_debian_base(store: Store, archive: LocalArchive | None = None) -> Base:
    """The base, in the store."""
    image = load_image(make_image(store, [rootfs(archive)]), store)
    read_files = cache(partial(file_index, image, store))
    return Base(
        name="base",
        is_published=False,
        image=image,
        runtime=Runtime.of(image, read_files()),
        read_files=read_files,
        read_libraries=cache(partial(libraries, image, store)),
    )


def write_debian_base(directory: Path, archive: LocalArchive) -> str:
    """The base as a layout; what ``--base`` calls it."""
    layout = Layout(directory)
    made = make_image(layout, [rootfs(archive)])
    layout.tag("1", made)
    assert layout.index().manifests[0].annotations[REF_NAME] == "1"
    return f"oci:{directory}:1"


def add_package(
    archive: LocalArchive,
    name: str,
    version: str = "1.0-1",
    files: Iterable[Member] | None = None,
    *,
    scripts: Mapping[str, bytes | str] | None = None,
    **fields: str,
) -> bytes:
    """Put a package into the archive; without files of its own it ships ``/usr/lib/NAME``."""
    control = {
        "Package": name,
        "Version": version,
        "Architecture": "amd64",
        **{key.replace("_", "-"): value for key, value in fields.items()},
    }
    shipped = [file(f"usr/lib/{name}", name.encode())] if files is None else list(files)
    deb = make_deb(control, shipped, scripts=scripts)
    archive.add(control, deb)
    return deb
