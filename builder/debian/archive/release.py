"""Release files: what an archive's suite consists of, under a signature.

https://wiki.debian.org/DebianRepository/Format#A.22Release.22_files
https://manpages.debian.org/bookworm/apt/apt-secure.8.en.html
"""

import email.utils
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pysequoia
from pysequoia.packet import PacketPile, Tag

from builder.debian.archive.keyring import certificates
from builder.debian.archive.sources import AptSource
from builder.debian.control import parse_paragraph
from builder.errors import ArchiveError
from layers.digest import Digest

_CLEARSIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_MAX_FUTURE = timedelta(seconds=10)
"""As apt's ``Acquire::Max-FutureTime``."""

_LISTED = re.compile(r"(?P<digest>[0-9a-fA-F]{64})[ \t]+(?P<size>\d{1,15})[ \t]+(?P<path>\S+)")
_PRIORITY, _PRIORITY_UPGRADES, _PRIORITY_NEVER = 500, 100, 1
_SIGNED = (
    "an archive has to be signed by a key that its source names; trusted=yes is not honoured. "
    "A new key comes with a newer keyring, or by the setting apt-sources"
)
_NAME_IT = "name a copy of it as keyring in the setting apt-sources"
_CLOCK = "check this machine's clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """A file that a Release file answers for."""

    path: str
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A verified Release file.

    Attributes:
        date: when it was made, in UTC; None when it does not say.
        files: what it lists under SHA256, by path from the suite's directory.
        by_hash: the files can also be had by their digest.
        priority: that apt gives to the suite's packages.
        all_apart: packages for every architecture have an index of their own.
    """

    date: datetime | None
    files: Mapping[str, IndexFile]
    by_hash: bool
    priority: int
    all_apart: bool


def verify_inline(raw: bytes, source: AptSource, now: datetime) -> bytes:
    """The text that an ``InRelease`` file signs; what stands around it is left out.

    Args:
        raw: the file.
        source: says who may sign.
        now: the time, with a zone; a key that has expired by then signs nothing, unless the
            source is a snapshot of when it had not.

    Raises:
        ArchiveError: it is not signed by a key of the source's.
    """
    if not raw.startswith(_CLEARSIGNED):
        raise ArchiveError(f"{source}: InRelease is not a signed text", hint=_SIGNED)
    return _verified(raw, None, source, now)


def verify_detached(raw: bytes, signature: bytes, source: AptSource, now: datetime) -> bytes:
    """A ``Release`` file, if its ``Release.gpg`` has a signature by a key of the source's.

    Args:
        raw: the file.
        signature: the other file; one good signature is enough.
        source: as for ``verify_inline``.
        now: as for ``verify_inline``.

    Raises:
        ArchiveError: it has not.
    """
    try:
        packets = [bytes(p) for p in PacketPile.from_bytes(signature) if p.tag == Tag.Signature]
    except RuntimeError as error:
        message = f"{source}: Release.gpg cannot be read: {_first_line(error)}"
        raise ArchiveError(message, hint=_SIGNED) from None
    refusal = ArchiveError(f"{source}: Release.gpg holds no signature", hint=_SIGNED)
    for packet in packets:
        try:
            return _verified(raw, packet, source, now)
        except ArchiveError as error:
            refusal = error
    raise refusal


def _verified(raw: bytes, signature: bytes | None, source: AptSource, now: datetime) -> bytes:
    # Sequoia asks whether the key was valid when it signed; apt, whether it is now.
    keys = [
        cert
        for cert in certificates(source.keyring)
        if cert.expiration is None or cert.expiration > (source.moment or now)
    ]
    hint = _SIGNED
    if source.unread:
        hint = f"{'; '.join(source.unread)}: {_NAME_IT}"
    if not keys:
        raise ArchiveError(
            f"{source}: there is no valid key to check its signature with in {source.signed_by}",
            hint=hint,
        )
    try:
        detached = pysequoia.Sig.from_bytes(signature) if signature else None
        result = pysequoia.verify(bytes=raw, store=lambda _: keys, signature=detached)
    except RuntimeError as error:
        raise ArchiveError(
            f"{source}: its Release file is signed by no key of {source.signed_by}: "
            f"{_first_line(error)}",
            hint=hint,
        ) from None
    signers = [(sig.signing_key.upper(), sig.certificate.upper()) for sig in result.valid_sigs]
    if not any(_is_wanted(*signer, source) for signer in signers) or result.bytes is None:
        raise ArchiveError(
            f"{source}: its Release file is signed by {', '.join(key for key, _ in signers)}, "
            f"and its source wants {', '.join(source.fingerprints)}",
            hint=_SIGNED,
        )
    return result.bytes


