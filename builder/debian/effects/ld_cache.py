"""What ``ldconfig`` does: the loader's cache, and links by the names that libraries go by."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from builder.debian.effects.ld_format import Cache, Library, decode, encode, sort_key
from builder.debian.effects.mutable_root import MutableRoot
from builder.elf import Elf, read_elf
from layers.entries import FileEntry, HardLinkEntry, SymlinkEntry

CACHE = "etc/ld.so.cache"
_CONFIGURATION = "etc/ld.so.conf"
_DEEPEST = 16  # of includes; a circle would not end
_LIBRARY = re.compile(r"(?:(?:lib|ld-).*\.so.*|ld(?:64)?\.so\..*)", re.DOTALL)

# Debian's architecture -> where its libraries are, and the flags by which glibc tells its ABI.
# https://wiki.debian.org/Multiarch/Tuples, sysdeps/generic/ldconfig.h
_ARCHITECTURES = {
    "amd64": ("x86_64-linux-gnu", 0x0303),
    "arm64": ("aarch64-linux-gnu", 0x0A03),
    "armel": ("arm-linux-gnueabi", 0x0B03),
    "armhf": ("arm-linux-gnueabihf", 0x0903),
    "i386": ("i386-linux-gnu", 0x0003),
    "loong64": ("loongarch64-linux-gnu", 0x1203),
    "mips64el": ("mips64el-linux-gnuabi64", 0x0703),
    "mipsel": ("mipsel-linux-gnu", 0x0003),
    "ppc64el": ("powerpc64le-linux-gnu", 0x0503),
    "riscv64": ("riscv64-linux-gnu", 0x1003),
    "s390x": ("s390x-linux-gnu", 0x0403),
    "x32": ("x86_64-linux-gnux32", 0x0803),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A library in a directory; ``name`` is the file's or the link's."""

    name: str
    flags: int
    is_link: bool

    def is_better_than(self, other: "_Found") -> bool:
        """A file before a link, then the higher version."""
        if self.is_link != other.is_link:
            return other.is_link
        return sort_key(self.name) > sort_key(other.name)


def update_ld_cache(tree: MutableRoot, *, architecture: str, libc: str | None) -> None:
    """Write the cache for what the tree has, and the links that it relies on.

    The root's own libraries are those of its cache that are still there: their content is not at
    hand. Libraries in ``glibc-hwcaps`` directories are left out; their plain variants are found.

    Args:
        tree: is read, and added to.
        architecture: Debian's name, of the image.
        libc: version of the C library's package when it is among the new ones.

    Raises:
        PackageError: the root's cache cannot be read.
    """
    before = tree.read(CACHE)
    cache = decode(before) if before else Cache()
    libraries: list[Library] = []
    known = _Known(tree, cache)
    for directory in _directories(tree, architecture):
        found = known.libraries_in(directory)
        for soname, one in found.items():
            if not one.is_link and not tree.is_file(f"{directory}/{soname}"):
                tree.link(f"{directory.lstrip('/')}/{soname}", one.name)
            libraries.append(Library(soname=soname, path=f"{directory}/{soname}", flags=one.flags))
    if not libraries:
        return
    generator = (
        f"ldconfig (Debian GLIBC {libc}) stable release version {libc.split('-')[0]}"
        if libc
        else cache.generator
    )
    tree.write(CACHE, encode(libraries, generator=generator, little_endian=architecture != "s390x"))


class _Known:
    """What can be told of the libraries in each directory."""

    def __init__(self, tree: MutableRoot, cache: Cache) -> None:
        self._composition = tree
        self._cached: dict[str, list[Library]] = {}
        self._by_file: dict[str, Library] = {}
        self._packed: dict[str, list[str]] = {}
        for library in cache.libraries:
            if tree.is_file(library.path):
                directory = tree.files.resolve(posixpath.dirname(library.path))
                self._cached.setdefault(directory, []).append(library)
                self._by_file.setdefault(tree.files.resolve(library.path), library)
        for path, entry in tree.packed.items():
            directory, _, name = path.rpartition("/")
            if isinstance(entry, FileEntry | HardLinkEntry | SymlinkEntry) and _LIBRARY.fullmatch(
                name
            ):
                self._packed.setdefault(directory, []).append(path)

    def libraries_in(self, directory: str) -> dict[str, _Found]:
        """The best library for each soname in a directory."""
        real = self._composition.files.resolve(directory)
        found: dict[str, _Found] = {}
        for path in sorted(self._packed.get(real, ())):
            told = self._tell(path)
            if told and (told[0] not in found or told[1].is_better_than(found[told[0]])):
                found[told[0]] = told[1]
        for library in self._cached.get(real, ()):
            # That it is in the cache says that the name is there: nothing is to be linked.
            one = _Found(name=library.soname, flags=library.flags, is_link=True)
            found.setdefault(posixpath.basename(library.path), one)
        return found

    def _tell(self, path: str) -> tuple[str, _Found] | None:
        name = posixpath.basename(path)
        facts = self._facts(self._composition.files.resolve(path))
        if facts is None:
            return None
        soname, flags = facts[0] or name, facts[1]
        is_link = self._composition.target(path) is not None
        # What the linker asks for, libx.so -> libx.so.1, is found under its own name. A link with
        # any other name is taken for one more copy of the library.
        is_link = is_link and (name == soname or (name.endswith(".so") and soname.startswith(name)))
        return name if is_link else soname, _Found(name=name, flags=flags, is_link=is_link)

    def _facts(self, real: str) -> tuple[str | None, int] | None:
        entry = self._composition.packed.get(real)
        if isinstance(entry, HardLinkEntry):
            entry = self._composition.packed.get(entry.target)
        if isinstance(entry, FileEntry):
            with entry.content.open() as stream:
                elf = read_elf(stream)
            return (elf.soname, flags) if elf and (flags := _flags(elf)) is not None else None
        if entry is None and (library := self._by_file.get(real)):
            return library.soname, library.flags
        return None


def _flags(elf: Elf) -> int | None:
    if elf.kind != "shared" or not elf.is_dynamic or elf.architecture not in _ARCHITECTURES:
        return None
    return _ARCHITECTURES[elf.architecture][1]


def _directories(tree: MutableRoot, architecture: str) -> Iterator[str]:
    """Absolute paths, each directory once: those of the configuration, then the built-in ones."""
    triplet = _ARCHITECTURES[architecture][0]
    builtin = (f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib", "/usr/lib")
    seen = set()
    for directory in (*_configured(tree, _CONFIGURATION, 0), *builtin):
        real = tree.files.resolve(directory)
        if real not in seen:
            seen.add(real)
            yield directory


def _configured(tree: MutableRoot, path: str, depth: int) -> Iterator[str]:
    for raw in tree.text(path).split("\n"):
        line = raw.partition("#")[0].strip()
        words = line.split()
        if words and words[0] == "include" and depth < _DEEPEST:
            for pattern in words[1:]:
                for included in tree.matching(
                    posixpath.join(f"/{posixpath.dirname(path)}", pattern)
                ):
                    yield from _configured(tree, included, depth + 1)
        elif line.startswith("/"):
            yield re.sub(r"=[^/]*$", "", line).rstrip("/ \t") or "/"
