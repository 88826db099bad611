"""Archives that packages come from: apt's own sources files, read as apt reads them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from builder.debian.archive.keyring import global_keys, joined
from builder.debian.archive.sources_list import SourceEntry, parse_deb822, parse_list
from builder.debian.root import Root
from builder.errors import PackageError, SettingsError
from builder.transport import host_of
from layers.digest import Digest

_MAIN_FILE = "etc/apt/sources.list"
_PARTS = "etc/apt/sources.list.d"
_PART_NAME = re.compile(r"[A-Za-z0-9_.-]+\.(list|sources)")
_FINGERPRINT = re.compile(r"(?:0x)?([0-9A-Fa-f]{16,64}!?)")
_INLINE_KEY = "-----BEGIN PGP"
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_ONE_SNAPSHOT = re.compile(r"(.*)/\d{8}T\d{6}Z")
_SNAPSHOTS = "http://snapshot.debian.org/archive"
_SNAPSHOT_ARCHIVES = re.compile(r"debian(?:-[a-z]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSource:
    """A suite of one archive.

    Its Release file has to be signed by one of its keys. ``trusted=yes``, which makes apt take
    an archive without a signature, is not honoured.

    Attributes:
        uri: the archive's root, without a slash at its end; it may hold a user and a password.
        suite: ``bookworm``, or the path of a flat repository, with a slash at its end.
        components: ``main``, ...; none for a flat repository.
        keyring: OpenPGP certificates, binary or armored; without any, nothing is trusted.
        fingerprints: of keys of the keyring, the only ones that count; none: all of them do. One
            that ends in ``!`` leaves out the subkeys.
        architectures: the only ones to ask for; none: any.
        check_date: refuse a Release file from the future.
        check_valid_until: refuse a Release file that has expired.
        moment: when ``Valid-Until`` is judged: a snapshot's own time; None: now.
        signed_by: where the keys are from, for messages.
        unread: why keys may be missing, for messages: keyrings that it names and nobody read.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    keyring: bytes
    fingerprints: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    check_date: bool = True
    check_valid_until: bool = True
    moment: datetime | None = None
    signed_by: str = "its keyring"
    unread: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """Where it is, without credentials."""
        return host_of(self.uri)

    @property
    def identity(self) -> str:
        """All that decides what it answers, without credentials."""
        parts = (
            f"{urlsplit(self.uri).scheme}://{self}",
            *(" ".join(words) for words in (self.components, self.fingerprints)),
            " ".join(self.architectures),
            Digest.of(self.keyring).hex,
            f"date {self.check_date}, end {self.check_valid_until}",
            self.moment.isoformat() if self.moment else "now",
        )
        return "; ".join(parts)

    def __str__(self) -> str:
        return f"{self.host}{urlsplit(self.uri).path} {self.suite}"


def read_sources(root: Root) -> tuple[AptSource, ...]:
    """What ``apt-get`` in a root would ask, in its order; ``deb-src`` and CD-ROMs are left out.

    Of the options ``arch``, ``signed-by``, ``check-date`` and ``check-valid-until`` count;
    apt's configuration and preferences are not read.

    Raises:
        BaseError: the root's symbolic links run in a circle.
        PackageError: a sources file cannot be understood; it names file and line.
    """
    return tuple(_source(entry, root) for entry in _entries(root))


def named_keyrings(root: Root) -> tuple[str, ...]:
    """Absolute paths of the keyrings that a root's sources name.

    Raises:
        BaseError: the root's symbolic links run in a circle.
        PackageError: a sources file cannot be understood.
    """
    named = [path for entry in _entries(root) for path in _signed_by(entry)[1]]
    return tuple(path for path in dict.fromkeys(named) if path.startswith("/"))


def with_mirror(sources: Iterable[AptSource], mirror: str) -> tuple[AptSource, ...]:
    """Every source at another host, below the mirror's path.

    ``http://a.example/debian-security`` at ``https://m.example/x`` becomes
    ``https://m.example/x/debian-security``; the keys stay. A mirror that is given as the place of
    one of the archives, ``https://m.example/x/debian``, means the same.
    """
    sources = tuple(sources)
    paths = {urlsplit(source.uri).path for source in sources}
    above = mirror.rstrip("/")
    for path in sorted(filter(None, paths)):
        if above.endswith(path):
            above = above.removesuffix(path)
            break
    return tuple(replace(source, uri=f"{above}{urlsplit(source.uri).path}") for source in sources)


