"""dpkg's database with more packages in it, for dpkg, apt and whoever scans an image.

https://manpages.debian.org/dpkg.1#FILES; images without dpkg have one file for each package in
``/var/lib/dpkg/status.d``: https://github.com/GoogleContainerTools/distroless
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from builder.debian.control import paragraphs
from builder.debian.database.dpkg_files import INFO, DpkgFiles
from builder.debian.database.installed import STATUS, STATUS_DIRECTORY
from builder.debian.database.instances import is_replaced
from builder.debian.database.status import (
    conffiles_of,
    joined,
    md5sums,
    merged,
    name_of,
    paragraph,
)
from builder.debian.database.triggers import TRIGGERS, trigger_files
from builder.debian.root import Root
from builder.debian.unpack.deb import Deb
from builder.debian.unpack.unpack import Unpacked
from layers.entries import DirEntry, Entry, FileEntry, WhiteoutEntry, order

_EXTENDED_STATES = "var/lib/apt/extended_states"
_DPKG = "var/lib/dpkg"
# What dpkg wants to find, and on a new root finds only when its own package is there.
_DIRECTORIES = (_DPKG, f"{_DPKG}/alternatives", INFO, TRIGGERS, f"{_DPKG}/updates")
_NEW_FILES = {
    f"{_DPKG}/available": b"",
    f"{INFO}/format": b"1\n",
    f"{TRIGGERS}/File": b"",
    f"{TRIGGERS}/Unincorp": b"",
}
_CONFFILE = re.compile(r"^ (/.+) [0-9a-f]{32}$", re.MULTILINE)
_SCRIPTS = frozenset({"config", "postinst", "postrm", "preinst", "prerm"})


def database(
    debs: Sequence[Deb], unpacked: Unpacked, root: Root, *, requested: Collection[str]
) -> list[Entry]:
    """The files of the database that change, at their real paths, in order.

    Args:
        debs: the packages, each once.
        unpacked: what became of them.
        root: what they were laid on.
        requested: names that the user asked for; apt may remove the others with them.

    Raises:
        BaseError: symbolic links run in a circle.
        PackageError: a package's relationships are malformed.
    """
    debs = sorted(debs, key=lambda deb: deb.name)
    files = unpacked.files
    if root.read(STATUS) is None and files.resolve(STATUS_DIRECTORY) in files.directories:
        changed = _status_d(debs)
    else:
        changed = {**_info(debs, unpacked, root), **trigger_files(debs, root, unpacked.before)}
        changed[STATUS] = _status(debs, unpacked, root)
        if files.resolve("var/lib/apt") in files.directories:
            changed[_EXTENDED_STATES] = _extended_states(debs, unpacked.before, root, requested)
    entries: list[Entry] = [
        FileEntry.of(files.resolve(path), data, mode=_mode(path)) for path, data in changed.items()
    ]
    if STATUS in changed:
        entries += _missing(unpacked)
        entries += _removed(debs, changed.keys(), unpacked, root)
    return sorted(entries, key=lambda entry: order(entry.path))


def _mode(path: str) -> int:
    return 0o755 if path.startswith(INFO) and path.rpartition(".")[2] in _SCRIPTS else 0o644


def _status(debs: Sequence[Deb], unpacked: Unpacked, root: Root) -> bytes:
    old = "\n".join(_marked(text, unpacked) for text in paragraphs(root.text(STATUS)))
    new = {deb.name: paragraph(deb, _obsolete(deb, unpacked.before)) for deb in debs}
    return merged(old, new).encode("utf-8", "surrogateescape")


def _marked(text: str, unpacked: Unpacked) -> str:
    """A paragraph, its configuration files marked that went to another package."""
    path, paths = unpacked.before.lists.get(name_of(text), ("", ()))
    if path not in unpacked.relisted:
        return text
    lost = {f"/{one}" for one in paths}.difference(unpacked.relisted[path])
    return _CONFFILE.sub(lambda m: f"{m[0]} obsolete" if m[1] in lost else m[0], text)


def _obsolete(deb: Deb, before: DpkgFiles) -> list[tuple[str, str]]:
    return [
        (path, sum_)
        for instance, package in before.packages.items()
        if is_replaced(instance, {deb.name: deb.architecture})
        for path, sum_ in conffiles_of(package)
        if path[1:] not in deb.conffiles
    ]


def _info(debs: Sequence[Deb], unpacked: Unpacked, root: Root) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for deb in debs:
        members = dict(deb.members)
        if "md5sums" not in members:
            members["md5sums"] = md5sums(deb)
        stem = f"{INFO}/{deb.qualified_name}"
        found |= {f"{stem}.{kind}": data for kind, data in members.items()}
        found[f"{stem}.list"] = joined(unpacked.listed[deb.name])
    found |= {path: joined(paths) for path, paths in unpacked.relisted.items()}
    if root.read(STATUS) is None:
        found |= _NEW_FILES
    return found


def _missing(unpacked: Unpacked) -> Iterator[Entry]:
    for path in _DIRECTORIES:
        real = unpacked.files.resolve(path)
        if real not in unpacked.files.directories:
            yield DirEntry(path=real)


def _removed(
    debs: Sequence[Deb], paths: Collection[str], unpacked: Unpacked, root: Root
) -> Iterator[Entry]:
    """What the database had about an older version, and has not about the new one."""
    architectures = {deb.name: deb.architecture for deb in debs}
    real = {unpacked.files.resolve(path) for path in paths}
    prefix = f"{root.files.resolve(INFO)}/"
    for path in root.files.files:
        if path.startswith(prefix) and path not in real:
            stem = path.removeprefix(prefix).rpartition(".")[0]
            if is_replaced(unpacked.before.instance(stem), architectures):
                yield WhiteoutEntry(path=path)


def _status_d(debs: Sequence[Deb]) -> dict[str, bytes]:
    found = {}
    for deb in debs:
        found[f"{STATUS_DIRECTORY}/{deb.name}"] = paragraph(deb).encode("utf-8", "surrogateescape")
        sums = deb.members.get("md5sums")
        found[f"{STATUS_DIRECTORY}/{deb.name}.md5sums"] = md5sums(deb) if sums is None else sums
    return found


def _extended_states(
    debs: Sequence[Deb], before: DpkgFiles, root: Root, requested: Collection[str]
) -> bytes:
    """Which packages nobody asked for: ``apt-get autoremove`` goes by this."""
    native = _native(debs, root)
    there = {name_of(text): text for text in paragraphs(root.text(_EXTENDED_STATES))}
    for deb in debs:
        architecture = native if deb.architecture == "all" else deb.architecture
        if deb.name in requested:
            there.pop((deb.name, architecture), None)
        elif not any(
            is_replaced(instance, {deb.name: deb.architecture}) and before.is_installed(instance)
            for instance in before.packages
        ):
            there[deb.name, architecture] = (
                f"Package: {deb.name}\nArchitecture: {architecture}\nAuto-Installed: 1\n"
            )
    return "".join(f"{text}\n" for text in there.values()).encode("utf-8", "surrogateescape")


def _native(debs: Sequence[Deb], root: Root) -> str:
    """The architecture that most of the packages have which are for one only."""
    counts = Counter(deb.architecture for deb in debs)
    counts.update(name_of(text)[1] for text in paragraphs(root.text(STATUS)))
    return max(
        sorted(name for name in counts if name not in {"", "all"}),
        key=lambda name: counts[name],
        default="all",
    )
