import lzma
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.errors import PackageError
from tests.debian.debs import (
    Member,
    control_tar,
    data_tar,
    directory,
    file,
    hard_link,
    make_ar,
    make_deb,
    symlink,
)
from tests.debian.reading import CONTROL, content, parts, read, refusal


@pytest.mark.parametrize("compression", ["xz", "zst", "gz"])
def test_a_member_that_grows_beyond_measure_is_refused(compression: str, tmp_path: Path) -> None:
    packed = _zeros(compression, 72 << 20)
    deb = parts(data=packed, suffix=f".{compression}")
    told = refusal(deb, tmp_path)
    limit = max(64 << 20, 1000 * len(packed))
    assert told == (
        f"test_1.0.deb: data.tar.{compression} has {len(packed)} bytes and grows beyond {limit} "
        f"when it is unpacked; no honest package does"
    )


def _zeros(compression: str, size: int) -> bytes:
    chunk = bytes(1 << 20)
    if compression == "gz":
        gz = zlib.compressobj(9, wbits=31)
        return b"".join(gz.compress(chunk) for _ in range(size >> 20)) + gz.flush()
    frame = lzma.LZMACompressor(preset=0) if compression == "xz" else zstd.ZstdCompressor()
    return b"".join(frame.compress(chunk) for _ in range(size >> 20)) + frame.flush()


def test_a_control_tar_that_grows_is_refused(tmp_path: Path) -> None:
    tar = control_tar(CONTROL, {"templates": bytes(65 << 20)})
    packed = {"control.tar.xz": lzma.compress(tar, preset=0)}
    told = refusal(make_ar({"debian-binary": b"2.0\n", **packed}), tmp_path)
    assert "control.tar.xz has" in told
    assert "grows beyond 67108864 when it is unpacked" in told


def test_a_header_that_asks_for_gigabytes_is_refused(tmp_path: Path) -> None:
    greedy = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    packed = lzma.compress(data_tar([file("a")]), filters=greedy)
    told = refusal(parts(data=packed, suffix=".xz"), tmp_path)
    assert told == "test_1.0.deb: data.tar.xz cannot be decompressed: Memory usage limit exceeded"


@pytest.mark.parametrize("compression", ["xz", "gz", "zst", "none"])
def test_every_cut_is_refused(compression: str, tmp_path: Path) -> None:
    whole = make_deb({}, [file("a", b"some content")], compression=compression)
    for end in {*range(0, len(whole) - 1, 211), *range(70), len(whole) - 2}:
        assert refusal(whole[:end], tmp_path).startswith("test_1.0.deb: ")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(data=st.data())
@pytest.mark.parametrize("compression", ["xz", "gz", "zst", "none"])
def test_damage_is_refused_or_does_no_harm(
    compression: str, data: st.DataObject, tmp_path: Path
) -> None:
    damaged = bytearray(WHOLE[compression])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        deb = read(bytes(damaged), tmp_path)
    except PackageError:
        return
    for member in deb.files:
        assert not member.path.startswith(("/", ".."))
        if member.content:
            assert len(content(member)) == member.size


WHOLE = {
    compression: make_deb(
        {},
        [
            file("usr/bin/a", b"some content"),
            hard_link("usr/bin/b", "./usr/bin/a"),
            symlink("usr/bin/c", "a"),
            file(f"usr/{'x' * 120}", b"long"),
        ],
        compression=compression,
    )
    for compression in ("xz", "gz", "zst", "none")
}


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst"])
def test_a_wrong_name_for_the_compression_is_refused(suffix: str, tmp_path: Path) -> None:
    others = {".xz": zlib.compress(b"", wbits=31), ".gz": lzma.compress(b""), ".zst": b"plain text"}
    told = refusal(parts(data=others[suffix], suffix=suffix), tmp_path)
    assert told.startswith(f"test_1.0.deb: data.tar{suffix} cannot be decompressed: ")


@pytest.mark.parametrize("suffix", [".bz2", ".lzma", ".xz.xz", ".Z"])
def test_other_compressions_are_refused(suffix: str, tmp_path: Path) -> None:
    told = refusal(parts(data=b"", suffix=suffix), tmp_path)
    assert told == (
        f"test_1.0.deb: data.tar{suffix} is compressed in a way that is not supported; "
        f"expected .xz, .zst, .gz or nothing"
    )


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst"])
def test_what_stands_behind_compressed_bytes_is_refused(suffix: str, tmp_path: Path) -> None:
    packed = packers()[suffix](data_tar([file("a")]))
    told = refusal(parts(data=packed + b"more", suffix=suffix), tmp_path)
    assert told.startswith(f"test_1.0.deb: data.tar{suffix} cannot be decompressed: ")


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst"])
def test_several_compressed_streams_are_one(suffix: str, tmp_path: Path) -> None:
    tar = data_tar([file("a", bytes(1000))])
    pack = packers()[suffix]
    deb = read(parts(data=pack(tar[:700]) + pack(tar[700:]), suffix=suffix), tmp_path)
    assert content(deb.files[0]) == bytes(1000)


def packers() -> Mapping[str, Callable[[bytes], bytes]]:
    return {
        ".xz": lzma.compress,
        ".gz": lambda data: zlib.compress(data, wbits=31),
        ".zst": zstd.compress,
    }


