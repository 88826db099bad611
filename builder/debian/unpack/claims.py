"""Which package's file stands at which path."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import md5

from builder.debian.database.dpkg_files import DpkgFiles
from builder.debian.database.instances import Instance
from builder.debian.database.status import conffiles_of
from builder.debian.package import Package
from builder.debian.root import Root
from builder.debian.unpack.deb import Deb
from builder.debian.unpack.places import Places
from builder.debian.unpack.replacing import counts
from builder.debian.unpack.tar_members import Member
from builder.rootfs.file_index import FileIndex


@dataclass(frozen=True, slots=True)
class Shipped:
    """A member and its package.

    Attributes:
        deb: the package.
        member: what it ships.
        path: where, after diversions; no link is resolved.
    """

    deb: Deb
    member: Member
    path: str

    def is_same_link(self, other: "Shipped") -> bool:
        """Whether both are links to one target, which two packages may ship."""
        return bool(self.member.target) and (self.member.kind, self.member.target) == (
            other.member.kind,
            other.member.target,
        )


@dataclass(slots=True)
class Claims:
    """The files and links of packages, each path once.

    Attributes:
        by_path: what stands at each real path.
        lost: names of packages and paths, as packed, that belong to another package instead.
        taken: paths that belonged to an installed package, as its list has them.
    """

    by_path: dict[str, Shipped] = field(default_factory=dict)
    lost: set[tuple[str, str]] = field(default_factory=set)
    taken: dict[Instance, set[str]] = field(default_factory=dict)

    def contested(self, claims: Iterable[tuple[str, Shipped]]) -> dict[str, Shipped]:
        """One claim for each path.

        Raises:
            PackageError: two packages ship one file, and neither replaces the other.
        """
        found: dict[str, Shipped] = {}
        for path, new in claims:
            old = found.setdefault(path, new)
            if old is new or new.is_same_link(old):
                continue
            is_newer = counts(
                path, Package(fields=new.deb.control), Package(fields=old.deb.control)
            )
            loser = old if is_newer else new
            self.lost.add((loser.deb.name, loser.member.path))
            if is_newer:
                found[path] = new
        return found

    def yield_to(
        self, files: FileIndex, known: DpkgFiles, places: Places, staying: Iterable[Instance]
    ) -> None:
        """Settle what installed packages own already.

        Args:
            files: the root.
            known: whose its files are.
            places: where paths lead.
            staying: packages that stay as they are.

        Raises:
            PackageError: an installed package has a file of the new ones, and neither replaces
                the other.
        """
        there = {p for p in self.by_path if p in files.files or p in files.symlinks}
        if not there:
            return
        for instance in sorted(staying):
            name, _ = instance
            for path in known.lists.get(instance, ("", ()))[1]:
                real = places.of(known.diverted(path, name))
                new = self.by_path.get(real) if real in there else None
                # Packages of one name share their files between architectures.
                if new is None or new.deb.name == name:
                    continue
                if counts(path, Package(fields=new.deb.control), known.packages[instance]):
                    self.taken.setdefault(instance, set()).add(path)
                else:
                    self.lost.add((new.deb.name, new.member.path))
                    del self.by_path[real]

    def keep_conffiles(self, files: FileIndex, root: Root, known: DpkgFiles) -> None:
        """Leave to the root the configuration files that were changed, or deleted there.

        As with dpkg, one that is as a package brought it gives way to a new version, which gets
        the mode that the file has.

        Args:
            files: the root.
            root: its contents: a file that is not among them counts as changed.
            known: what packages brought.
        """
        debs = {shipped.deb.name: shipped.deb for shipped in self.by_path.values()}
        conffiles = {name: frozenset(deb.conffiles) for name, deb in debs.items()}
        before = {
            name: known.conffiles_before({name: deb.architecture}) for name, deb in debs.items()
        }
        sums = {
            (path[1:], digest)
            for old in known.packages.values()
            for path, digest in conffiles_of(old)
        }
        for real, shipped in list(self.by_path.items()):
            member = shipped.member
            if member.path not in conffiles[shipped.deb.name]:
                continue
            content = root.contents.get(real)
            is_unchanged = content is not None and (member.path, _md5(content)) in sums
            if real in files.files and member.kind == "file" and is_unchanged:
                kept = replace(member, mode=files.files[real])
                self.by_path[real] = replace(shipped, member=kept)
            elif (
                real in files.files
                or real in files.symlinks
                or member.path in before[shipped.deb.name]
            ):
                del self.by_path[real]


def _md5(content: bytes) -> str:
    """The sum that dpkg keeps, which protects from accidents only."""
    return md5(content, usedforsecurity=False).hexdigest()


def claims_of(wanted: Sequence[Shipped], files: FileIndex) -> tuple[Claims, Places]:
    """What stands where, when nothing but the packages themselves is asked.

    Args:
        wanted: the members that are to be unpacked, directories among them.
        files: the root.

    Raises:
        PackageError: two packages ship one file, and neither replaces the other.
        BaseError: symbolic links run in a circle.
    """
    claims = Claims()
    packed = claims.contested((s.path, s) for s in wanted if s.member.kind != "directory")
    links = {p: s.member.target for p, s in packed.items() if s.member.kind == "symbolic link"}
    directories = {s.path for s in wanted if s.member.kind == "directory"}
    places = Places(files, links, directories)
    claims.by_path = claims.contested(
        (real, s)
        for path, s in packed.items()
        for real in (places.of(path),)
        if s.member.kind != "symbolic link" or places.links.get(real) == s.member.target
    )
    return claims, places
