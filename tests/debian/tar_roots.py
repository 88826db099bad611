"""The root in a tar, as packages are laid on it."""

import hashlib
from dataclasses import replace
from pathlib import Path

from builder.debian.root import Root, _Matters
from builder.rootfs.file_index import FileIndex
from builder.rootfs.scan import scan
from layers.compress import TAR
from layers.digest import DiffId, Digest
from layers.entries import FileContent
from layers.layer import Layer


def root_of_tar(tar: Path) -> Root:
    with tar.open("rb") as stream:
        name = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    layer = Layer(
        media_type=TAR,
        digest=Digest(name),
        size=tar.stat().st_size,
        diff_id=DiffId(name),
        source=FileContent(tar),
    )
    found = scan([layer], _Matters())
    return Root(
        files=replace(
            FileIndex.of_nodes(found.nodes),
            passwd=found.contents["etc/passwd"],
            group=found.contents["etc/group"],
        ),
        contents=found.contents,
    )
