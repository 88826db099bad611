import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from builder.debian.unpack.deb import read_deb
from layers.entries import Owner
from tests.debian.debs import (
    Member,
    directory,
    file,
    hard_link,
    make_deb,
    symlink,
)
from tests.debian.reading import content, parts, read, refusal


@pytest.mark.parametrize("compression", ["xz", "gz", "zst", "none"])
def test_a_package_is_read(compression: str, tmp_path: Path) -> None:
    deb = read(
        make_deb(
            {"Package": "hello", "Depends": "libc6 (>= 2.36),\n libx (= 1)"},
            [
                file("usr/bin/hello", b"#!/bin/sh\n", mode=0o4755),
                file("usr/bin/nothing", b""),
                file("etc/hello.conf", b"x"),
                symlink("usr/bin/hi", "/usr/bin/hello"),
                hard_link("usr/bin/hey", "./usr/bin/hello"),
                directory("var/lib/hello", mode=0o2770),
            ],
            scripts={"postinst": "#!/bin/sh\nexit 0\n"},
            conffiles=["/etc/hello.conf"],
            compression=compression,
        ),
        tmp_path,
    )
    assert (deb.name, deb.version, deb.architecture) == ("hello", "1.0-1", "amd64")
    assert str(deb) == "hello 1.0-1 amd64"
    assert deb.control["Depends"] == "libc6 (>= 2.36),\n libx (= 1)"
    assert deb.members.keys() == {"postinst", "conffiles", "md5sums"}
    assert deb.members["postinst"] == b"#!/bin/sh\nexit 0\n"
    assert deb.conffiles == ("etc/hello.conf",)
    found = {member.path: member for member in deb.files}
    assert list(found)[:4] == ["usr", "usr/bin", "usr/bin/hello", "usr/bin/nothing"]
    assert (found["usr/bin/hello"].mode, found["usr/bin/hello"].size) == (0o4755, 10)
    assert content(found["usr/bin/hello"]) == b"#!/bin/sh\n"
    assert content(found["usr/bin/nothing"]) == b""
    assert (found["usr/bin/hi"].kind, found["usr/bin/hi"].target) == (
        "symbolic link",
        "/usr/bin/hello",
    )
    assert (found["usr/bin/hey"].kind, found["usr/bin/hey"].target) == (
        "hard link",
        "usr/bin/hello",
    )
    assert (found["var/lib/hello"].kind, found["var/lib/hello"].mode) == ("directory", 0o2770)


def test_content_is_a_seekable_part_of_one_file(tmp_path: Path) -> None:
    deb = read(make_deb({}, [file("a", b"first"), file("b", b"0123456789")]), tmp_path)
    [one, two] = deb.files
    assert one.content is not None
    assert two.content is not None
    with two.content.open() as stream:
        assert stream.read(3) == b"012"
        assert stream.seek(-2, io.SEEK_END) == 8
        assert stream.read(100) == b"89"
        assert stream.seek(4) == 4
        assert stream.read() == b"456789"
        assert stream.read() == b""
    assert content(one) == b"first"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["data.tar"]


def test_owners_are_kept_by_number_and_by_name(tmp_path: Path) -> None:
    member = Member(path="var/mail", uid=8, gid=3_000_000, user="mail", group="m")
    [_, found] = read(make_deb({}, [member]), tmp_path).files
    assert (found.owner, found.user, found.group) == (Owner(8, 3_000_000), "mail", "m")


@pytest.mark.parametrize(
    "path",
    [
        f"usr/{'x' * 120}",
        f"{'d' * 90}/{'e' * 90}/{'f' * 90}/g",
        "caf\xe9",
        "caf\udce9",
        "b\\slash",
        " ",
    ],
)
@pytest.mark.parametrize("pax", [False, True])
def test_odd_names_are_kept(path: str, pax: bool, tmp_path: Path) -> None:  # noqa: FBT001
    member = Member(path=path, data=b"x", pax={"comment": "x"} if pax else {})
    deb = read(make_deb({}, [member], scripts={"md5sums": b""}), tmp_path)
    assert deb.files[-1].path == path
    assert content(deb.files[-1]) == b"x"


def test_a_stream_need_not_give_all_at_once(tmp_path: Path) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(7, size) if size is not None and size > 0 else 7)

    deb = read_deb(Slow(make_deb({}, [file("a", bytes(5000))])), "x", tmp_path)
    assert content(deb.files[0]) == bytes(5000)


