"""What maintainer scripts would have done to the files of packages laid on a root."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builder.debian.database.installed import STATUS, STATUS_DIRECTORY
from builder.debian.effects.certificates import update_certificates
from builder.debian.effects.ld_cache import update_ld_cache
from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.order import in_order
from builder.debian.effects.package_queries import Packages
from builder.debian.effects.scripts import Subject, follow
from builder.debian.effects.unknown import to_text
from builder.debian.effects.watchers import watchers
from builder.debian.root import Root
from builder.debian.unpack.deb import Deb
from layers.entries import Entry

_CERTIFICATES = ("usr/share/ca-certificates/", "usr/local/share/ca-certificates/")
_PARAGRAPH_NAME = re.compile(rb"^Package: *(\S+)", re.MULTILINE)
_PARAGRAPH_VERSION = re.compile(rb"^Version: *(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unhandled:
    """What a package's scripts would have done, and nobody did.

    Attributes:
        package: its name.
        wants: commands, as they would have been called.
    """

    package: str
    wants: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What scripts would have changed.

    Attributes:
        entries: by path, each path once; one that replaces an entry of a package or a file of the
            root stands here as a whole. A whiteout says that the path is gone.
        unhandled: by package.
    """

    entries: tuple[Entry, ...]
    unhandled: tuple[Unhandled, ...]


def effects(debs: Sequence[Deb], files: Mapping[str, Entry], root: Root) -> Effects:
    """Do natively what the scripts of packages would have done, and tell of the rest.

    No script is executed: each is read, and followed command by command over the files.

    Args:
        debs: in any order.
        files: the entries of all packages, by real path.
        root: below them.

    Raises:
        PackageError: the root's state (alternatives, the loader's cache) or a certificate cannot
            be read.
    """
    debs = in_order(debs)
    tree = MutableRoot(root, files)
    before = _installed(root)
    packages = Packages(
        versions={**before, **{deb.name: deb.version for deb in debs}},
        before=before,
        listed={deb.name: [f"/{member.path}" for member in deb.files] for deb in debs},
    )
    wants: dict[str, list[str]] = {deb.name: [] for deb in debs}
    for script in ("preinst", "postinst"):
        for deb in debs:
            subject = Subject(
                package=deb.name,
                architecture=_architecture(deb, debs),
                members=deb.members,
                packages=packages,
            )
            arguments = _arguments(script, before.get(deb.name))
            wants[deb.name] += follow(script, arguments, subject, tree)
    for package, want in watchers(root, files):
        wants.setdefault(package, []).append(want)
    if any(path.startswith(_CERTIFICATES) for path in files):
        if any(deb.name == "ca-certificates" for deb in debs):
            tree.directory(_CERTIFICATES[1].rstrip("/"))
        update_certificates(tree)
    if architecture := next((d.architecture for d in debs if d.architecture != "all"), None):
        libc = next((deb.version for deb in debs if deb.name == "libc6"), None)
        update_ld_cache(tree, architecture=architecture, libc=libc)
    unhandled = tuple(
        Unhandled(package=package, wants=tuple(dict.fromkeys(found)))
        for package, found in sorted(wants.items())
        if found
    )
    return Effects(entries=tree.added, unhandled=unhandled)


def _arguments(script: str, version: str | None) -> list[str]:
    """What dpkg calls a script with; a package that was not there has no old version."""
    if script == "postinst":
        return ["configure", version or ""]
    return ["upgrade", version] if version else ["install"]


def _architecture(deb: Deb, debs: Sequence[Deb]) -> str:
    if deb.architecture != "all":
        return deb.architecture
    return next((one.architecture for one in debs if one.architecture != "all"), "all")


def _installed(root: Root) -> Mapping[str, str]:
    """Versions in the root's dpkg status, by package."""
    contents = [root.read(STATUS) or b"", *root.below(STATUS_DIRECTORY).values()]
    found: dict[str, str] = {}
    for paragraph in b"\n\n".join(contents).split(b"\n\n"):
        name = _PARAGRAPH_NAME.search(paragraph)
        version = _PARAGRAPH_VERSION.search(paragraph)
        if name and version and b"deinstall ok config-files" not in paragraph:
            found[to_text(name[1])] = to_text(version[1])
    return found
