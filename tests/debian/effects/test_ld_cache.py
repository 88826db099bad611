import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.debian.effects.ld_cache import update_ld_cache
from builder.debian.effects.ld_format import Library, decode, encode, sort_key
from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.root import Root
from builder.errors import PackageError
from tests.debian.effects.mutable_roots import of_directory
from tests.debian.roots import a_root

_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
_TRIPLET = f"{platform.machine()}-linux-gnu"
_LIBC = next(Path("/usr/lib").glob("*-linux-gnu/libc.so.6")).parent
_LDCONFIG = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
_LIBRARIES = sorted(path for path in _LIBC.glob("lib*.so.*") if not path.is_symlink())[:40]


def libc_version() -> str:
    cache = decode(Path("/etc/ld.so.cache").read_bytes())
    return cache.generator.partition("GLIBC ")[2].partition(")")[0]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root whose libraries lie in several directories, some without a link."""
    root = tmp_path / "root"
    for directory in (f"usr/lib/{_TRIPLET}", "usr/local/lib", "opt/own/lib", "etc/ld.so.conf.d"):
        (root / directory).mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    (root / "var/cache/ldconfig").mkdir(parents=True)
    for index, library in enumerate(_LIBRARIES):
        name = ("usr/local/lib", "opt/own/lib", f"usr/lib/{_TRIPLET}")[index % 3]
        shutil.copy(library, root / name / library.name)
    first = _LIBRARIES[2]
    (root / f"usr/lib/{_TRIPLET}" / f"{first.name.partition('.so')[0]}.so").symlink_to(first.name)
    (root / f"usr/lib/{_TRIPLET}/libnothing.so").write_text("INPUT(libc.so.6)")
    (root / "usr/local/lib/libdangling.so.1").symlink_to("libgone.so.1")
    (root / "etc/ld.so.conf").write_text("include /etc/ld.so.conf.d/*.conf\n")
    (root / "etc/ld.so.conf.d/b.conf").write_text("# own\n/opt/own/lib/  # here\n")
    (root / "etc/ld.so.conf.d/a.conf").write_text("/usr/local/lib\n/not/there\n")
    (root / "etc/ld.so.conf.d/c.conf.off").write_text("/usr/lib\n")
    return root


def composed(tree: Path) -> MutableRoot:
    files = of_directory(tree)
    update_ld_cache(files, architecture=_ARCHITECTURE, libc=libc_version())
    return files


@pytest.mark.skipif(not _LDCONFIG, reason="no ldconfig here")
def test_the_cache_is_the_one_that_ldconfig_writes(tree: Path) -> None:
    files = composed(tree)
    subprocess.run([str(_LDCONFIG), "-X", "-r", tree], check=True, capture_output=True)
    without_links = of_directory(tree)
    real = (tree / "etc/ld.so.cache").read_bytes()
    ours = files.read("etc/ld.so.cache")
    assert ours
    assert decode(ours).libraries == decode(real).libraries
    assert ours == real
    assert without_links.read("etc/ld.so.cache") == real


@pytest.mark.skipif(not _LDCONFIG, reason="no ldconfig here")
def test_the_links_are_those_that_ldconfig_makes(tree: Path) -> None:
    files = composed(tree)
    subprocess.run([str(_LDCONFIG), "-r", tree], check=True, capture_output=True)
    real = {str(p.relative_to(tree)) for p in tree.rglob("lib*.so*") if p.is_symlink()}
    ours = {path for path in files.files.symlinks if ".so" in path}
    assert ours - {"usr/local/lib/libdangling.so.1"} == real
    assert {path: files.target(path) for path in real} == {
        path: str((tree / path).readlink()) for path in real
    }


@pytest.mark.skipif(not _LDCONFIG, reason="no ldconfig here")
def test_ldconfig_reads_our_cache(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.write_bytes(composed(tree).read("etc/ld.so.cache") or b"")
    shown = subprocess.run(
        [str(_LDCONFIG), "-C", cache, "-p"], check=True, capture_output=True, text=True
    )
    lines = [line.split(" (")[0].strip() for line in shown.stdout.splitlines()[1:]]
    expected = [one.soname for one in decode(cache.read_bytes()).libraries]
    assert [line for line in lines if not line.startswith("Cache generated")] == expected


def test_a_base_s_libraries_stay_as_long_as_their_files_do(tree: Path) -> None:
    before = [
        Library(soname="libbase.so.1", path=f"/usr/lib/{_TRIPLET}/libbase.so.1", flags=0x303),
        Library(soname="libgone.so.1", path=f"/usr/lib/{_TRIPLET}/libgone.so.1", flags=0x303),
    ]
    root = a_root(
        files={
            "etc/ld.so.cache": encode(before, generator="ldconfig (base)"),
            f"usr/lib/{_TRIPLET}/libbase.so.1": b"",
        }
    )
    files = MutableRoot(root, dict(of_directory(tree).packed))
    update_ld_cache(files, architecture=_ARCHITECTURE, libc=None)
    cache = decode(files.read("etc/ld.so.cache") or b"")
    sonames = [one.soname for one in cache.libraries]
    assert cache.generator == "ldconfig (base)"
    assert "libbase.so.1" in sonames
    assert "libgone.so.1" not in sonames
    assert sonames == sorted(sonames, key=sort_key, reverse=True)


def test_where_nothing_is_new_nothing_is_written() -> None:
    library = Library(soname="libx.so.1", path="/usr/lib/libx.so.1", flags=0x303)
    data = encode([library], generator="g")
    files = MutableRoot(a_root(files={"etc/ld.so.cache": data, "usr/lib/libx.so.1": b""}), {})
    update_ld_cache(files, architecture="amd64", libc=None)
    assert files.added == ()


def test_a_root_without_libraries_gets_no_cache() -> None:
    files = MutableRoot(Root(), {})
    update_ld_cache(files, architecture="amd64", libc=None)
    assert files.added == ()


def damages(data: bytes) -> Iterator[bytes]:
    yield b""
    yield b"glibc"
    yield data[:60]
    yield data.replace(b"cache1.1", b"cache1.2")
    yield data[:48] + b"\xff" * 40 + data[88:]


def test_a_damaged_cache_is_refused() -> None:
    library = Library(soname="libx.so.1", path="/usr/lib/libx.so.1", flags=0x303)
    for damaged in damages(encode([library] * 3, generator="g")):
        with pytest.raises(PackageError, match=r"/etc/ld\.so\.cache of the base cannot be read"):
            decode(damaged)


def test_a_cache_behind_one_of_the_old_format_is_read() -> None:
    library = Library(soname="libx.so.1", path="/usr/lib/libx.so.1", flags=0x303)
    data = encode([library], generator="g")
    assert decode(b"ld.so-1.7.0" + bytes(21) + data).libraries == (library,)


@pytest.mark.parametrize("little_endian", [True, False])
def test_what_is_written_is_read_again(little_endian: bool) -> None:  # noqa: FBT001
    libraries = [
        Library(soname=f"lib{name}.so.{n}", path=f"/usr/lib/lib{name}.so.{n}", flags=0x403)
        for name in ("b", "a")
        for n in (10, 9)
    ]
    cache = decode(encode(libraries, generator="g", little_endian=little_endian))
    assert cache.generator == "g"
    assert [one.soname for one in cache.libraries] == [
        "libb.so.10",
        "libb.so.9",
        "liba.so.10",
        "liba.so.9",
    ]
