"""apt's sources files, in both formats, as they are written.

https://manpages.debian.org/bookworm/apt/sources.list.5.en.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from builder.errors import PackageError

_LINE = re.compile(
    r"(?P<type>\S+)\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)"
)
_CDROM = re.compile(r"\S+\s+(?:\[[^\]]*\]\s*)?\"?cdrom:")
_UNTIL_COMMENT = re.compile(r"(?:[^#\[]|\[[^\]]*\]|\[)*")
_NO = frozenset({"no", "false", "without", "off", "disable", "0"})
_TYPES = frozenset({"deb", "deb-src"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEntry:
    """One source of binary packages.

    Attributes:
        place: file and line, for messages.
        uri: ``http`` or ``https``, without a slash at its end.
        suite: as written; a path that ends in a slash is a flat repository.
        components: none for a flat repository, else at least one.
        options: by their names in the deb822 format, in small letters: ``signed-by``.
    """

    place: str
    uri: str
    suite: str
    components: tuple[str, ...]
    options: Mapping[str, str]

    def says_no(self, option: str) -> bool:
        """Whether an option is switched off."""
        return _is_no(self.options.get(option, ""))


def parse_list(text: str, path: str) -> Iterator[SourceEntry]:
    """The sources of a file in the one-line format.

    Raises:
        PackageError: a line is malformed, or is no source that http can reach.
    """
    for number, line in enumerate(text.splitlines(), 1):
        content = _before_comment(line).strip()
        place = f"{path}, line {number}"
        if not content or _CDROM.match(content):
            continue
        parsed = _LINE.fullmatch(content)
        if parsed is None:
            _refuse(place, f"cannot be read: {_shown(content)}; expected: deb URI SUITE COMPONENT")
        if _is_binary(parsed["type"], place):
            options = _options(parsed["options"] or "", place)
            yield _entry(place, parsed["uri"], parsed["suite"], parsed["rest"].split(), options)


def parse_deb822(text: str, path: str) -> Iterator[SourceEntry]:
    """The sources of a file in the deb822 format.

    Raises:
        PackageError: a paragraph is malformed, or is no source that http can reach.
    """
    for number, fields in _paragraphs(text, path):
        place = f"{path}, line {number}"
        if _is_no(fields.get("enabled", "")):
            continue
        for name in ("Types", "URIs", "Suites"):
            if not fields.get(name.lower()):
                _refuse(place, f"the source has no {name}")
        kinds = [_is_binary(kind, place) for kind in fields["types"].split()]
        if not any(kinds):
            continue
        for uri in fields["uris"].split():
            if uri.startswith("cdrom:"):
                continue
            for suite in fields["suites"].split():
                yield _entry(place, uri, suite, fields.get("components", "").split(), fields)


def _before_comment(line: str) -> str:
    found = _UNTIL_COMMENT.match(line)
    return found[0] if found else ""


def _is_binary(kind: str, place: str) -> bool:
    if kind not in _TYPES:
        _refuse(place, f"type {kind!r} is unknown; expected deb or deb-src")
    return kind == "deb"


def _options(text: str, place: str) -> dict[str, str]:
    options = {}
    for item in text.split():
        name, equals, value = item.partition("=")
        if not equals or not value:
            _refuse(place, f"option {item!r} has no value")
        options["architectures" if name == "arch" else name.lower()] = value.replace(",", " ")
    return options


def _entry(
    place: str, uri: str, suite: str, components: list[str], options: Mapping[str, str]
) -> SourceEntry:
    if not uri.lower().startswith(("http://", "https://")):
        scheme = uri.partition(":")[0]
        _refuse(place, f"its packages are reached by {scheme}; expected http or https")
    if suite.endswith("/") == bool(components):
        kind = "a flat repository has" if components else "a suite needs"
        wanted = "no components" if components else "at least one component"
        _refuse(place, f"{kind} {wanted}: suite {suite!r}")
    return SourceEntry(
        place=place,
        uri=uri.rstrip("/"),
        suite=suite,
        components=tuple(dict.fromkeys(components)),
        options=options,
    )


def _paragraphs(text: str, path: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Paragraphs with the line they begin at: field names in small letters, folded lines joined."""
    fields: dict[str, str] = {}
    start, last = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield start, fields
            fields, last = {}, ""
        elif line[0] in " \t":
            if not last:
                _refuse(f"{path}, line {number}", f"continues nothing: {_shown(line.strip())}")
            fields[last] += f"\n{line.strip()}"
        else:
            name, colon, value = line.partition(":")
            if not colon or not name.strip() or " " in name.strip():
                _refuse(f"{path}, line {number}", f"has no field name: {_shown(line)}")
            start = start if fields else number
            last = name.strip().lower()
            fields[last] = value.strip()


def _is_no(value: str) -> bool:
    return value.strip().lower() in _NO


def _shown(text: str) -> str:
    """A line for a message: what stands before an @ in an address may be a password."""
    return repr(re.sub(r"//[^/\s]*@", "//...@", text))


def _refuse(place: str, what: str) -> NoReturn:
    raise PackageError(
        f"apt's sources: {place}: {what}",
        hint="mend that file, or name the sources in the setting apt-sources",
    )
