from pathlib import Path

import pytest

from builder.debian.unpack.documentation import is_documentation
from builder.debian.unpack.unpack import unpack
from tests.debian.debs import directory, file, symlink
from tests.debian.roots import a_deb, a_root
from tests.debian.unpack.laid import by_path, shown


@pytest.mark.parametrize(
    "path",
    [
        "usr/share/doc/foo/changelog.gz",
        "usr/share/doc/foo/examples/run.py",
        "usr/share/doc/README",
        "usr/share/man/man1/foo.1.gz",
        "usr/share/man/de/man1/foo.1.gz",
        "usr/share/info/foo.info.gz",
        "usr/share/locale/de/LC_MESSAGES/foo.mo",
        "usr/share/lintian/overrides/foo",
        "usr/share/linda/overrides/foo",
        "usr/share/omf/foo/foo-C.omf",
        "usr/share/help/C/foo/index.page",
        "usr/share/gnome/help/foo/C/foo.xml",
    ],
)
def test_these_files_stay_out(path: str) -> None:
    assert is_documentation(path, "file")
    assert is_documentation(path, "hard link")


@pytest.mark.parametrize(
    "path",
    [
        "usr/share/doc/foo/copyright",
        "usr/share/doc/foo/sub/copyright",
        "usr/share/locale/locale.alias",
        "usr/share/groff/1.22.4/tmac/an.tmac",
        "usr/share/i18n/locales/de_DE",
        "usr/share/common-licenses/GPL-3",
        "usr/share/manual/x",
        "usr/lib/locale/C.utf8/LC_CTYPE",
        "usr/lib/python3/dist-packages/doc/x",
        "opt/usr/share/doc/foo/changelog",
    ],
)
def test_these_files_come_in(path: str) -> None:
    assert not is_documentation(path, "file")


def test_a_package_without_documentation_keeps_its_licence(tmp_path: Path) -> None:
    deb = a_deb(
        tmp_path,
        "foo",
        [
            file("usr/share/doc/foo/copyright", b"licence"),
            file("usr/share/doc/foo/changelog.gz"),
            directory("usr/share/doc/foo/examples"),
            symlink("usr/share/doc/foo/NEWS", "changelog.gz"),
            file("usr/share/man/man1/foo.1.gz"),
            file("usr/bin/foo", b"x"),
        ],
    )
    unpacked = unpack([deb], a_root("usr/bin", "usr/share/doc", "usr/share/man"), docs=False)
    assert shown(by_path(unpacked)) == {
        "usr/bin/foo": "x",
        "usr/share/doc/foo": "/",
        "usr/share/doc/foo/copyright": "licence",
    }
    assert "/usr/share/man/man1/foo.1.gz" in unpacked.listed["foo"]


def test_a_documentation_directory_that_is_a_link_stays_one(tmp_path: Path) -> None:
    debs = [
        a_deb(tmp_path, "libfoo", [file("usr/share/doc/libfoo/copyright", b"licence")]),
        a_deb(tmp_path, "foo", [symlink("usr/share/doc/foo", "libfoo")]),
    ]
    found = shown(by_path(unpack(debs, a_root("usr/share/doc"), docs=False)))
    assert found == {
        "usr/share/doc/foo": "-> libfoo",
        "usr/share/doc/libfoo": "/",
        "usr/share/doc/libfoo/copyright": "licence",
    }
