import pytest

from builder.debian.database.installed import Installed, read_installed
from builder.debian.root import Root
from builder.errors import PackageError
from builder.rootfs.file_index import FileIndex
from tests.debian.shelf import root_with, status

_STATUS = "var/lib/dpkg/status"


def _read_status(content: bytes) -> Installed:
    return read_installed(Root(contents={_STATUS: content}), "amd64")


def test_a_root_without_a_database() -> None:
    assert read_installed(Root(), "amd64") == Installed()


def test_status() -> None:
    content = status("a 1", "b 2\nProvides: v (= 3), w")
    found = _read_status(content)
    assert {name: one.version for name, one in found.packages.items()} == {"a": "1", "b": "2"}
    assert [one.name for one in found.providers("v")] == ["b"]
    assert not found.providers("b")
    assert (found.kind, found.status) == ("status", content)


def test_an_empty_status_is_a_database_too() -> None:
    assert _read_status(b"").kind == "status"


def test_what_was_removed_is_not_there() -> None:
    removed = status("a", state="deinstall ok config-files")
    absent = status("b", state="unknown ok not-installed")
    found = _read_status(b"\n".join([removed, absent, status("c")]))
    assert set(found.packages) == {"c"}


@pytest.mark.parametrize("state", ["deinstall ok installed", "install ok triggers-pending"])
def test_what_works_is_there(state: str) -> None:
    assert set(_read_status(status("a", state=state)).packages) == {"a"}


def test_held() -> None:
    found = _read_status(b"\n".join([status("a", state="hold ok installed"), status("b")]))
    assert set(found.packages) == {"a", "b"}
    assert found.held == frozenset({"a"})


@pytest.mark.parametrize(
    "state", ["install ok half-installed", "install ok unpacked", "install reinstreq installed"]
)
def test_what_is_half_installed_is_refused(state: str) -> None:
    with pytest.raises(PackageError, match=f"a in the base image is '{state}'"):
        _read_status(status("a", state=state))


def test_other_architectures_are_kept_apart() -> None:
    found = root_with("a 1", "a 1\nArchitecture: i386", "b\nArchitecture: all")
    assert {one.architecture for one in found.packages.values()} == {"amd64", "all"}
    assert [str(one.architecture) for one in found.foreign] == ["i386"]


def test_the_same_package_twice_is_refused() -> None:
    with pytest.raises(PackageError, match="a is installed twice"):
        root_with("a 1", "a 2")


def test_status_d_has_a_file_for_each_package() -> None:
    directory = "var/lib/dpkg/status.d"
    paragraph = b"Package: base-files\nVersion: 12\nArchitecture: amd64\nDescription: x\n y\n .\n"
    contents = {f"{directory}/base": paragraph, f"{directory}/base.md5sums": b"0 usr/x\n"}
    found = read_installed(Root(contents=contents), "amd64")
    assert set(found.packages) == {"base-files"}
    assert (found.kind, found.status) == ("status.d", b"")


def test_links_in_the_root_are_followed() -> None:
    files = FileIndex(directories={}, symlinks={"var/lib/dpkg": "../../usr/lib/db"}, files={})
    root = Root(files=files, contents={"usr/lib/db/status": status("a")})
    assert set(read_installed(root, "amd64").packages) == {"a"}


@pytest.mark.parametrize(
    "content",
    [
        b"Version: 1\nArchitecture: amd64\n",
        b"Package: a\nStatus: ok\nVersion: 1\nArchitecture: amd64\n",
        b"Package: a\nStatus: install ok installed\nArchitecture: amd64\n",
        b"Package: a\xff\n",
    ],
)
def test_a_damaged_list_is_refused(content: bytes) -> None:
    with pytest.raises(PackageError, match=f"^/{_STATUS}: "):
        _read_status(content)
