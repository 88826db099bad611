"""Private keys in text, told from what only mentions them.

Documentation and parsers are full of a key's first line, and of keys that are cut short. So the
body is decoded: a key's DER says how long it is, and OpenSSH's format has a name.
https://www.rfc-editor.org/rfc/rfc7468
https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
"""

import base64
import binascii
import re

from builder.checks.leaks.placeholders import is_random

PRIVATE_KEY = "private key"
ENCRYPTED_KEY = "encrypted private key"
SERVICE_ACCOUNT = "Google service-account key"
SSH_KEY = "SSH private key"
KEY_STORE = "key store"
RING = "GnuPG key"
KEY_KINDS = frozenset((PRIVATE_KEY, ENCRYPTED_KEY, SERVICE_ACCOUNT, SSH_KEY, KEY_STORE, RING))

LONGEST_KEY = 16 << 10
"""Bytes from a key's first line to its last, of any key that is found."""

_BEGIN = re.compile(rb"----[- ]BEGIN (?P<label>[A-Z0-9 ]*)PRIVATE KEY(?P<block> BLOCK)?[- ]----")
_LONGEST_LABEL = 60
_NEAR = 4096  # bytes of other members of a JSON object around a key
# What stands between the lines of a key in JSON, YAML, source code, shell and comments.
_BETWEEN = re.compile(rb"\\+[nrt]|[\"']\s*\+\s*|[\s\"'\\,#|>*]")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+=*")
# A needle in the middle of other base64 is none; a word of a path may stand before one.
_LONGEST_WORD = 13
_INSIDE = re.compile(rb"[A-Za-z0-9+/]{%d}" % _LONGEST_WORD)
_OPENSSH = b"openssh-key-v1\0"
_SHORTEST = 40  # bytes; an Ed25519 key is 48
_LINE = re.compile(rb"[A-Za-z0-9+/]{60}")
_LOCKED = re.compile(rb"[\s\\rn\"']{1,20}Proc-Type: ?4, ?ENCRYPTED")  # RFC 1421
_PUTTY = re.compile(rb"PuTTY-User-Key-File-\d: .{1,40}\r?\nEncryption: (?P<cipher>\S+)\s")


def pem(data: bytes, at: int) -> tuple[int, str] | None:
    """The key whose first line has ``PRIVATE KEY`` at ``at``: where it begins, and its kind."""
    start = data.rfind(b"BEGIN ", max(0, at - _LONGEST_LABEL), at) - 5
    begin = _BEGIN.match(data, start) if start >= 0 else None
    if begin is None:
        return None
    # No key has another one in it: a file full of first lines is read once.
    after = _before(data, b"BEGIN ", begin.end(), begin.end() + LONGEST_KEY)
    end = data.find(b"--END", begin.end(), after)
    if end < 0:
        end = data.find(b"-- END", begin.end(), after)
    body = data[begin.end() : end if end >= 0 else after]
    if begin["block"]:
        return (start, PRIVATE_KEY) if _LINE.search(body) else None
    if end < 0 or (kind := _kind(begin["label"], body)) is None:
        return None
    near = max(0, start - _NEAR), after + _NEAR
    is_account = kind == PRIVATE_KEY and data.find(b'"service_account"', *near) >= 0
    return start, SERVICE_ACCOUNT if is_account else kind


def _before(data: bytes, needle: bytes, at: int, end: int) -> int:
    """Where the next needle is, or else the end."""
    found = data.find(needle, at, end)
    return found if found >= 0 else end


def _kind(label: bytes, body: bytes) -> str | None:
    if label.startswith(b"SSH2 ") or _LOCKED.match(body):
        return ENCRYPTED_KEY if _LINE.search(body) else None
    key = _decoded(_BETWEEN.sub(b"", body).rstrip(b"-"))
    if key.startswith(_OPENSSH):
        is_open = key[len(_OPENSSH) :].startswith(b"\0\0\0\x04none")
        return PRIVATE_KEY if is_open else ENCRYPTED_KEY
    if len(key) < _SHORTEST or not is_whole(key):
        return None
    return ENCRYPTED_KEY if label.startswith(b"ENCRYPTED") else PRIVATE_KEY


def is_whole(key: bytes) -> bool:
    """Whether bytes begin with a DER sequence that is all there (ITU-T X.690, 8.1.3)."""
    if key[:1] != b"\x30":
        return False
    if key[1] < 0x80:  # noqa: PLR2004 - the length itself; else how many bytes tell it
        return len(key) >= 2 + key[1]
    more = key[1] & 0x7F
    return len(key) >= 2 + more + int.from_bytes(key[2 : 2 + more])


# A version, and then an RSA key's modulus, an elliptic curve's number or an algorithm's name.
_DER_KEY = re.compile(
    rb"\x30(?:[\x20-\x7f]|\x81.|\x82..)\x02\x01[\0\1](?:\x02|\x04|\x30)", re.DOTALL
)


def is_der_key(key: bytes) -> bool:
    """Whether bytes are a private key that is not written as text (RFC 5208, 8017 and 5915)."""
    return len(key) >= _SHORTEST and is_whole(key) and _DER_KEY.match(key) is not None


def encoded(data: bytes, at: int) -> tuple[int, str] | None:
    """A key that is in base64 as a whole, as kubeconfigs and environment variables have it."""
    if _INSIDE.fullmatch(data, max(0, at - _LONGEST_WORD), at):
        return None
    run = _BASE64.match(data, at, at + 2 * LONGEST_KEY)
    text = _decoded(run[0]) if run else b""
    inner = text.find(b"PRIVATE KEY")
    found = pem(text, inner) if inner >= 0 else None
    return (at, found[1]) if found else None


def putty(data: bytes, at: int) -> tuple[int, str] | None:
    """A key file of PuTTY; its first line is at ``at``."""
    head = _PUTTY.match(data, at)
    if head is None:
        return None
    next_ = _before(data, b"PuTTY-User-Key-File-", head.end(), at + LONGEST_KEY)
    if data.find(b"Private-Lines:", head.end(), next_) < 0:
        return None
    return at, PRIVATE_KEY if head["cipher"] == b"none" else ENCRYPTED_KEY


# What makes a key private: RFC 7518, 6.2.2.1, 6.3.2.1 and 6.4.1, and RFC 8037.
_JWK = {
    False: re.compile(rb"[\"']d[\"']\s{0,9}:\s{0,9}[\"'](?P<value>[A-Za-z0-9_-]{40,})"),
    True: re.compile(rb"[\"']k[\"']\s{0,9}:\s{0,9}[\"'](?P<value>[A-Za-z0-9_-]{32,})"),
}
_SYMMETRIC = re.compile(rb"[\"']kty[\"']\s{0,9}:\s{0,9}[\"']oct[\"']")


def jwk(data: bytes, at: int) -> tuple[int, str] | None:
    """A private key in JSON, ``kty`` of which is at ``at`` (RFC 7517)."""
    start = data.rfind(b"{", max(0, at - _NEAR), at)
    if start < 0 or data.find(data[at : at + len(b'"kty"')], start, at) >= 0:
        return None
    end = _before(data, b"}", at, at + 2 * _NEAR)
    is_symmetric = _SYMMETRIC.match(data, at) is not None
    found = _JWK[is_symmetric].search(data, start, end)
    return (found.start("value"), PRIVATE_KEY) if found and is_random(found["value"]) else None


def _decoded(text: bytes) -> bytes:
    if not _BASE64.fullmatch(text):
        return b""
    try:
        return base64.b64decode(text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4))
    except binascii.Error:
        return b""
