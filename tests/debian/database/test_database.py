import subprocess
from hashlib import md5
from itertools import permutations
from pathlib import Path

import pytest

from builder.debian.database.database import database
from builder.debian.root import Root
from builder.debian.unpack.deb import Deb
from builder.debian.unpack.unpack import unpack
from layers.entries import FileEntry
from layers.tar import complete, write_tar
from tests.debian.debs import directory, file
from tests.debian.roots import a_deb, a_root, status
from tests.debian.unpack.laid import shown_entry

DPKG = "var/lib/dpkg"
INFO = f"{DPKG}/info"
STATES = "var/lib/apt/extended_states"


def changed(debs: list[Deb], root: Root, *requested: str) -> dict[str, str]:
    entries = database(debs, unpack(debs, root, docs=True), root, requested=requested)
    assert len(complete(entries, {})) >= len(entries), "they make a layer"
    return {entry.path: shown_entry(entry) for entry in entries}


def sum_of(data: bytes) -> str:
    return md5(data, usedforsecurity=False).hexdigest()


def test_a_paragraph_is_written_as_dpkg_does(tmp_path: Path) -> None:
    deb = a_deb(
        tmp_path,
        "foo",
        [file("etc/foo.conf", b"x"), file("etc/bar.conf", b"y")],
        conffiles=["/etc/foo.conf", "/etc/bar.conf", "remove-on-upgrade /etc/old.conf"],
        Homepage="https://example.com",
        Depends="libc6(>=2.36),\n libbar  (= 1) |  libbaz",
        Installed_Size="7",
        Source="foo-src (2)",
        Section="libs",
        Description="short\n long\n .\n more",
    )
    found = changed([deb], a_root(files={f"{DPKG}/status": b""}))
    assert found[f"{DPKG}/status"] == (
        "Package: foo\n"
        "Status: install ok installed\n"
        "Section: libs\n"
        "Installed-Size: 7\n"
        "Maintainer: Nobody <nobody@example.com>\n"
        "Architecture: amd64\n"
        "Source: foo-src (2)\n"
        "Version: 1.0-1\n"
        "Depends: libc6 (>= 2.36), libbar (= 1) | libbaz\n"
        "Conffiles:\n"
        f" /etc/foo.conf {sum_of(b'x')}\n"
        f" /etc/bar.conf {sum_of(b'y')}\n"
        "Description: short\n"
        " long\n"
        " .\n"
        " more\n"
        "Homepage: https://example.com\n"
        "\n"
    )


def test_what_is_installed_stays_as_it_is_written(tmp_path: Path) -> None:
    old = (
        b"Package: aa\nVersion:   1 \nStatus: install ok installed\nOdd: caf\xe9\n\n"
        b"Package: zz\nStatus: hold ok installed\nVersion: 2\n\n"
    )
    root = a_root(files={f"{DPKG}/status": old})
    debs = [a_deb(tmp_path, "mm")]
    entries = database(debs, unpack(debs, root, docs=True), root, requested=())
    [found] = [entry for entry in entries if entry.path == f"{DPKG}/status"]
    assert isinstance(found, FileEntry)
    with found.content.open() as stream:
        first, second, third, end = stream.read().split(b"\n\n")
    assert first + b"\n\n" + third + b"\n\n" == old
    assert second.startswith(b"Package: mm\nStatus: install ok installed\n")
    assert end == b""


def test_an_upgraded_package_stands_once(tmp_path: Path) -> None:
    root = a_root(
        "usr/share",
        files={
            "etc/old.conf": b"",
            f"{DPKG}/status": status(
                "foo 1",
                Conffiles="\n /etc/foo.conf aaa\n /etc/old.conf bbb\n /etc/gone ccc obsolete",
            )
            + status("other 1"),
            f"{INFO}/foo.list": b"/.\n/usr\n",
            f"{INFO}/foo.postinst": b"#!/bin/sh",
            f"{INFO}/foo.conffiles": b"/etc/foo.conf\n/etc/old.conf\n",
            f"{INFO}/foo.bar.list": b"/.\n",
            f"{INFO}/other.postinst": b"#!/bin/sh",
        },
    )
    deb = a_deb(
        tmp_path, "foo", [file("etc/foo.conf", b"x")], conffiles=["/etc/foo.conf"], Version="2"
    )
    found = changed([deb], root)
    assert found[f"{DPKG}/status"].count("Package: foo\n") == 1
    assert found[f"{DPKG}/status"].count("Package: other\n") == 1
    assert "Version: 2\n" in found[f"{DPKG}/status"]
    assert (
        f"Conffiles:\n /etc/foo.conf {sum_of(b'x')}\n /etc/old.conf bbb obsolete\n"
        " /etc/gone ccc obsolete\n"
    ) in found[f"{DPKG}/status"]
    assert {path: found[path] for path in found if path.startswith(INFO)} == {
        f"{INFO}/foo.conffiles": "/etc/foo.conf\n",
        f"{INFO}/foo.list": "/.\n/etc\n/etc/foo.conf\n/etc/old.conf\n",
        f"{INFO}/foo.md5sums": "",
        f"{INFO}/foo.postinst": "gone",
    }