def device(path: str, kind: bytes) -> Member:
    return Member(path=path, kind=kind)


HOSTILE = {
    "climbing": (file("../etc/passwd"), "path '../etc/passwd' leaves the image root"),
    "climbing-later": (
        file("./usr/../../etc/passwd"),
        "not a path inside an image: 'usr/../../etc/passwd'; expected e.g. 'app/src/main.py'",
    ),
    "absolute": (
        file("/etc/passwd"),
        "not a path inside an image: '/etc/passwd'; expected e.g. 'app/src/main.py'",
    ),
    "whiteout": (
        file("etc/.wh.passwd"),
        "path 'etc/.wh.passwd': names that start with '.wh.' mean deletion in a layer",
    ),
    "newline": (file("x\nusr"), "path 'x\\nusr' has a newline"),
    "long-name": (file("x" * 256), f"path '{'x' * 256}' has a name of more than 255 bytes"),
    "block-device": (
        device("dev/sda", tarfile.BLKTYPE),
        "/dev/sda is a block device; a package may ship files, directories and links",
    ),
    "character-device": (
        device("dev/null", tarfile.CHRTYPE),
        "/dev/null is a character device; a package may ship files, directories and links",
    ),
    "pipe": (
        device("run/x", tarfile.FIFOTYPE),
        "/run/x is a named pipe; a package may ship files, directories and links",
    ),
    "unknown-type": (
        device("x", b"Z"),
        "/x is of the unknown type b'Z'; a package may ship files, directories and links",
    ),
    "sparse": (
        Member(path="x", pax={"GNU.sparse.size": "9", "GNU.sparse.map": "0,1"}, data=b"x"),
        "/x is a sparse file; a package may ship files, directories and links",
    ),
    "hard-link-outside": (
        hard_link("x", "/etc/shadow"),
        "/x is a hard link to /etc/shadow, which is no file before it in the package",
    ),
    "hard-link-to-itself": (
        hard_link("x", "./x"),
        "/x is a hard link to x, which is no file before it in the package",
    ),
    "link-that-climbs": (
        symlink("usr/x", "../../etc"),
        "symbolic link usr/x -> ../../etc leaves the image root",
    ),
    "link-to-nothing": (
        symlink("x", ""),
        "symbolic link x: its target is empty or holds a NUL",
    ),
    "owner": (
        Member(path="x", uid=2**33),
        "owner 8589934592:0: expected numbers from 0 to 4294967294",
    ),
}


@pytest.mark.parametrize(("member", "told"), HOSTILE.values(), ids=HOSTILE)
def test_a_member_that_no_package_may_ship_is_refused(
    member: Member, told: str, tmp_path: Path
) -> None:
    deb = make_deb({}, [file("good"), member], scripts={"md5sums": b""})
    assert refusal(deb, tmp_path) == f"test_1.0.deb: data.tar.xz: {told}"


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (
            [symlink("evil", "/etc"), file("evil/passwd", b"x")],
            "/evil/passwd lies below /evil, which is a symbolic link",
        ),
        ([file("a"), file("a/b")], "/a/b lies below /a, which is a file"),
        ([file("a"), file("a")], "/a comes twice"),
        ([file("a"), symlink("a", "/etc/passwd")], "/a comes twice"),
        ([directory("a"), symlink("a", "/etc")], "/a comes twice"),
        ([hard_link("a", "b"), file("b")], "/a is a hard link to b, which is no file before it"),
        ([symlink("b", "/etc/shadow"), hard_link("a", "b")], "/a is a hard link to b, which is no"),
    ],
)
def test_members_that_do_not_go_together_are_refused(
    members: Sequence[Member], told: str, tmp_path: Path
) -> None:
    deb = parts(data=_exactly(members))
    assert refusal(deb, tmp_path).startswith(f"test_1.0.deb: data.tar: {told}")


def _exactly(members: Sequence[Member]) -> bytes:
    """Without the directories that the members would need."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for member in members:
            info = tarfile.TarInfo(f"./{member.path}")
            info.type, info.linkname, info.size = member.kind, member.link, len(member.data)
            tar.addfile(info, io.BytesIO(member.data))
    return out.getvalue()


def test_a_directory_may_be_said_twice(tmp_path: Path) -> None:
    deb = read(make_deb({}, [directory("a", mode=0o700), directory("a")]), tmp_path)
    assert [(m.path, m.mode) for m in deb.files] == [("a", 0o700)]
