"""Paragraphs of ``/var/lib/dpkg/status``, as dpkg itself writes them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import md5

from builder.debian.control import paragraphs
from builder.debian.database.instances import is_replaced
from builder.debian.package import Package
from builder.debian.resolve.relations import parse_relations
from builder.debian.unpack.deb import Deb
from builder.debian.unpack.tar_members import Member
from layers.digest import CHUNK

# dpkg writes the fields that it knows in an order of its own, and all others behind them.
_ORDER = (
    *("Package", "Essential", "Protected", "Status", "Priority", "Section", "Installed-Size"),
    *("Origin", "Maintainer", "Bugs", "Architecture", "Multi-Arch", "Source", "Version"),
    *("Config-Version", "Replaces", "Provides", "Depends", "Pre-Depends", "Recommends"),
    *("Suggests", "Breaks", "Conflicts", "Enhances", "Conffiles", "Description"),
)
_DEPENDENCIES = frozenset(
    {
        *("Replaces", "Provides", "Depends", "Pre-Depends", "Recommends", "Suggests"),
        *("Breaks", "Conflicts", "Enhances"),
    }
)
_INSTALLED = "install ok installed"
_NAME = re.compile(r"^Package:[ \t]*(\S+)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_ARCHITECTURE = re.compile(r"^Architecture:[ \t]*(\S+)[ \t]*$", re.MULTILINE | re.IGNORECASE)


def paragraph(deb: Deb, obsolete: Sequence[tuple[str, str]] = ()) -> str:
    """What dpkg knows of an installed package; no blank line behind it.

    Args:
        deb: the package.
        obsolete: absolute paths and md5 sums of configuration files that only an older version
            had, and that are still there.

    Raises:
        PackageError: a relationship is malformed.
    """
    fields = {**deb.control, "Status": _INSTALLED}
    conffiles = [f" {path} {digest}" for path, digest in _conffiles(deb)]
    conffiles += [f" {path} {digest} obsolete" for path, digest in obsolete]
    if conffiles:
        fields["Conffiles"] = "\n" + "\n".join(conffiles)
    known = [name for name in _ORDER if name in fields]
    others = [name for name in fields if name not in _ORDER]
    return "".join(_line(name, _value(name, fields)) for name in (*known, *others))


def merged(old: str, new: Mapping[str, str]) -> str:
    """A list of packages with others in it.

    Args:
        old: the list as it was; what stays, stays as it is written there.
        new: paragraphs by name of their package; each takes the place of the old one, if there is
            one of the same architecture or either is for all.
    """
    architectures = {name: name_of(text)[1] for name, text in new.items()}
    kept = [text for text in paragraphs(old) if not is_replaced(name_of(text), architectures)]
    whole = [*kept, *new.values()]
    # As dpkg writes it the next time.
    return "".join(f"{text}\n" for text in sorted(whole, key=name_of))


def name_of(text: str) -> tuple[str, str]:
    """A paragraph's package and architecture; empty where it does not say."""
    name, architecture = _NAME.search(text), _ARCHITECTURE.search(text)
    return name[1] if name else "", architecture[1] if architecture else ""


def conffiles_of(package: Package) -> Iterator[tuple[str, str]]:
    """Absolute paths and md5 sums of an installed package's ``Conffiles``."""
    for line in package.fields.get("Conffiles", "").split("\n"):
        words = line.split(" ")
        if line.startswith(" /") and len(words) > 2:  # noqa: PLR2004 - path and sum
            end = -1 if words[-1] != "obsolete" else -2
            yield " ".join(words[1:end]), words[end]


def _value(name: str, fields: Mapping[str, str]) -> str:
    """A field's value; relations as dpkg writes them, whatever blanks the package has in them."""
    if name not in _DEPENDENCIES:
        return fields[name]
    relations = parse_relations(Package(fields=fields), name)
    return ", ".join(" | ".join(map(str, alternatives)) for alternatives in relations)


def _line(name: str, value: str) -> str:
    return f"{name}:{value}\n" if value.startswith("\n") else f"{name}: {value}\n"


def _conffiles(deb: Deb) -> Iterator[tuple[str, str]]:
    wanted = dict.fromkeys(deb.conffiles)
    found = {m.path: m for m in deb.files if m.path in wanted}
    for path in wanted:
        if member := found.get(path):
            yield f"/{path}", _md5_of(member)


def _md5_of(member: Member) -> str:
    """The md5 sum of a file's content: dpkg's, which protects from accidents only."""
    total = md5(usedforsecurity=False)
    if member.content:
        with member.content.open() as stream:
            while data := stream.read(CHUNK):
                total.update(data)
    return total.hexdigest()


def md5sums(deb: Deb) -> bytes:
    """The sums of a package's files, as dpkg makes them for one that has none."""
    lines = (f"{_md5_of(m)}  {m.path}\n" for m in deb.files if m.kind == "file")
    return "".join(lines).encode("utf-8", "surrogateescape")


def joined(lines: Iterable[str]) -> bytes:
    """Lines as a file has them."""
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
