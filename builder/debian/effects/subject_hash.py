"""The hash by which OpenSSL finds a certificate: of its subject, in a canonical form.

Strings count as UTF-8, in small letters, with single blanks and none at either end
(``X509_NAME_hash`` of OpenSSL 1.0.0 and later). The encoding is DER:
https://www.itu.int/rec/T-REC-X.690
"""

import hashlib
import re

_SEQUENCE, _SET, _VERSION, _UTF8 = 0x30, 0x31, 0xA0, 0x0C
_LONG = 0x80
_ENCODINGS = {
    0x0C: "utf-8",
    0x13: "ascii",  # PrintableString
    0x14: "latin-1",  # T61String
    0x16: "ascii",  # IA5String
    0x1A: "ascii",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
_BLANKS = re.compile(r"[ \t\n\v\f\r]+")
_ASCII_LOWER = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})


def subject_hash(certificate: bytes) -> str | None:
    """Eight hexadecimal digits for a certificate in DER; None when it is damaged."""
    try:
        return _hash(_subject(certificate))
    except (IndexError, ValueError):
        return None


def _hash(subject: bytes) -> str:
    canonical = b"".join(
        _element(_SET, b"".join(sorted(_attribute(content) for _, content in _elements(members))))
        for _, members in _elements(subject)
    )
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _subject(certificate: bytes) -> bytes:
    """The content of the subject: after serial, algorithm, issuer and validity."""
    ((_, signed), *_) = _elements(_only(certificate))
    fields = _elements(signed)
    if fields[0][0] == _VERSION:
        fields = fields[1:]
    return fields[4][1]


def _only(data: bytes) -> bytes:
    tag, content = _elements(data)[0]
    if tag != _SEQUENCE:
        raise ValueError("no certificate")
    return content


def _attribute(data: bytes) -> bytes:
    (kind, name), (tag, value) = _elements(data)
    encoding = _ENCODINGS.get(tag)
    if encoding:
        text = _BLANKS.sub(" ", value.decode(encoding)).strip(" ").translate(_ASCII_LOWER)
        tag, value = _UTF8, text.encode()
    return _element(_SEQUENCE, _element(kind, name) + _element(tag, value))


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents, one after the other."""
    found: list[tuple[int, bytes]] = []
    position = 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & _LONG:
            count = length & ~_LONG
            length = int.from_bytes(data[position : position + count])
            position += count
        if position + length > len(data):
            raise ValueError("truncated")
        found.append((tag, data[position : position + length]))
        position += length
    return found


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < _LONG:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, _LONG | len(size)]) + size + content
