"""Packages become entries on a root, as dpkg would unpack them there.

Paths are as packed until ``Places`` says where they lead; what a package ships in ``/lib`` goes to
``/usr/lib`` where the root says so. https://manpages.debian.org/dpkg.1
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from builder.debian.database.dpkg_files import DpkgFiles, read_dpkg_files
from builder.debian.database.instances import is_replaced
from builder.debian.root import Root
from builder.debian.unpack.claims import Claims, Shipped, claims_of
from builder.debian.unpack.deb import Deb
from builder.debian.unpack.diverting import with_diversions
from builder.debian.unpack.documentation import is_documentation
from builder.debian.unpack.file_entries import attributes, file_entries
from builder.debian.unpack.merged_usr import merged_usr
from builder.debian.unpack.places import Places
from builder.debian.unpack.removal import removed
from builder.errors import PackageError
from builder.rootfs.file_index import FileIndex
from builder.rootfs.overlay import overlaid
from layers.entries import ROOT, DirEntry, Entry, WhiteoutEntry, order

_USUAL = (0o755, ROOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What packages bring to a root.

    Attributes:
        entries: at their real paths, in order; contents lie where the packages were read to.
        files: the root with them.
        listed: package name to the absolute paths of its list, as ``dpkg -L`` shows them.
        relisted: what is left of the lists of installed packages that lost a file to a new one:
            path of the list to absolute paths.
        before: the root's database of files.
    """

    entries: tuple[Entry, ...]
    files: FileIndex
    listed: Mapping[str, tuple[str, ...]]
    relisted: Mapping[str, tuple[str, ...]]
    before: DpkgFiles


def unpack(debs: Sequence[Deb], root: Root, *, docs: bool) -> Unpacked:
    """Lay packages on a root.

    A configuration file that was changed in the root stays as it is there; one that an installed
    version had and the root has no more stays away. On an empty root the links of merged /usr
    come first.

    Args:
        debs: each package once, in any order.
        root: what they are laid on; packages that it has in another version are upgraded.
        docs: keep documentation, manual pages and translations.

    Raises:
        PackageError: two packages have one file, or something stands in the way of another.
        BaseError: symbolic links run in a circle.
    """
    debs = sorted(debs, key=lambda deb: deb.name)
    first = _first_entries(debs, root)
    files = overlaid(root.files, first) if first else root.files
    before = read_dpkg_files(root)
    known = with_diversions(before, debs, root)
    new = _architectures(debs)
    _refuse_other_architectures(debs, before)
    shipped = list(_shipped(debs, known))
    wanted = [s for s in shipped if docs or not is_documentation(s.member.path, s.member.kind)]
    claims, places = claims_of(wanted, files)
    claims.yield_to(files, known, places, {p for p in known.packages if not is_replaced(p, new)})
    claims.keep_conffiles(files, root, known)
    new_paths = {s.member.path for s in shipped}
    old = _Old.of(new, places, known)
    _refuse_obstacles(claims, wanted, places, files, old)
    entries = [
        *first,
        *_directories(wanted, places, files, known),
        *file_entries(claims.by_path, known),
        *_removed(old, shipped, places, files),
    ]
    return Unpacked(
        entries=tuple(sorted(entries, key=lambda entry: order(entry.path))),
        files=overlaid(files, entries),
        listed={deb.name: _list(deb, claims, known, new_paths) for deb in debs},
        relisted=dict(_relisted(claims, known)),
        before=before,
    )


def _architectures(debs: Sequence[Deb]) -> dict[str, str]:
    found: dict[str, str] = {}
    for deb in debs:
        if deb.name in found:
            raise PackageError(f"{deb.name} is to be unpacked twice")
        found[deb.name] = deb.architecture
    return found


def _refuse_other_architectures(debs: Sequence[Deb], known: DpkgFiles) -> None:
    """Only packages that say so may be there for several architectures."""
    for deb in debs:
        new = {deb.name: deb.architecture}
        for instance, old in sorted(known.packages.items()):
            is_other = instance[0] == deb.name and not is_replaced(instance, new)
            shares = [fields.get("Multi-Arch") == "same" for fields in (deb.control, old.fields)]
            if is_other and known.is_installed(instance) and not all(shares):
                raise PackageError(
                    f"{deb} cannot be installed: the base has {old} for {old.architecture}, "
                    f"and the two cannot be there together"
                )


def _first_entries(debs: Sequence[Deb], root: Root) -> tuple[Entry, ...]:
    files = root.files
    if files.directories or files.symlinks or files.files:
        return ()
    return merged_usr(next((d.architecture for d in debs if d.architecture != "all"), "all"))