GOOD = {"debian-binary": b"2.0\n", "control.tar": control_tar(CONTROL), "data.tar": data_tar([])}


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({}, "ends without debian-binary"),
        ({"debian-binary": b"2.0\n"}, "ends without control.tar"),
        (
            {name: GOOD[name] for name in ("debian-binary", "control.tar")},
            "ends without data.tar",
        ),
        (
            {name: GOOD[name] for name in ("control.tar", "data.tar")},
            "begins with control.tar b''; expected debian-binary 2.0",
        ),
        (
            {**GOOD, "debian-binary": b"3.0\n"},
            "begins with debian-binary b'3.0\\n'; expected debian-binary 2.0",
        ),
        (
            {name: GOOD[name] for name in ("debian-binary", "data.tar", "control.tar")},
            "data.tar comes twice, or in the wrong place",
        ),
        ({**GOOD, "data.tar.gz": b""}, "data.tar.gz comes twice, or in the wrong place"),
        (
            {"debian-binary": b"2.0\n", "other": b"", **GOOD},
            "other stands where control.tar should",
        ),
    ],
)
def test_parts_in_disorder_are_refused(
    members: Mapping[str, bytes], told: str, tmp_path: Path
) -> None:
    assert refusal(make_ar(members), tmp_path) == f"test_1.0.deb: {told}"


def test_what_later_formats_may_add_is_passed_over(tmp_path: Path) -> None:
    members = {
        "debian-binary": b"2.1\n",
        "_gpgorigin": b"signature",
        "control.tar": GOOD["control.tar"],
        "_more": b"odd",
        "data.tar/": GOOD["data.tar"],
        "later": b"x",
    }
    assert read(make_ar(members), tmp_path).name == "test"


@pytest.mark.parametrize("more", [b"x", b"garbage", b"x" * 60, b"\0" * 61])
def test_what_stands_behind_the_archive_is_refused(more: bytes, tmp_path: Path) -> None:
    told = refusal(make_deb({}) + more, tmp_path)
    assert told == f"test_1.0.deb: an ar header cannot be read: {more[:60]!r}"


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    told = refusal(b"<html>not found</html>", tmp_path)
    assert told == "test_1.0.deb: begins with b'<html>no', expected the ar header b'!<arch>\\n'"


@pytest.mark.parametrize(
    ("tar", "told"),
    [
        (b"", "cannot be read: empty file"),
        (b"x" * 512, "cannot be read: "),
        (data_tar([file("a")])[:512], "has no end marker at byte 512"),
        (data_tar([file("a", b"x" * 600)])[:1500], "cannot be read: unexpected end of data"),
        (data_tar([file("a")])[:1024] + b"x" * 512 + bytes(1024), "has no end marker at byte 1024"),
        (data_tar([file("a")]) + b"x", "has no end marker at byte 1024"),
    ],
)
def test_a_damaged_tar_is_refused(tar: bytes, told: str, tmp_path: Path) -> None:
    assert refusal(parts(data=tar), tmp_path).startswith(f"test_1.0.deb: data.tar {told}")


def test_a_size_that_leads_back_is_refused(tmp_path: Path) -> None:
    tar = bytearray(data_tar([file("a"), file("b")]))
    # Base 256, minus 1024: Python's library would read these two members for ever.
    tar[1024 + 124 : 1024 + 136] = (-1024).to_bytes(12, "big", signed=True)
    tar[1024 + 148 : 1024 + 156] = b" " * 8
    tar[1024 + 148 : 1024 + 156] = b"%06o\0 " % sum(tar[1024:1536])
    told = refusal(parts(data=bytes(tar)), tmp_path)
    assert told == "test_1.0.deb: data.tar: ./b: its size is -1024"


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ([file("control", CONTROL), directory("sub")], "sub is a directory"),
        ([file("control", CONTROL), symlink("postinst", "/bin/sh")], "postinst is a symbolic link"),
        ([directory("sub"), file("sub/x", b"")], "sub is a directory"),
        ([file("control", CONTROL), file("post inst", b"")], "post inst is a file"),
    ],
)
def test_control_files_are_files(members: Sequence[Member], told: str, tmp_path: Path) -> None:
    assert refusal(parts(control=data_tar(members)), tmp_path) == (
        f"test_1.0.deb: control.tar: {told}; expected files only, with names as postinst has"
    )


@pytest.mark.parametrize(
    ("control", "told"),
    [
        (b"", "the line ''"),
        (b"Package: x\nVersion\n", "the line 'Version'"),
        (b" Package: x\n", "the line ' Package: x'"),
        (CONTROL + b"Package: other\n", "the line 'Package: other'"),
        (CONTROL + b"\nPackage: other\n", "the line ''"),
        (CONTROL + b"Description: x\n \nPackage: other\n", "the line ' '"),
    ],
)
def test_a_paragraph_must_be_one(control: bytes, told: str, tmp_path: Path) -> None:
    found = refusal(parts(control=control_tar(control)), tmp_path)
    assert found == f"test_1.0.deb: its control file has {told}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Package", "../../../etc/cron.d/x"),
        ("Package", ".."),
        ("Package", ""),
        ("Version", "1/2"),
        ("Architecture", "../x"),
    ],
)
def test_names_that_would_leave_the_database_are_refused(
    field: str, value: str, tmp_path: Path
) -> None:
    deb = make_deb({field: value})
    told = refusal(deb, tmp_path)
    assert told == f"test_1.0.deb: its control file says {field}: {value!r}"


def test_only_shipped_configuration_counts(tmp_path: Path) -> None:
    deb = read(
        make_deb({}, conffiles=["/etc/a", "remove-on-upgrade /etc/old", "/etc/b "]), tmp_path
    )
    assert deb.conffiles == ("etc/a", "etc/b")
