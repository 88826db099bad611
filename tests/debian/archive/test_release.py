"""Release files: whose they are, for what and until when."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysequoia import SignatureMode, Tsk, sign

from builder.debian.archive.release import Release, parse_release, verify_detached, verify_inline
from builder.debian.archive.sources import AptSource
from builder.errors import ArchiveError, exit_code
from layers.digest import Digest
from tests.debian.archives import make_key

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
KEY = make_key()
OTHER = make_key("Other <other@example.org>")
TEXT = b"Codename: bookworm\n- a dash\nSHA256:\n"
_NINES = "Mon, 01 Jan 2024 00:00:00 +" + 20 * "9"
DIGEST = Digest.of(b"x").hex


def source(**changes: object) -> AptSource:
    known: dict[str, object] = {
        "uri": "http://user:secret@a.example/debian",
        "suite": "bookworm",
        "components": ("main",),
        "keyring": bytes(KEY.extract_certificate()),
        "signed_by": "/usr/share/keyrings/local.gpg",
    }
    return AptSource(**{**known, **changes})  # type: ignore[arg-type]


def clear(text: bytes = TEXT, key: Tsk = KEY) -> bytes:
    return sign(key.signer(), text, mode=SignatureMode.CLEAR)


def detached(text: bytes = TEXT, key: Tsk = KEY) -> bytes:
    return sign(key.signer(), text, mode=SignatureMode.DETACHED)


def text(**fields: str | None) -> bytes:
    known: dict[str, str | None] = {
        "Suite": "oldstable",
        "Codename": "bookworm",
        "Date": "Mon, 23 Nov 2026 07:00:00 UTC",
        "SHA256": f"\n {DIGEST}  17 main/binary-amd64/Packages.xz",
    }
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    merged = {**known, **named}
    return "".join(f"{n}: {v}\n" for n, v in merged.items() if v is not None).encode()


def parse(asked: AptSource | None = None, **fields: str | None) -> Release:
    return parse_release(text(**fields), asked or source(), NOW)


def inline(raw: bytes, asked: AptSource) -> bytes:
    return verify_inline(raw, asked, datetime.now(UTC))


def outside(raw: bytes, signature: bytes, asked: AptSource) -> bytes:
    return verify_detached(raw, signature, asked, datetime.now(UTC))


def test_what_is_signed_is_what_counts() -> None:
    raw = clear()
    assert inline(raw, source()).rstrip() == TEXT.rstrip()
    assert inline(raw + b"\nCodename: evil\n", source()).rstrip() == TEXT.rstrip()


def test_keyrings_may_be_armored_and_hold_others() -> None:
    armored = f"{OTHER.extract_certificate()}\n{KEY.extract_certificate()}".encode()
    assert inline(clear(), source(keyring=armored))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (TEXT, "InRelease is not a signed text"),
        (b"", "InRelease is not a signed text"),
        (b"Codename: evil\n" + clear(), "InRelease is not a signed text"),
        (b"<html>sign in to the wireless network</html>", "InRelease is not a signed text"),
        (clear().replace(b"bookworm", b"buckworm"), "signed by no key of /usr/share/keyrings/loc"),
        (clear(key=OTHER), "signed by no key of /usr/share/keyrings/local.gpg"),
        (clear()[:80], "signed by no key of /usr/share/keyrings/local.gpg"),
        (clear()[:-40], "signed by no key of /usr/share/keyrings/local.gpg"),
    ],
    ids=["plain", "empty", "prefixed", "portal", "tampered", "stranger", "cut", "cut-signature"],
)
def test_what_nobody_known_signed_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(ArchiveError, match=message) as caught:
        inline(raw, source())
    assert caught.value.message.startswith("a.example/debian bookworm: ")
    assert "secret" not in caught.value.message
    assert "\n" not in caught.value.message, "no stack trace"
    assert "trusted=yes is not honoured" in (caught.value.hint or "")
    assert exit_code(caught.value) == 3


@pytest.mark.parametrize("keyring", [b"", b"junk", b"-----BEGIN PGP PUBLIC KEY BLOCK-----"])
def test_without_a_key_nothing_is_trusted(keyring: bytes) -> None:
    message = "there is no valid key to check its signature with in /usr/share/keyrings/local.gpg"
    with pytest.raises(ArchiveError, match=message):
        inline(clear(), source(keyring=keyring))
    with pytest.raises(ArchiveError, match=message):
        outside(TEXT, detached(), source(keyring=keyring))


def test_a_detached_signature() -> None:
    assert outside(TEXT, detached(), source()) == TEXT
    with pytest.raises(ArchiveError, match="is signed by no key of"):
        outside(TEXT + b"x", detached(), source())
    with pytest.raises(ArchiveError, match="is signed by no key of"):
        outside(TEXT, detached(key=OTHER), source())
    for junk in (b"", b"junk", b"-----BEGIN PGP SIGNATURE-----"):
        with pytest.raises(ArchiveError, match=r"Release\.gpg (cannot be read|holds no signature)"):
            outside(TEXT, junk, source())


def test_a_keyring_that_nobody_read_is_named() -> None:
    asked = source(unread=("the keyring /opt/x.gpg is not one that is looked at",))
    for keyring in (b"", bytes(OTHER.extract_certificate())):
        with pytest.raises(ArchiveError) as caught:
            inline(clear(), replace(asked, keyring=keyring))
        assert caught.value.hint == (
            "the keyring /opt/x.gpg is not one that is looked at: name a copy of it as keyring in "
            "the setting apt-sources"
        )


def test_one_good_signature_of_several_is_enough() -> None:
    def packet(key: Tsk) -> bytes:
        return sign(key.signer(), TEXT, mode=SignatureMode.DETACHED, armor=False)

    assert outside(TEXT, packet(OTHER) + packet(KEY), source()) == TEXT
    assert outside(TEXT, packet(KEY) + packet(OTHER), source()) == TEXT


def test_a_source_may_insist_on_a_key() -> None:
    both = bytes(KEY.extract_certificate()) + bytes(OTHER.extract_certificate())
    own, other = (key.extract_certificate().fingerprint.upper() for key in (KEY, OTHER))
    assert inline(clear(), source(keyring=both, fingerprints=(other, own)))
    with pytest.raises(ArchiveError, match=f"and its source wants {other}"):
        inline(clear(), source(keyring=both, fingerprints=(other,)))
    # The key that signs is a subkey, which an exclamation mark leaves out.
    with pytest.raises(ArchiveError, match=f"and its source wants {own}!"):
        inline(clear(), source(fingerprints=(f"{own}!",)))


def test_an_expired_key_signs_nothing() -> None:
    now = datetime.now(UTC)
    certificate = KEY.extract_certificate()
    expiring = certificate.set_expiration(now + timedelta(hours=1), KEY.certifier())
    asked = source(keyring=bytes(expiring))
    assert verify_inline(clear(), asked, now)
    with pytest.raises(ArchiveError, match="there is no valid key"):
        verify_inline(clear(), asked, now + timedelta(hours=2))
    snapshot = source(keyring=bytes(expiring), moment=now)
    assert verify_inline(clear(), snapshot, now + timedelta(hours=2))
    expired = certificate.set_expiration(now - timedelta(seconds=30), KEY.certifier())
    for moment in (now, now - timedelta(seconds=40)):
        with pytest.raises(ArchiveError, match=r"no valid key|is signed by no key"):
            verify_inline(clear(), source(keyring=bytes(expired)), moment)


def test_a_revoked_key_signs_nothing() -> None:
    certificate = KEY.extract_certificate()
    revoked = bytes(certificate) + bytes(certificate.revoke(KEY.certifier()))
    with pytest.raises(ArchiveError, match="is signed by no key"):
        inline(clear(), source(keyring=revoked))


def test_what_a_release_lists() -> None:
    release = parse(Acquire_By_Hash="yes", Architectures="all amd64")
    (file,) = release.files.values()
    assert (file.path, file.size, file.digest.hex) == ("main/binary-amd64/Packages.xz", 17, DIGEST)
    assert (release.by_hash, release.priority, release.all_apart) == (True, 500, True)
    together = parse(Architectures="all amd64", No_Support_for_Architecture_all="Packages")
    assert (together.by_hash, together.all_apart) == (False, False)


def test_priorities_are_apts() -> None:
    assert parse(NotAutomatic="yes").priority == 1
    assert parse(NotAutomatic="yes", ButAutomaticUpgrades="yes").priority == 100
    assert parse(ButAutomaticUpgrades="yes").priority == 500


@pytest.mark.parametrize("suite", ["bookworm", "oldstable", "bookworm/updates", "./"])
def test_a_suite_may_be_called_by_either_name(suite: str) -> None:
    assert parse(source(suite=suite)).files


def test_another_suite_is_refused() -> None:
    with pytest.raises(ArchiveError) as caught:
        parse(source(suite="trixie"))
    assert caught.value.message == (
        "a.example/debian trixie: its Release file is that of bookworm or oldstable, wanted trixie"
    )
    with pytest.raises(ArchiveError, match="is that of no suite, wanted bookworm"):
        parse(Suite=None, Codename=None)
    with pytest.raises(ArchiveError, match="is that of no suite, wanted bookworm"):
        parse(Suite="", Codename="")
    assert parse(source(suite="./"), Suite=None, Codename=None).files


@given(st.text("0129,:+- MonJan", max_size=40))
def test_whatever_a_date_is_it_is_read_or_refused(date: str) -> None:
    with contextlib.suppress(ArchiveError):
        release = parse(source(check_date=False), Date=date, Valid_Until=date)
        assert release.date is None or release.date.utcoffset() == timedelta(0)


def test_an_expired_release_is_refused() -> None:
    until = "Sun, 22 Nov 2026 08:00:00 UTC"
    with pytest.raises(ArchiveError) as caught:
        parse(Valid_Until=until)
    assert caught.value.message == (
        "a.example/debian bookworm: its Release file expired at 2026-11-22 08:00:00 UTC, "
        "and it is 2026-11-23 08:00:00 UTC now"
    )
    assert parse(source(check_valid_until=False), Valid_Until=until).files
    assert parse(source(moment=NOW - timedelta(days=2)), Valid_Until=until).files
    with pytest.raises(ArchiveError, match="and it is 2026-11-22 20:00:00 UTC in the snapshot"):
        parse(source(moment=NOW - timedelta(hours=12)), Valid_Until=until)
    assert parse(Valid_Until="Mon, 23 Nov 2026 08:00:00 +0000").files


def test_a_release_from_the_future_is_refused() -> None:
    assert parse(Date="Mon, 23 Nov 2026 08:00:10 UTC").files
    later = "Mon, 23 Nov 2026 08:00:11 UTC"
    with pytest.raises(ArchiveError, match=r"is of 2026-11-23 08:00:11 UTC, and it is .*:00 UTC n"):
        parse(Date=later)
    assert parse(source(check_date=False), Date=later).files
    assert parse(source(moment=NOW), Date=later).files


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Date": None}, "has no Date"),
        ({"Date": "tomorrow"}, "has a Date that is no time: 'tomorrow'"),
        ({"Valid_Until": "never"}, "has a Valid-Until that is no time: 'never'"),
        ({"Date": _NINES}, "has a Date that is no time"),
        ({"Valid_Until": _NINES}, "has a Valid-Until that is no time"),
        ({"Valid_Until": "Fri, 31 Dec 9999 23:59:59 -1200"}, "has a Valid-Until that is no time"),
        ({"SHA256": None, "MD5Sum": "x"}, "lists no SHA-256; nothing weaker is taken"),
        ({"SHA256": "\n 0123 17 main/x"}, "has a SHA256 line '0123 17 main/x'"),
        ({"SHA256": f"\n {DIGEST} -1 main/x"}, "has a SHA256 line"),
    ],
)
def test_what_cannot_be_read_is_refused(fields: dict[str, str | None], message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        parse(None, **fields)
