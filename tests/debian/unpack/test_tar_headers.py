"""Headers that stand before members, and how much of them is read."""

import tarfile
import tracemalloc
from pathlib import Path

import pytest

from builder.debian.unpack.deb import read_deb
from builder.debian.unpack.tar_members import read_members
from builder.errors import PackageError
from tests.debian.debs import control_tar, data_tar, file, make_ar

MIB = 1 << 20


def header(name: str, kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def records(size: int) -> bytes:
    """One PAX record of so many bytes."""
    start = b"%d comment=" % size
    return start + b"a" * (size - len(start) - 1) + b"\n"


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def told(tar: Path) -> str:
    with pytest.raises(PackageError) as caught:
        read_members(tar, "data.tar", "x.deb")
    return caught.value.message


@pytest.mark.parametrize("kind", [b"x", b"X", b"g", b"L", b"K"])
@pytest.mark.parametrize("before", [b"", header("./first", tarfile.REGTYPE, 0)])
def test_a_header_larger_than_any_name_is_refused_unread(
    kind: bytes, before: bytes, tmp_path: Path
) -> None:
    size = 200 * MIB
    tar = tmp_path / "data.tar"
    with tar.open("wb") as out:
        out.write(before + header("./odd", kind, size))
        out.seek(size, 1)
        out.write(header("./usr", tarfile.REGTYPE, 0) + bytes(1024))
    tracemalloc.start()
    try:
        message = told(tar)
        assert tracemalloc.get_traced_memory()[1] < 10 * MIB
    finally:
        tracemalloc.stop()
    assert message.startswith(f"x.deb: data.tar: ./odd at byte {len(before)} is ")
    assert message.endswith(
        f" of {size} bytes; expected at most {MIB} bytes of such before a member"
    )


def test_many_small_headers_are_no_way_round(tmp_path: Path) -> None:
    tar = tmp_path / "data.tar"
    half = header("./odd", b"x", MIB // 2) + padded(records(MIB // 2))
    tar.write_bytes(half * 3 + data_tar([file("x")]))
    assert "./odd at byte 1049600 is PAX records of 524288 bytes" in told(tar)
    half = header("./odd", b"g", MIB // 2) + padded(records(MIB // 2))
    members = (half + header(f"./{name}", tarfile.REGTYPE, 0) for name in "abc")
    tar.write_bytes(b"".join(members) + bytes(1024))
    assert "PAX records for all members of 524288 bytes" in told(tar)


def test_a_name_as_long_as_they_get_is_read(tmp_path: Path) -> None:
    tar = tmp_path / "data.tar"
    path = "/".join(["n" * 200] * 20)
    tar.write_bytes(data_tar([file(path, b"x")]))
    assert read_members(tar, "data.tar", "x.deb")[-1].path == path


def test_maps_of_sparse_files_are_not_read(tmp_path: Path) -> None:
    tar = tmp_path / "data.tar"
    tar.write_bytes(header("./thin", b"S", 0) + bytes(1024))
    wanted = "x.deb: data.tar: ./thin is a sparse file; a package may ship files, directories and "
    assert told(tar) == f"{wanted}links"
    said = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
    pax = header("./pax", b"x", len(said)) + padded(said)
    numbers = padded(b"1\n" * MIB)
    thin = header("./thin", tarfile.REGTYPE, len(numbers))
    tar.write_bytes(pax + thin + numbers + bytes(1024))
    assert told(tar) == f"{wanted}links"


def test_the_control_files_are_guarded_too(tmp_path: Path) -> None:
    tar = header("./odd", b"x", 2 * MIB) + records(2 * MIB) + control_tar(b"Package: x\n")
    deb = tmp_path / "x.deb"
    deb.write_bytes(make_ar({"debian-binary": b"2.0\n", "control.tar": tar}))
    with deb.open("rb") as stream, pytest.raises(PackageError, match=r"control\.tar: \./odd"):
        read_deb(stream, "x.deb", tmp_path)
