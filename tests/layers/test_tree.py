import io
import json
import os
import random
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from layers.entries import DirEntry, FileEntry, SymlinkEntry
from layers.errors import ContentError
from layers.ignore import IgnoreRules
from layers.tar import complete, write_tar
from layers.tree import fingerprint, walk
from tests.layers.trees import APP, listing, make
from tests.nobody import as_nobody

HINT = "an image holds no sockets, pipes or devices; exclude it in .dockerignore"


def test_a_tree_is_listed_by_name_with_directories_before_their_content(tmp_path: Path) -> None:
    make(tmp_path, "b.py", "a/z", "a/b/c", "a.py", "a-b/c", "empty/", "Z")
    (tmp_path / "link").symlink_to("a/z")
    assert listing(tmp_path) == [
        "x/ 755",
        "x/Z 644 1",
        "x/a/ 755",
        "x/a/b/ 755",
        "x/a/b/c 644 5",
        "x/a/z 644 3",
        "x/a-b/ 755",
        "x/a-b/c 644 5",
        "x/a.py 644 4",
        "x/b.py 644 4",
        "x/empty/ 755",
        "x/link -> a/z",
    ]


def test_everything_belongs_to_the_owner_that_was_asked_for(tmp_path: Path) -> None:
    make(tmp_path, "a/b")
    (tmp_path / "link").symlink_to("a")
    entries = walk(tmp_path, at="x", owner=APP)
    owners = [e.owner for e in entries if isinstance(e, FileEntry | DirEntry | SymlinkEntry)]
    assert owners == [APP] * 4


def test_the_order_in_which_files_were_made_does_not_matter(tmp_path: Path) -> None:
    names = [f"{directory}/{name}" for directory in "abc" for name in map(str, range(40))]
    shuffled = random.Random(7).sample(names, len(names))  # noqa: S311
    one = make(tmp_path / "one", *names)
    two = make(tmp_path / "two", *shuffled)
    assert listing(one) == listing(two)
    assert fingerprint(walk(one, at="x")) == fingerprint(walk(two, at="x"))


@pytest.mark.parametrize(
    ("mode", "normal"),
    [
        (0o600, 0o644),
        (0o644, 0o644),
        (0o666, 0o644),
        (0o400, 0o644),
        (0o677, 0o644),
        (0o711, 0o755),
        (0o755, 0o755),
        (0o777, 0o755),
        (0o100, 0o755),
        (0o4755, 0o755),
        (0o6711, 0o755),
        (0o4644, 0o644),
    ],
)
def test_the_executable_bit_of_the_owner_decides_a_mode(
    mode: int, normal: int, tmp_path: Path
) -> None:
    path = make(tmp_path, "file") / "file"
    path.chmod(mode)
    [entry] = walk(path, at="x")
    assert isinstance(entry, FileEntry)
    assert entry.mode == normal


@pytest.mark.parametrize("mode", [0o700, 0o777, 0o1777, 0o2755])
def test_directories_are_open_to_all(mode: int, tmp_path: Path) -> None:
    make(tmp_path, "sub/").joinpath("sub").chmod(mode)
    assert listing(tmp_path) == ["x/ 755", "x/sub/ 755"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_umask_does_not_matter(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        make(tmp_path, "a/b")
        assert listing(tmp_path) == ["x/ 755", "x/a/ 755", "x/a/b 644 3"]
    finally:
        os.umask(before)


def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    make(tmp_path, "a").joinpath("b").hardlink_to(tmp_path / "a")
    out = tmp_path / "out"
    with out.open("wb") as file:
        write_tar(complete(walk(tmp_path, at="x", rules=IgnoreRules.parse("out")), {}), file)
    told = subprocess.run(["tar", "-tvf", out], capture_output=True, text=True, check=True)
    assert [line[0] for line in told.stdout.splitlines()] == ["d", "-", "-"]


def test_holes_are_zeros(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(3_000_000)
        file.seek(2_000_000)
        file.write(b"x")
    [entry] = walk(path, at="x")
    assert isinstance(entry, FileEntry)
    with entry.content.open() as stream:
        data = stream.read()
    assert (entry.size, data) == (3_000_000, bytes(2_000_000) + b"x" + bytes(999_999))


def test_a_link_is_taken_as_a_link_and_never_followed(tmp_path: Path) -> None:
    make(tmp_path, "outside/secret", "tree/")
    tree = tmp_path / "tree"
    (tree / "absolute").symlink_to(tmp_path / "outside")
    (tree / "file").symlink_to("/etc/passwd")
    (tree / "nowhere").symlink_to("missing")
    (tree / "loop").symlink_to("loop")
    assert listing(tree) == [
        "x/ 755",
        f"x/absolute -> {tmp_path}/outside",
        "x/file -> /etc/passwd",
        "x/loop -> loop",
        "x/nowhere -> missing",
    ]


def test_a_root_that_is_a_link_is_taken_as_a_link(tmp_path: Path) -> None:
    make(tmp_path, "tree/file")
    link = tmp_path / "link"
    link.symlink_to("tree")
    assert listing(link) == ["x -> tree"]


def test_a_directory_laid_over_the_root_is_no_entry(tmp_path: Path) -> None:
    make(tmp_path, "etc/conf")
    found = [entry.path for entry in walk(tmp_path, at="")]
    assert found == ["etc", "etc/conf"]


def test_a_root_that_is_a_file_is_that_file(tmp_path: Path) -> None:
    assert listing(make(tmp_path, "file") / "file") == ["x 644 4"]


def test_a_link_that_leaves_the_image_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "a/").joinpath("a", "up").symlink_to("../../../etc")
    with pytest.raises(ContentError) as caught:
        walk(tmp_path, at="x")
    assert caught.value.message == "symbolic link x/a/up -> ../../../etc leaves the image root"
    assert caught.value.hint == "point it inside the image, or exclude it in .dockerignore"


def test_a_name_that_means_deletion_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError) as caught:
        walk(make(tmp_path, ".wh.a"), at="x")
    assert caught.value.message == (
        "path 'x/.wh.a': names that start with '.wh.' mean deletion in a layer"
    )


def bind(path: Path) -> None:
    # The name of a socket is short, a test's directory may not be.
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{short}/s")
        Path(short, "s").rename(path)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": bind,
    "device": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3)),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_file_directory_or_link_is_refused(kind: str, tmp_path: Path) -> None:
    make(tmp_path, "a/")
    path = tmp_path / "a" / "odd"
    try:
        SPECIAL[kind](path)
    except PermissionError:
        pytest.skip("only root makes devices")
    for root in (tmp_path, path):
        with pytest.raises(ContentError) as caught:
            walk(root, at="x")
        assert caught.value.message == f"{path} is not a file, directory or symbolic link"
        assert caught.value.hint == HINT
    assert listing(tmp_path, IgnoreRules.parse("a/odd")) == ["x/ 755", "x/a/ 755"]