def test_files_about_a_package_are_named_as_dpkg_names_them(tmp_path: Path) -> None:
    debs = [
        a_deb(
            tmp_path,
            "libfoo",
            [file("usr/lib/libfoo.so", b"elf")],
            scripts={"postinst": "#!/bin/sh\n", "triggers": "activate-noawait ldconfig\n"},
            Multi_Arch="same",
        ),
        a_deb(tmp_path, "foo", Multi_Arch="foreign", Architecture="all"),
    ]
    root = a_root(files={f"{DPKG}/status": b""})
    entries = database(debs, unpack(debs, root, docs=True), root, requested=())
    modes = {entry.path: entry.mode for entry in entries if isinstance(entry, FileEntry)}
    assert {path: mode for path, mode in modes.items() if path.startswith(INFO)} == {
        f"{INFO}/foo.list": 0o644,
        f"{INFO}/foo.md5sums": 0o644,
        f"{INFO}/libfoo:amd64.list": 0o644,
        f"{INFO}/libfoo:amd64.md5sums": 0o644,
        f"{INFO}/libfoo:amd64.postinst": 0o755,
        f"{INFO}/libfoo:amd64.triggers": 0o644,
    }


def test_sums_are_made_for_a_package_that_has_none(tmp_path: Path) -> None:
    members = [file("usr/bin/x", b"x"), file("etc/x", b"y")]
    deb = a_deb(tmp_path, "foo", members, conffiles=["/etc/x"])
    bare = Deb(
        control=deb.control,
        members={name: data for name, data in deb.members.items() if name != "md5sums"},
        files=deb.files,
    )
    found = changed([bare], a_root(files={f"{DPKG}/status": b""}))
    assert found[f"{INFO}/foo.md5sums"] == f"{sum_of(b'x')}  usr/bin/x\n{sum_of(b'y')}  etc/x\n"


def test_a_root_of_single_files_gets_more_of_them(tmp_path: Path) -> None:
    root = a_root(
        "usr/lib",
        files={f"{DPKG}/status.d/base": b"Package: base\nVersion: 1\n"},
        links={"lib": "usr/lib"},
    )
    found = changed([a_deb(tmp_path, "libfoo", [file("lib/x", b"x")], Multi_Arch="same")], root)
    assert found.keys() == {f"{DPKG}/status.d/libfoo", f"{DPKG}/status.d/libfoo.md5sums"}
    assert found[f"{DPKG}/status.d/libfoo"].startswith("Package: libfoo\nStatus: install ok")
    assert found[f"{DPKG}/status.d/libfoo.md5sums"] == f"{sum_of(b'x')}  lib/x\n"


def test_apt_learns_what_nobody_asked_for(tmp_path: Path) -> None:
    root = a_root(
        "var/lib/apt",
        files={
            STATES: (
                b"Package: liba\nArchitecture: amd64\nAuto-Installed: 1\n\n"
                b"Package: libb\nArchitecture: amd64\nAuto-Installed: 1\n\n"
            ),
            f"{DPKG}/status": status("liba 1", "libb 1", "manual 1"),
        },
    )
    debs = [
        a_deb(tmp_path, "asked"),
        a_deb(tmp_path, "data", Architecture="all"),
        a_deb(tmp_path, "liba", Version="2"),
        a_deb(tmp_path, "libb", Version="2"),
        a_deb(tmp_path, "manual", Version="2"),
    ]
    assert changed(debs, root, "asked", "libb")[STATES] == (
        "Package: liba\nArchitecture: amd64\nAuto-Installed: 1\n\n"
        "Package: data\nArchitecture: amd64\nAuto-Installed: 1\n\n"
    )


