import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from builder.errors import LayerError
from builder.rootfs.file_index import FileIndex
from builder.rootfs.scan import scan
from builder.rootfs.survey import compute_file_index
from builder.target import Libc
from layers.compress import TAR, TAR_GZIP
from layers.digest import DiffId, Digest
from layers.entries import (
    BytesContent,
    DirEntry,
    Entry,
    FileEntry,
    HardLinkEntry,
    SymlinkEntry,
    WhiteoutEntry,
)
from layers.layer import Layer
from tests.base.images import stored_image


def files(tmp_path: Path, *filesystems: Iterable[Entry]) -> FileIndex:
    return compute_file_index(stored_image(tmp_path, *filesystems))


def blob_layer(data: bytes, *, media_type: str = TAR, diff_id: str | None = None) -> Layer:
    digest = Digest.of(data)
    return Layer(
        media_type=media_type,
        digest=digest,
        size=len(data),
        diff_id=DiffId(diff_id or digest.text),
        source=BytesContent(data),
    )


def tar_layer(members: Mapping[str, bytes | str | None]) -> Layer:
    """A foreign layer: bytes make a file, text a hard link, None a directory."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o711
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.LNKTYPE, content
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return blob_layer(stream.getvalue())


def test_a_whiteout_hides_a_file_and_a_tree(tmp_path: Path) -> None:
    below = [
        FileEntry.of("a/file", b""),
        FileEntry.of("tree/deep/file", b""),
        FileEntry.of("tree2/file", b""),
    ]
    index = files(tmp_path, below, [WhiteoutEntry(path="a/file"), WhiteoutEntry(path="tree")])
    assert set(index.files) == {"tree2/file"}
    assert set(index.directories) == {"a", "tree2"}


def test_a_whiteout_spares_its_own_layer() -> None:
    layer = tar_layer({"x": b"new", ".wh.x": b""})
    old = tar_layer({"x": b"old"})
    assert scan([old, layer], {"x"}).contents == {"x": b"new"}


def test_an_opaque_directory_keeps_only_what_its_layer_adds() -> None:
    below = tar_layer({"d": None, "d/old": b"", "d/sub/old": b"", "e": b""})
    above = tar_layer({"d/new": b"", "d/.wh..wh..opq": b""})
    assert set(scan([below, above], set()).nodes) == {"d", "d/new", "e"}


def test_an_opaque_root_empties_everything() -> None:
    below = tar_layer({"d": None, "d/old": b""})
    assert set(scan([below, tar_layer({".wh..wh..opq": b"", "new": b""})], set()).nodes) == {"new"}


def test_storage_drivers_own_files_are_no_files() -> None:
    layer = tar_layer({".wh..wh.plnk": None, ".wh..wh.plnk/7.9": b"", "x": b""})
    assert set(scan([layer], set()).nodes) == {"x"}


def test_a_directory_that_becomes_something_else_loses_its_content(tmp_path: Path) -> None:
    below = [FileEntry.of("lib/libc.so", b""), FileEntry.of("opt/x", b"")]
    above: list[Entry] = [SymlinkEntry(path="lib", target="usr/lib"), FileEntry.of("opt", b"")]
    index = files(tmp_path, below, above)
    assert set(index.files) == {"opt"}
    assert index.symlinks == {"lib": "usr/lib"}
    assert not index.directories


def test_a_later_layer_sets_a_directorys_mode_and_keeps_its_content(tmp_path: Path) -> None:
    below = [FileEntry.of("d/x", b"")]
    index = files(tmp_path, below, [DirEntry(path="d", mode=0o700)])
    assert index.directories["d"].mode == 0o700
    assert "d/x" in index.files


def test_parents_that_a_layer_does_not_list_are_there() -> None:
    nodes = scan([tar_layer({"a/b/c": b""})], set()).nodes
    assert nodes["a"] == DirEntry(path="a")
    assert nodes["a/b"] == DirEntry(path="a/b")


def test_a_parent_below_keeps_its_mode() -> None:
    nodes = scan([tar_layer({"a": None}), tar_layer({"a/b": b""})], set()).nodes
    assert nodes["a"] == DirEntry(path="a", mode=0o711)


@pytest.mark.parametrize("name", ["./etc/passwd", "/etc/passwd", "etc//./passwd", "../etc/passwd"])
def test_names_are_made_normal(name: str) -> None:
    assert scan([tar_layer({"./": None, name: b"x"})], {"etc/passwd"}).contents == {
        "etc/passwd": b"x"
    }


def test_a_hard_link_is_the_file_it_names() -> None:
    found = scan([tar_layer({"./a": b"x", "./etc/passwd": "./a"})], {"a", "etc/passwd"})
    assert found.nodes["etc/passwd"] == 0o644
    assert found.contents["etc/passwd"] == b"x"


def test_our_own_hard_links_have_the_mode_of_their_file(tmp_path: Path) -> None:
    file = FileEntry.of("usr/bin/a", b"", mode=0o755)
    link = HardLinkEntry(path="usr/bin/b", target="usr/bin/a", mode=0o755)
    index = files(tmp_path, [link, file])
    assert index.files == {"usr/bin/a": 0o755, "usr/bin/b": 0o755}


def test_contents_follow_the_layers() -> None:
    one, two = tar_layer({"etc/passwd": b"1"}), tar_layer({"etc/passwd": b"2"})
    gone = tar_layer({".wh.etc": b""})
    assert scan([one, two], {"etc/passwd"}).contents == {"etc/passwd": b"2"}
    assert scan([one, gone], {"etc/passwd"}).contents == {}


def test_a_corrupted_blob_is_refused(tmp_path: Path) -> None:
    image = stored_image(tmp_path, [FileEntry.of("x", b"x" * 5000)])
    [path] = [p for p in (tmp_path / "store" / "blobs" / "sha256").iterdir() if _is_tar(p)]
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(LayerError, match=image.layers[0].digest.hex) as caught:
        compute_file_index(image)
    assert caught.value.hint == (
        f"remove {path}; the next build brings it again; "
        "python -m builder cache verify finds what else is damaged"
    )


def _is_tar(path: Path) -> bool:
    return tarfile.is_tarfile(path)


def test_a_config_that_lies_about_a_layer_is_refused() -> None:
    data = blob_layer(bytes(1024))
    lied = blob_layer(bytes(1024), diff_id=f"sha256:{'0' * 64}")
    scan([data], set())
    with pytest.raises(
        LayerError, match=rf"wanted diff_id sha256:0+, its tar hashes to {data.digest}"
    ):
        scan([lied], set())


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"not gzip", TAR_GZIP),
        (b"not a tar" * 200, TAR),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", TAR_GZIP),
        (b"x", "application/vnd.in-toto+json"),
    ],
)
def test_what_is_no_layer_is_refused(data: bytes, media_type: str) -> None:
    with pytest.raises(LayerError, match="cannot be read"):
        scan([blob_layer(data, media_type=media_type)], set())


def elf(machine: int, words: bytes) -> bytes:
    return b"\x7fELF\x02\x01" + bytes(12) + machine.to_bytes(2, "little") + words


GLIBC = elf(62, b"GNU C Library (Debian GLIBC 2.36-9+deb12u9) stable release version 2.36.\n")
OTHER = elf(183, b"GNU C Library (Debian GLIBC 2.31-1) stable release version 2.31.\n")
MUSL = elf(62, b"\0musl libc\0\x001.2.5\0")


@pytest.mark.parametrize(
    ("found", "libc"),
    [
        ({"usr/lib/x86_64-linux-gnu/libc.so.6": GLIBC}, Libc(name="glibc", version=(2, 36))),
        ({"lib/libc-2.36.so": GLIBC}, Libc(name="glibc", version=(2, 36))),
        (
            {"lib/libc.so.6": GLIBC, "usr/aarch64-linux-gnu/lib/libc.so.6": OTHER},
            Libc(name="glibc", version=(2, 36)),
        ),
        (
            {"lib/libc.so.6": GLIBC, "lib/ld-musl-x86_64.so.1": MUSL},
            Libc(name="glibc", version=(2, 36)),
        ),
        ({"lib/ld-musl-x86_64.so.1": MUSL}, Libc(name="musl", version=(1, 2))),
        (
            {"lib/apk/db/installed": b"P:busybox\nV:1.36\n\nP:musl\nV:1.1.24-r10\n"},
            Libc(name="musl", version=(1, 1)),
        ),
        ({"usr/lib/debug/libc.so.6": elf(62, b"")}, None),
        ({"lib/libc.so.6": b"INPUT(libc)"}, None),
        ({"usr/share/doc/libc.so.6.txt": GLIBC}, None),
    ],
)
def test_the_c_library_is_told_from_its_bytes(
    tmp_path: Path, found: Mapping[str, bytes], libc: Libc | None
) -> None:
    index = files(tmp_path, [FileEntry.of(path, data) for path, data in found.items()])
    assert index.libc == libc


def test_a_deleted_c_library_is_gone(tmp_path: Path) -> None:
    below = [FileEntry.of("lib/libc.so.6", GLIBC)]
    assert files(tmp_path, below, [WhiteoutEntry(path="lib/libc.so.6")]).libc is None