def _shipped(debs: Sequence[Deb], known: DpkgFiles) -> Iterator[Shipped]:
    for deb in debs:
        for member in deb.files:
            yield Shipped(deb, member, known.diverted(member.path, deb.name))


@dataclass(frozen=True, slots=True)
class _Old:
    """What the root has of packages before, at real paths.

    Attributes:
        replaced: by the name of the package that is upgraded.
        staying: what all other packages have.
        conffiles: of the packages that are upgraded.
    """

    replaced: Mapping[str, Collection[str]]
    staying: Collection[str]
    conffiles: Collection[str]

    @classmethod
    def of(cls, new: Mapping[str, str], places: Places, known: DpkgFiles) -> "_Old":
        replaced: dict[str, set[str]] = {}
        staying: set[str] = set()
        conffiles: set[str] = set()
        if not any(is_replaced(instance, new) for instance in known.lists):
            return cls(replaced, staying, conffiles)
        for instance, (_, paths) in known.lists.items():
            name, _ = instance
            is_old = is_replaced(instance, new)
            into = replaced.setdefault(name, set()) if is_old else staying
            into.update(places.of(known.diverted(path, name)) for path in paths)
            if is_old:
                kept = known.conffiles.get(instance, ())
                conffiles.update(places.of(known.diverted(path, name)) for path in kept)
        return cls(replaced, staying, conffiles)


def _refuse_obstacles(
    claims: Claims, wanted: Sequence[Shipped], places: Places, files: FileIndex, old: _Old
) -> None:
    for real, shipped in claims.by_path.items():
        if files.resolve(real) in files.directories:
            raise PackageError(
                f"{shipped.deb} has a {shipped.member.kind} at /{shipped.member.path}, "
                f"where the base has a directory"
            )
    for shipped in wanted:
        if shipped.member.kind == "directory":
            real = places.directory(shipped.path)
            other = claims.by_path.get(real)
            own = old.replaced.get(shipped.deb.name, ())
            if other or (real in files.files and (real in old.staying or real not in own)):
                whose = other.deb if other else "the base"
                raise PackageError(
                    f"{shipped.deb} has a directory at /{shipped.member.path}, where {whose} has "
                    f"a {other.member.kind if other else 'file'}"
                )


def _directories(
    wanted: Sequence[Shipped], places: Places, files: FileIndex, known: DpkgFiles
) -> Iterator[Entry]:
    """Those that the root does not have.

    dpkg leaves a directory as the first package made it. Here what counts is the first that says
    something unusual, so that the order of packages matters as little as may be.
    """
    found: dict[str, DirEntry] = {}
    for shipped in wanted:
        if shipped.member.kind != "directory":
            continue
        path = places.directory(shipped.path)
        if not path or path in files.directories:
            continue
        mode, owner = attributes(shipped.member, shipped.path, known)
        there = found.get(path)
        if there is None or (there.mode, there.owner) == _USUAL:
            found[path] = DirEntry(path=path, mode=mode, owner=owner)
    yield from found.values()


def _removed(
    old: _Old, shipped: Sequence[Shipped], places: Places, files: FileIndex
) -> tuple[WhiteoutEntry, ...]:
    """Whiteouts for what upgraded packages have no more; changed configuration is not theirs."""
    if not old.replaced:
        return ()
    kept = {places.of(s.path) for s in shipped}
    kept |= {places.directory(s.path) for s in shipped if s.member.kind == "directory"}
    kept.update(old.staying)
    gone = {path for paths in old.replaced.values() for path in paths if path not in old.conffiles}
    return removed(gone, files, kept=kept)


def _list(
    deb: Deb, claims: Claims, known: DpkgFiles, new_paths: Collection[str]
) -> tuple[str, ...]:
    """Everything it ships, left out or not, and configuration of its old version.

    Configuration that another new package has is that package's.
    """
    paths = [m.path for m in deb.files if (deb.name, m.path) not in claims.lost]
    obsolete = known.conffiles_before({deb.name: deb.architecture}).difference(new_paths)
    return ("/.", *(f"/{path}" for path in (*paths, *sorted(obsolete))))


def _relisted(claims: Claims, known: DpkgFiles) -> Iterator[tuple[str, tuple[str, ...]]]:
    for instance, taken in sorted(claims.taken.items()):
        path, paths = known.lists[instance]
        yield path, ("/.", *(f"/{p}" for p in paths if p not in taken))
