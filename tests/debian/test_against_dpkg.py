"""Everything that apt and dpkg make of 350 packages, against what we make of them.

Packages are unpacked with their documentation here, so that nothing that is shipped goes
uncompared; that the others leave out what the rule says is shown without a network.
"""

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.debian.control import paragraphs, parse_paragraph
from builder.debian.database.database import database
from builder.debian.root import Root
from builder.debian.unpack.deb import Deb, read_deb
from builder.debian.unpack.documentation import is_documentation
from builder.debian.unpack.unpack import Unpacked, unpack
from layers.entries import DirEntry, Entry, FileEntry, HardLinkEntry, SymlinkEntry, WhiteoutEntry
from layers.tar import complete, write_tar
from tests.debian.real_install import REQUESTED, Installation, Node, nodes_of, real_install
from tests.debian.tar_roots import root_of_tar

pytestmark = [
    pytest.mark.engine,
    pytest.mark.archive,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can give files their owners"),
]

# What maintainer scripts and triggers do is not unpacking.
BY_SCRIPTS = {
    r"(etc/alternatives/.*|var/lib/dpkg/alternatives/.*)": "update-alternatives",
    r"etc/(passwd|group|shadow|gshadow)-?": "adduser",
    r"etc/ld\.so\.cache": "ldconfig, by libc-bin's trigger",
    r"etc/(ssl/certs/.*|ca-certificates\.conf|ssl/certs)": "update-ca-certificates",
    r"usr/local/share/(ca-certificates|fonts)": "ca-certificates and fontconfig-config make them",
    r"etc/(rc.\.d|systemd)/.*": "services are enabled",
    r"(etc/systemd|var/lib/systemd).*": "services are enabled",
    r"etc/(default/locale|locale\.gen|mailcap|inputrc|hosts|networks)|etc/odbcinst\.ini": "choices",
    r"etc/dictionaries-common/.*": "dictionaries-common",
    r"etc/fonts/conf\.d/.*": "fontconfig-config links what debconf chose",
    r"etc/(nginx/(modules|sites)-enabled/.*|redis.*)|var/(www|lib/redis).*": "servers set up",
    r"etc/apparmor\.d/local.*": "dh_apparmor makes an empty file for local rules",
    r"etc/python3.*|usr/local/lib/python3.*|var/lib/python.*": "python3",
    r".*/__pycache__(/.*)?": "py3compile",
    r"usr/share/mime/.*": "update-mime-database",
    r".*/(giomodule|loaders)\.cache|usr/lib/.*/graphviz/config6a": "caches of modules",
    r"usr/bin/(crontab|ssh-agent)|var/spool/cron/crontabs": "groups that are made in postinst",
    r"var/lib/(emacsen-common|man-db|ispell|aspell|hunspell|ucf|vim|xml-core|sgml-base).*": "state",
    r"(var/(cache|log|tmp)|run|tmp|root|dev|proc|sys)(/.*)?": "caches, logs and what is not ours",
}
OF_A_NEW_ROOT = {
    r"etc/alternatives/.*": "update-alternatives",
    r"etc/(passwd|group|shadow|gshadow)-?|etc/(subgid|subuid|security/opasswd)": "accounts",
    r"etc/(environment|pam\.d/.*)|var/lib/pam/.*": "pam-auth-update",
    r"etc/(profile|motd|nsswitch\.conf|dpkg/origins/default)": "base-files",
    r"root/.*|usr/share/info/dir": "base-files",
    r"(etc/opt|media|mnt|opt|srv|usr/local|var/(mail|opt|spool/mail|run|lock)|run/lock)(/.*)?": (
        "base-files: directories that a package would take along when it is removed"
    ),
    r"etc/(localtime|timezone)": "tzdata",
    r"etc/shells|var/lib/shells\.state": "debianutils",
    r"etc/ld\.so\.cache": "ldconfig",
    r"etc/rc.\.d/.*|(etc|var/lib)/systemd/.*": "services are enabled",
    r"etc/(\.pwd\.lock|fstab|hostname|resolv\.conf|apt/.*)": "mmdebstrap",
    r"usr/sbin/(policy-rc\.d|start-stop-daemon\.REAL)": "mmdebstrap",
    r"proc|sys": "what the machine mounts there",
    r"var/(cache|log)/.*": "caches and logs",
}
NOT_IN_THE_TAR = {"var/cache/apt/archives", "var/cache/apt/archives/partial"}
# What dpkg and apt leave in their own directories for their own use.
OF_DPKG = {
    r"var/lib/dpkg/(status|available|diversions|statoverride)-old": "copies from before",
    r"var/lib/dpkg/(diversions|statoverride)": "dpkg-divert and dpkg-statoverride in preinst",
    r"var/lib/dpkg/(lock.*|triggers/Lock|cmethopt|methlock)": "locks",
}