def at_snapshot(sources: Iterable[AptSource], stamp: str) -> tuple[AptSource, ...]:
    """The sources as they were at a time.

    ``.../debian`` becomes ``http://snapshot.debian.org/archive/debian/STAMP``.

    Args:
        sources: archives that are archived there: Debian's own.
        stamp: ``20250520T000000Z``.

    Raises:
        PackageError: a source is not an archive of Debian's.
        SettingsError: the stamp is none.
    """
    moment = _moment(stamp)
    return tuple(
        replace(source, uri=f"{_SNAPSHOTS}/{_archive_name(source)}/{stamp}", moment=moment)
        for source in sources
    )


def _moment(stamp: str) -> datetime:
    wrong = SettingsError(
        f"apt-snapshot: {stamp!r} is no time; expected one such as 20250520T000000Z"
    )
    if not _STAMP.fullmatch(stamp):
        raise wrong
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise wrong from None


def _archive_name(source: AptSource) -> str:
    path = urlsplit(source.uri).path.rstrip("/")
    earlier = _ONE_SNAPSHOT.fullmatch(path)
    name = (earlier[1] if earlier else path).rpartition("/")[2]
    if not _SNAPSHOT_ARCHIVES.fullmatch(name):
        raise PackageError(
            f"apt-snapshot: there are no snapshots of {source}: only of Debian's own archives",
            hint="name the sources that have them in the setting apt-sources",
        )
    return name


def _entries(root: Root) -> Iterator[SourceEntry]:
    main = root.read(_MAIN_FILE)
    if main is not None:
        yield from parse_list(_text(main), f"/{_MAIN_FILE}")
    parsers: dict[str, Callable[[str, str], Iterator[SourceEntry]]]
    parsers = {"list": parse_list, "sources": parse_deb822}
    for name, content in root.listing(_PARTS).items():
        if part := _PART_NAME.fullmatch(name):
            yield from parsers[part[1]](_text(content), f"/{_PARTS}/{name}")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _source(entry: SourceEntry, root: Root) -> AptSource:
    check_date = not entry.says_no("check-date")
    return AptSource(
        uri=entry.uri,
        suite=entry.suite,
        components=entry.components,
        architectures=tuple(entry.options.get("architectures", "").split()),
        check_date=check_date,
        # As apt: who does not look at the date cannot tell what has expired.
        check_valid_until=check_date and not entry.says_no("check-valid-until"),
        **_keys(entry, root),
    )


def _keys(entry: SourceEntry, root: Root) -> dict[str, Any]:
    value = entry.options.get("signed-by", "").strip()
    if not value:
        return {"keyring": global_keys(root), "signed_by": "/etc/apt/trusted.gpg.d"}
    if value.startswith(_INLINE_KEY):
        lines = ("" if line == "." else line for line in value.splitlines())
        return {"keyring": "\n".join(lines).encode(), "signed_by": entry.place}
    prints, paths = _signed_by(entry)
    contents = _from_files(paths, entry, root)
    return {
        "keyring": joined([*filter(None, contents.values())]) if paths else global_keys(root),
        "fingerprints": tuple(prints),
        "signed_by": " ".join((*prints, *paths)),
        "unread": tuple(_unread(path, root) for path in paths if contents[path] is None),
    }


def _signed_by(entry: SourceEntry) -> tuple[list[str], list[str]]:
    """Fingerprints and paths, when it is not a key."""
    value = entry.options.get("signed-by", "").strip()
    words = [] if value.startswith(_INLINE_KEY) else value.replace(",", " ").split()
    prints = [found[1].upper() for word in words if (found := _FINGERPRINT.fullmatch(word))]
    return prints, [word for word in words if not _FINGERPRINT.fullmatch(word)]


def _unread(path: str, root: Root) -> str:
    if root.files.resolve(path) in root.files.files:
        return (
            f"the keyring {path} of the base is not one that is looked at: only those in /etc/apt "
            "and /usr/share/keyrings are"
        )
    return f"there is no keyring {path} that can be read"


def _from_files(paths: Sequence[str], entry: SourceEntry, root: Root) -> Mapping[str, bytes | None]:
    for path in paths:
        if not path.startswith("/"):
            raise PackageError(
                f"apt's sources: {entry.place}: Signed-By: {path!r} is neither an absolute path, "
                "nor a fingerprint, nor a key"
            )
    return {path: root.read(path) for path in paths}