def test_a_root_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError) as caught:
        walk(tmp_path / "missing", at="x")
    missing = tmp_path / "missing"
    assert caught.value.message == f"cannot read {missing}: No such file or directory"


def test_a_closed_directory_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "closed/file").joinpath("closed").chmod(0)
    with as_nobody(tmp_path), pytest.raises(ContentError) as caught:
        walk(tmp_path, at="x")
    assert caught.value.message == f"cannot read {tmp_path}/closed: Permission denied"


def test_a_closed_file_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = make(tmp_path, "closed") / "closed"
    path.chmod(0)
    with as_nobody(tmp_path):
        [entry] = walk(path, at="x/closed")
        with pytest.raises(ContentError) as caught:
            write_tar([entry], io.BytesIO())
        assert caught.value.message == f"/x/closed: reading {path}: Permission denied"
        with pytest.raises(ContentError) as caught:
            fingerprint([entry])
        assert caught.value.message == f"cannot read {path}: Permission denied"


NAMES = (b"caf\xe9", b"caf\xc3\xa9", b"\xff\xfe", b"new\nline", b" ", b"\\", b"a" * 255)
WALK = """
import json, sys
from pathlib import Path
from layers.tree import fingerprint, walk
entries = walk(Path(sys.argv[1]), at="x")
paths = [getattr(entry, "target", "") + entry.path for entry in entries]
print(json.dumps([paths, str(fingerprint(entries))]))
"""


def walked_elsewhere(root: Path, environ: dict[str, str], *flags: str) -> tuple[list[str], str]:
    done = subprocess.run(
        [sys.executable, *flags, "-c", WALK, root],
        env={"PYTHONPATH": str(Path(__file__).parents[2]), **environ},
        capture_output=True,
        check=True,
    )
    paths, identity = json.loads(done.stdout)
    return paths, identity


def test_names_are_bytes_whatever_the_locale_makes_of_them(tmp_path: Path) -> None:
    for name in NAMES:
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(b"")  # noqa: PTH118
    os.symlink(b"caf\xe9", os.path.join(os.fsencode(tmp_path), b"link"))  # noqa: PTH118, PTH211
    expected = [
        "x",
        "x/ ",
        "x/\\",
        f"x/{'a' * 255}",
        "x/caf\xe9",
        "x/caf\udce9",
        "caf\udce9x/link",
        "x/new\nline",
        "x/\udcff\udcfe",
    ]
    locales: Sequence[tuple[dict[str, str], Sequence[str]]] = (
        ({"LANG": "C.UTF-8"}, ()),
        ({"LC_ALL": "C"}, ()),
        ({"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, ()),
        ({"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"}, ()),
        ({"PYTHONIOENCODING": "latin-1"}, ("-X", "utf8=0")),
    )
    found = [walked_elsewhere(tmp_path, environ, *flags) for environ, flags in locales]
    assert [paths for paths, _ in found] == [expected] * len(locales)
    assert {identity for _, identity in found} == {str(fingerprint(walk(tmp_path, at="x")))}