@dataclass(frozen=True)
class Composed:
    """Our own composition of the same packages on the same root; ``essential`` are the root's."""

    real: Installation
    root: Root
    essential: list[Deb]
    debs: list[Deb]
    unpacked: Unpacked
    database: list[Entry]

    def nodes(self) -> dict[str, Node]:
        found = nodes_of(self.real.before)
        for entry in self.unpacked.entries:
            if isinstance(entry, WhiteoutEntry):
                del found[entry.path]
            else:
                found[entry.path] = node_of(entry, found)
        return found


def node_of(entry: Entry, found: Mapping[str, Node]) -> Node:
    match entry:
        case FileEntry():
            with entry.content.open() as stream:
                digest = hashlib.sha256(stream.read()).hexdigest()
            return Node("file", entry.mode, entry.owner.uid, entry.owner.gid, digest)
        case DirEntry():
            return Node("directory", entry.mode, entry.owner.uid, entry.owner.gid, "")
        case SymlinkEntry():
            return Node("link", 0o777, entry.owner.uid, entry.owner.gid, entry.target)
        case HardLinkEntry():
            return found[entry.target]
        case WhiteoutEntry():
            raise AssertionError(entry)


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def composed(scratch: Path) -> Composed:
    real = real_install()
    root = root_of_tar(real.before)
    there = names_in(root.contents["var/lib/dpkg/status"])
    every = list(read_all(real.debs, scratch))
    essential = [deb for deb in every if deb.name in there]
    debs = [deb for deb in every if deb.name not in there]
    unpacked = unpack(debs, root, docs=True)
    entries = database(debs, unpacked, root, requested=REQUESTED)
    return Composed(real, root, essential, debs, unpacked, entries)


def read_all(directory: Path, scratch: Path) -> Iterator[Deb]:
    for path in sorted(directory.iterdir()):
        with path.open("rb") as stream:
            yield read_deb(stream, path.name, scratch)


def installed_in(status: bytes) -> list[tuple[str, str]]:
    """Names and versions, in order."""
    found = map(parse_paragraph, paragraphs(status.decode()))
    return [(fields["Package"], fields["Version"]) for fields in found]


def names_in(status: bytes) -> set[str]:
    return {name for name, _ in installed_in(status)}


def unexplained(differing: set[str], reasons: Mapping[str, str]) -> set[str]:
    pattern = re.compile("|".join(f"(?:{reason})" for reason in reasons), re.DOTALL)
    return {path for path in differing if not pattern.fullmatch(path)}


def unneeded(differing: set[str], reasons: Mapping[str, str]) -> list[str]:
    """Reasons for differences that there are none of."""
    return [reason for reason in reasons if not any(re.fullmatch(reason, p) for p in differing)]


def test_every_path_is_as_dpkg_leaves_it(composed: Composed) -> None:
    real, ours = composed.real.after, composed.nodes()
    assert len(composed.debs) > 300
    differing = differing_paths(real, ours)
    left = unexplained(differing, BY_SCRIPTS)
    assert {path: (real.get(path), ours.get(path)) for path in sorted(left)} == {}
    assert unneeded(differing, BY_SCRIPTS) == []


def test_an_empty_root_becomes_what_mmdebstrap_makes(composed: Composed) -> None:
    real = nodes_of(composed.real.before)
    there = names_in(composed.root.contents["var/lib/dpkg/status"])
    assert {deb.name for deb in composed.essential} == there
    ours: dict[str, Node] = {}
    for entry in unpack(composed.essential, Root(), docs=True).entries:
        ours[entry.path] = node_of(entry, ours)
    differing = differing_paths(real, ours)
    left = unexplained(differing, OF_A_NEW_ROOT)
    assert {path: (real.get(path), ours.get(path)) for path in sorted(left)} == {}
    assert unneeded(differing, OF_A_NEW_ROOT) == []