def test_a_root_without_apt_learns_nothing(tmp_path: Path) -> None:
    assert STATES not in changed([a_deb(tmp_path, "foo")], a_root(files={f"{DPKG}/status": b""}))


def test_triggers_are_known_to_later_installations(tmp_path: Path) -> None:
    root = a_root(
        files={
            f"{DPKG}/status": status("old 1", "libc-bin 1"),
            f"{DPKG}/triggers/File": b"/usr/share/a old/noawait\n/usr/share/b other\n",
            f"{DPKG}/triggers/ldconfig": b"libc-bin/noawait\n",
        }
    )
    triggers = (
        "# comment\n"
        "interest-noawait /usr/share/fonts\n"
        "interest ldconfig\n"
        "interest-await my-trigger # why\n"
        "activate-noawait other-trigger\n"
        "interest ../../../etc/passwd\n"
    )
    debs = [
        a_deb(tmp_path, "new", scripts={"triggers": triggers}, Multi_Arch="same"),
        a_deb(tmp_path, "old", Version="2"),
    ]
    found = changed(debs, root)
    assert {p: found[p] for p in found if p.startswith(f"{DPKG}/triggers")} == {
        f"{DPKG}/triggers/File": ("/usr/share/b other\n/usr/share/fonts new:amd64/noawait\n"),
        f"{DPKG}/triggers/ldconfig": "libc-bin/noawait\nnew:amd64\n",
        f"{DPKG}/triggers/my-trigger": "new:amd64\n",
    }


@pytest.mark.parametrize("package", [None, "dpkg"])
def test_dpkg_itself_reads_a_new_root(package: str | None, tmp_path: Path) -> None:
    scratch, root = tmp_path / "scratch", tmp_path / "root"
    scratch.mkdir()
    root.mkdir()
    debs = [
        a_deb(scratch, "foo", [file("usr/bin/foo", b"x")], scripts={"postinst": "#!/bin/sh\n"}),
        a_deb(scratch, "libfoo", [file("usr/lib/x", b"x")], Multi_Arch="same"),
    ]
    if package:
        debs.append(a_deb(scratch, package, [file("var/lib/dpkg/info/x")]))
    empty = Root()
    unpacked = unpack(debs, empty, docs=True)
    entries = [*unpacked.entries, *database(debs, unpacked, empty, requested=())]
    archive = tmp_path / "layer.tar"
    with archive.open("wb") as sink:
        write_tar(complete({entry.path: entry for entry in entries}.values(), {}), sink)
    subprocess.run(
        ["tar", "--extract", "--no-same-owner", "--file", archive, "-C", root], check=True
    )
    listed = dpkg(root, "--list")
    assert [line.split()[:3] for line in listed.splitlines() if line.startswith("ii")] == [
        *([["ii", "dpkg", "1.0-1"]] if package else []),
        ["ii", "foo", "1.0-1"],
        ["ii", "libfoo:amd64", "1.0-1"],
    ]
    assert dpkg(root, "--listfiles", "foo").splitlines() == [
        *("/.", "/usr", "/usr/bin", "/usr/bin/foo")
    ]
    assert dpkg(root, "--audit") == dpkg(root, "--verify") == ""
    root.joinpath("usr/lib/x").write_text("changed")
    assert dpkg(root, "--verify", check=False) == "??5??????   /usr/lib/x\n"


def dpkg(root: Path, *argv: str, check: bool = True) -> str:
    command = ["dpkg", f"--root={root}", "--force-not-root", *argv]
    return subprocess.run(
        command,
        check=check,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C"},
    ).stdout


def test_the_order_of_packages_means_nothing(tmp_path: Path) -> None:
    root = a_root("var/lib/apt", files={f"{DPKG}/status": status("old 1")})
    debs = [
        a_deb(
            tmp_path,
            name,
            [directory("usr/share/x", mode=mode), file(f"usr/share/x/{name}")],
            scripts={"triggers": "interest ldconfig\ninterest /usr/share/x\n"},
        )
        for name, mode in (("aa", 0o755), ("bb", 0o700), ("cc", 0o2755), ("old", 0o1777))
    ]
    found = []
    for order in permutations(debs):
        unpacked = unpack(order, root, docs=True)
        entries = [*unpacked.entries, *database(order, unpacked, root, requested=("cc",))]
        found.append([(e.path, shown_entry(e), getattr(e, "mode", None)) for e in entries])
    assert all(one == found[0] for one in found)
    assert ("usr/share/x", "/", 0o700) in found[0]
