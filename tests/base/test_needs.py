import re
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.base.cpython import Needs
from builder.base.needs import check_glibc, likely_package, search, sonames
from builder.debian.archive.package_index import ArchiveIndex, PackagesFile
from builder.errors import BaseError

_FIELDS = "Architecture: amd64\nFilename: pool/x.deb\nSize: 1\nSHA256: " + "0" * 64


def _index(*packages: str) -> ArchiveIndex:
    """Packages by name; ``name!priority`` has a priority."""
    text = ""
    for package in packages:
        name, _, priority = package.partition("!")
        text += f"Package: {name}\nVersion: 1-1\n{_FIELDS}\n"
        text += f"Priority: {priority}\n\n" if priority else "\n"
    file = PackagesFile(data=text.encode(), place="here", suite="bookworm", priority=500)
    return ArchiveIndex([file], "amd64")


class _Contents:
    def __init__(self, **packages: list[str]) -> None:
        self.packages = {name.replace("_", "."): found for name, found in packages.items()}

    def contents_of(self, names: Collection[str]) -> dict[str, list[str]]:
        return {name: found for name, found in self.packages.items() if name in names}


@pytest.mark.parametrize(
    ("soname", "package"),
    [
        ("libssl.so.3", "libssl3"),
        ("libbz2.so.1.0", "libbz2-1.0"),
        ("libsqlite3.so.0", "libsqlite3-0"),
        ("libuuid.so.1", "libuuid1"),
        ("libgdbm_compat.so.4", "libgdbm-compat4"),
        ("libdb-5.3.so", "libdb5.3"),
        ("libGL.so.1", "libgl1"),
    ],
)
def test_a_library_is_expected_in_the_package_named_after_it(soname: str, package: str) -> None:
    assert likely_package(soname, _index(package, "other")) == package
    assert likely_package(soname, _index("other")) is None


def test_renamed_packages_are_found() -> None:
    assert likely_package("libssl.so.3", _index("libssl3t64")) == "libssl3t64"


@given(st.text())
def test_any_name_is_answered(soname: str) -> None:
    assert likely_package(soname, _index("libssl3")) in {None, "libssl3"}


def test_each_library_is_named_once_in_order() -> None:
    needs = {
        "a": Needs(sonames=("libz.so.1", "libc.so.6"), glibc=(2, 2)),
        "b": Needs(sonames=("libc.so.6",), glibc=(2, 2)),
    }
    assert sonames(needs) == ["libc.so.6", "libz.so.1"]


def test_of_several_packages_the_most_ordinary_is_taken() -> None:
    index = _index("firefox!optional", "libnspr4!optional", "libc6!required")
    contents = _Contents(libm_so_6=["firefox", "libc6", "gone"], libn_so=["firefox", "libnspr4"])
    missing = {"libm.so.6": "a", "libn.so": "b"}
    found = search(missing, contents, index, "3.12.1")
    assert found == {"libm.so.6": "libc6", "libn.so": "firefox"}


def test_a_library_that_no_package_has_is_told_with_who_needs_it() -> None:
    told = "/usr/local/lib/_ssl.so of Python 3.12.1 needs libssl.so.1.1, and no package"
    with pytest.raises(BaseError, match=re.escape(told)) as refused:
        search(
            {"libssl.so.1.1": "usr/local/lib/_ssl.so"},
            _Contents(libssl_so_1_1=["gone"]),
            _index("libssl3"),
            "3.12.1",
        )
    assert refused.value.hint
    assert "uv python install 3.12" in refused.value.hint


def test_a_python_built_on_a_newer_system_is_refused_by_the_file_that_shows_it() -> None:
    needs = {
        "usr/local/bin/python3.12": Needs(sonames=(), glibc=(2, 34)),
        "usr/local/lib/_x.so": Needs(sonames=(), glibc=(2, 38)),
    }
    check_glibc(needs, (2, 38), "3.12.1")
    with pytest.raises(BaseError, match=re.escape("/usr/local/lib/_x.so of Python 3.12.1 needs")):
        check_glibc(needs, (2, 36), "3.12.1")