def test_packages_that_are_there_already_change_nothing(composed: Composed) -> None:
    real = nodes_of(composed.real.before)
    again = unpack(composed.essential, composed.root, docs=True).entries
    assert len(again) > 5000
    ours: dict[str, Node] = dict(real)
    for entry in again:
        ours[entry.path] = node_of(entry, ours)
    assert differing_paths(real, ours) - NOT_IN_THE_TAR == set()


def differing_paths(real: Mapping[str, Node], ours: Mapping[str, Node]) -> set[str]:
    """Without the database, whose content is compared by itself."""
    return {
        path
        for path in real.keys() | ours.keys()
        if real.get(path) != ours.get(path)
        and not path.startswith(("var/lib/dpkg", "var/lib/apt"))
        and not (path in real and "/etc/alternatives/" in real[path].detail)
    }


def test_the_list_of_packages_is_what_dpkg_wrote(composed: Composed) -> None:
    ours = text_of(composed.database)["var/lib/dpkg/status"]
    assert ours.decode() == composed.real.database["var/lib/dpkg/status"].decode()


def test_the_rest_of_the_database_is_what_dpkg_wrote(composed: Composed) -> None:
    real = {p: d for p, d in composed.real.database.items() if p.startswith("var/lib/dpkg/")}
    ours = {
        path: data
        for path, data in composed.root.contents.items()
        if path.startswith("var/lib/dpkg/")
    } | text_of(composed.database)
    # What the root has and is no matter of ours, is not read.
    real = {p: d for p, d in real.items() if p in ours or p not in composed.root.files.files}
    differing = {
        path
        for path in real.keys() | ours.keys()
        if in_order(path, real.get(path)) != in_order(path, ours.get(path))
        and path.startswith("var/lib/dpkg/")
    }
    assert unexplained(differing, {**OF_DPKG, **BY_SCRIPTS}) == set()


def in_order(path: str, data: bytes | None) -> object:
    """dpkg lists triggers in the order of unpacking, which says nothing."""
    return sorted(data.split(b"\n")) if data and "/triggers/" in path else data


def text_of(entries: list[Entry]) -> dict[str, bytes]:
    found = {}
    for entry in entries:
        assert isinstance(entry, FileEntry), entry
        with entry.content.open() as stream:
            found[entry.path] = stream.read()
    return found


def test_apt_knows_the_same_packages_as_not_asked_for(composed: Composed) -> None:
    ours = text_of(composed.database)["var/lib/apt/extended_states"]
    real = composed.real.database["var/lib/apt/extended_states"]
    assert {*ours.split(b"\n\n")} == {*real.split(b"\n\n")}


def test_without_documentation_only_that_is_missing(composed: Composed) -> None:
    whole = {entry.path: entry for entry in composed.unpacked.entries}
    slim = {e.path: e for e in unpack(composed.debs, composed.root, docs=False).entries}
    missing = {path: entry for path, entry in whole.items() if path not in slim}
    assert len(missing) > 5000
    assert all(is_documentation(path, "file") for path in missing)
    moved = {p: e for p, e in slim.items() if whole.get(p) != e}
    assert all(isinstance(whole[path], HardLinkEntry) for path in moved)


def test_dpkg_itself_finds_nothing_wrong(composed: Composed, scratch: Path) -> None:
    root = scratch / "root"
    root.mkdir()
    layer = scratch / "layer.tar"
    entries = {e.path: e for e in (*composed.unpacked.entries, *composed.database)}
    with layer.open("wb") as sink:
        write_tar(complete(entries.values(), composed.root.files.directories), sink)
    for archive in (composed.real.before, layer):
        subprocess.run(
            ["tar", "--extract", "--numeric-owner", "--preserve-permissions", "--file", archive],
            cwd=root,
            check=True,
        )
    layer.unlink()
    for path in (*NOT_IN_THE_TAR, "var/lib/apt/lists/partial"):
        root.joinpath(path).mkdir(parents=True, exist_ok=True)
    query = ("--showformat=${Package} ${Version} ${db:Status-Status}\n", "--show")
    listed = run("dpkg-query", f"--admindir={root}/var/lib/dpkg", *query).splitlines()
    real = installed_in(composed.real.database["var/lib/dpkg/status"])
    assert listed == [f"{name} {version} installed" for name, version in real]
    assert run("chroot", root, "dpkg", "--audit") == ""
    assert run("chroot", root, "dpkg", "--verify") == ""
    simulated = run("chroot", root, "apt-get", "--simulate", "autoremove")
    assert "0 to remove" in simulated


def run(*argv: str | Path) -> str:
    environ = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(argv, capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
