"""The ELF files of an image, and what is found to be wrong with some."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from builder.checks.finding import Finding, Severity
from builder.checks.native.extension import Extension
from builder.checks.native.loader import Loader
from builder.checks.subject import Origin
from builder.errors import BaseError
from builder.rootfs.file_index import FileIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from builder.checks.subject import Inspected, Subject
    from builder.elf import Elf
    from builder.target import Target

_NAMED = 3
"""How many of a group's files a message names beside the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A new ELF file of an image.

    Attributes:
        path: relative to the root.
        elf: what it says to a loader.
        part: whose it is.
        extension: what its name says, when it is an extension module's.
    """

    path: str
    elf: Elf
    part: Inspected
    extension: Extension | None

    @property
    def name(self) -> str:
        """Without its directory."""
        return self.path.rpartition("/")[2]

    @property
    def is_program(self) -> bool:
        """Whether it is started; some libraries ask for a loader too, to print their version."""
        elf = self.elf
        return elf.is_program or (elf.interpreter is not None and elf.soname is None)

    @property
    def owner(self) -> tuple[str, str]:
        """What tells those who answer for files apart."""
        return self.part.origin, self.part.distribution or self.part.layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something wrong with one file.

    Attributes:
        check: as in the finding.
        about: files of one owner that have trouble about the same are told of together.
        severity: of the finding; the worst of a group counts.
        message: as in the finding.
        fix: as in the finding.
        binary: the file.
        detail: told after the file's name when it is not the group's first.
        otherwise: what it is when no Debian package has what is missing; None: the same.
    """

    check: str
    about: str
    severity: Severity
    message: str
    fix: str
    binary: Binary
    detail: str = ""
    otherwise: Trouble | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """All that is to be checked, and the loader that it has to please.

    Attributes:
        subject: the image.
        target: what it is for.
        new: the files, by path.
        everything: these and the libraries of base and system packages.
        links: resolves symbolic links.
        loader: of the image.
        interpreter: real path of its Python; None when that is no file that is known of.
    """

    subject: Subject
    target: Target
    new: Mapping[str, Binary]
    everything: Mapping[str, Elf]
    links: FileIndex
    loader: Loader = field(repr=False)
    interpreter: str | None

    _by_soname: Mapping[str, list[Binary]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found: dict[str, list[Binary]] = {}
        for binary in self.new.values():
            for name in {binary.name, binary.elf.soname or binary.name}:
                found.setdefault(name, []).append(binary)
        object.__setattr__(self, "_by_soname", found)

    def owner_of(self, soname: str, needing: Binary) -> Binary | None:
        """A new file that is a library of that name, one of the same owner first."""
        found = self._by_soname.get(soname, ())
        alike = [b for b in found if b.elf.architecture == needing.elf.architecture]
        return min(alike, key=lambda b: (b.owner != needing.owner, b.path), default=None)

    def stands(self, path: str) -> bool:
        """Whether a path leads to a file or directory that is known of; links are followed."""
        try:
            real = self.links.resolve(path)
        except BaseError:
            return False
        below = f"{real}/"
        files = self.subject.ground.files
        return (
            real in self.everything
            or files.stands(real)
            or any(p.startswith(below) for part in self.subject.parts for p in part.files)
        )


def gather(subject: Subject, target: Target) -> Binaries:
    """The files that an image adds, as they lie where a container sees them."""
    symlinks = dict(subject.ground.files.symlinks)
    found: dict[str, Binary] = {}
    for part in subject.parts:
        for path in part.files:
            symlinks.pop(path, None)
            found.pop(path, None)
        symlinks |= part.links
        for path, facts in part.files.items():
            if facts.elf is not None:
                extension = Extension.of(path)
                found[path] = Binary(path=path, elf=facts.elf, part=part, extension=extension)
    links = FileIndex(symlinks=symlinks)
    new = {links.resolve_parent(path): binary for path, binary in found.items()}
    everything = {**subject.ground.libraries.files, **{p: b.elf for p, b in new.items()}}
    python = links.resolve(target.python.path)
    loader = Loader(
        elves=everything,
        settled=subject.ground.libraries.files.keys() - new.keys(),
        links=links,
        directories=subject.ground.libraries.directories,
        library_path=_library_path(subject),
        target=target,
    )
    return Binaries(
        subject=subject,
        target=target,
        new=new,
        everything=everything,
        links=links,
        loader=loader,
        interpreter=python if python in everything else None,
    )


def _library_path(subject: Subject) -> tuple[str, ...]:
    values: list[str] = [
        value
        for entry in subject.run.get("Env") or ()
        for name, _, value in [entry.partition("=")]
        if name == "LD_LIBRARY_PATH"
    ]
    return tuple(values[-1].split(":")) if values else ()


def grouped(troubles: Iterable[Trouble]) -> list[Finding]:
    """One finding for all files of one owner that have the same trouble."""
    groups: dict[tuple[str, tuple[str, str], str], list[Trouble]] = {}
    for trouble in troubles:
        key = trouble.check, trouble.binary.owner, trouble.about
        groups.setdefault(key, []).append(trouble)
    return [_finding(_each_file_once(group)) for _, group in sorted(groups.items())]


def _each_file_once(group: list[Trouble]) -> list[Trouble]:
    # Errors before warnings: what is told first is why there is no image.
    group.sort(key=lambda t: (t.severity is not Severity.ERROR, t.binary.path))
    return list({trouble.binary.path: trouble for trouble in reversed(group)}.values())[::-1]


def _finding(group: list[Trouble]) -> Finding:
    first, *others = group
    more = ""
    if others:
        names = [_label(trouble) for trouble in others[:_NAMED]]
        if len(others) > _NAMED:
            names.append("...")
        files = "file" if len(others) == 1 else "files"
        more = f"; the same of {len(others)} more {files}: {', '.join(names)}"
    return Finding(
        check=first.check,
        severity=first.severity,
        message=first.message + more,
        fix=first.fix,
        path=f"/{first.binary.path}",
        distribution=first.binary.part.distribution,
        layer=first.binary.part.layer,
    )


def _label(trouble: Trouble) -> str:
    name = trouble.binary.name
    return f"{name} ({trouble.detail})" if trouble.detail else name


def is_system(binary: Binary) -> bool:
    """Whether neither the user nor a Python package answers for it."""
    return binary.part.origin is Origin.SYSTEM