def _is_wanted(key: str, certificate: str, source: AptSource) -> bool:
    if not source.fingerprints:
        return True
    return any(
        key == wanted.removesuffix("!") or certificate == wanted for wanted in source.fingerprints
    )


def _first_line(error: RuntimeError) -> str:
    """Without the stack trace that follows."""
    return str(error).partition("\n")[0].rstrip(".")


def parse_release(signed: bytes, source: AptSource, now: datetime) -> Release:
    """Read a verified Release file.

    Args:
        signed: its text.
        source: what was asked for.
        now: the time, with a zone.

    Raises:
        ArchiveError: it is for another suite, not for this time, or lists no SHA-256.
    """
    fields = parse_paragraph(signed.decode("utf-8", "replace"))
    _check_suite(fields, source)
    _check_time(fields, source, now)
    if "SHA256" not in fields:
        raise ArchiveError(f"{source}: its Release file lists no SHA-256; nothing weaker is taken")
    architectures = fields.get("Architectures", "").split()
    return Release(
        date=_time(fields, "Date", source),
        files=_files(fields["SHA256"], source),
        by_hash=_says_yes(fields, "Acquire-By-Hash"),
        priority=_priority(fields),
        all_apart="all" in architectures
        and "Packages" not in fields.get("No-Support-for-Architecture-all", "").split(),
    )


def _check_suite(fields: Mapping[str, str], source: AptSource) -> None:
    names = {fields[name] for name in ("Suite", "Codename") if fields.get(name)}
    # ``bookworm/updates`` is the older name of a suite that calls itself ``bookworm``.
    wanted = {source.suite, source.suite.removesuffix("/updates")}
    if not source.suite.endswith("/") and not names & wanted:
        raise ArchiveError(
            f"{source}: its Release file is that of {' or '.join(sorted(names)) or 'no suite'}, "
            f"wanted {source.suite}",
            hint="name the suite that you want by its code name, or use another mirror",
        )


def _check_time(fields: Mapping[str, str], source: AptSource, now: datetime) -> None:
    if source.check_date and source.moment is None:
        date = _time(fields, "Date", source)
        if date is None:
            raise ArchiveError(f"{source}: its Release file has no Date")
        if date > now + _MAX_FUTURE:
            raise ArchiveError(
                f"{source}: its Release file is of {shown(date)}, and it is {shown(now)} now",
                hint=_CLOCK,
            )
    until = _time(fields, "Valid-Until", source) if source.check_valid_until else None
    moment = source.moment or now
    if until is not None and until < moment:
        raise ArchiveError(
            f"{source}: its Release file expired at {shown(until)}, "
            f"and it is {shown(moment)} {'in the snapshot' if source.moment else 'now'}",
            hint=f"this mirror may be behind; use another, or {_CLOCK}",
        )


def _time(fields: Mapping[str, str], name: str, source: AptSource) -> datetime | None:
    text = fields.get(name)
    if text is None:
        return None
    try:
        moment = email.utils.parsedate_to_datetime(text)
        # Without a zone, it is meant to be in UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArchiveError(
            f"{source}: its Release file has a {name} that is no time: {text!r}"
        ) from None


def shown(moment: datetime) -> str:
    """A time for messages."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _files(listed: str, source: AptSource) -> dict[str, IndexFile]:
    files = {}
    for line in filter(None, map(str.strip, listed.splitlines())):
        found = _LISTED.fullmatch(line)
        if found is None:
            raise ArchiveError(f"{source}: its Release file has a SHA256 line {line!r}")
        digest = Digest(f"sha256:{found['digest'].lower()}")
        path = found["path"].removeprefix("./")
        files[path] = IndexFile(path=path, digest=digest, size=int(found["size"]))
    return files


def _says_yes(fields: Mapping[str, str], name: str) -> bool:
    return fields.get(name, "").lower() in {"yes", "true", "1", "with", "on", "enable"}


def _priority(fields: Mapping[str, str]) -> int:
    """https://manpages.debian.org/bookworm/apt/apt_preferences.5.en.html#APT's_Default_Priority_Assignments."""
    if not _says_yes(fields, "NotAutomatic"):
        return _PRIORITY
    upgrades = _says_yes(fields, "ButAutomaticUpgrades")
    return _PRIORITY_UPGRADES if upgrades else _PRIORITY_NEVER
