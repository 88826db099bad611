"""Keys that archives are signed by, as files hold them."""

import re

from pysequoia import Cert

from builder.debian.root import Root

_ARMORED = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----.*?-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL
)
_TRUSTED = "etc/apt/trusted.gpg"
_TRUSTED_PARTS = "etc/apt/trusted.gpg.d"
_PART_NAME = re.compile(r"[A-Za-z0-9_.-]+\.(?:gpg|asc)")


def certificates(keyring: bytes) -> list[Cert]:
    """The OpenPGP certificates of a keyring, binary or armored; none when it cannot be read."""
    pieces = [found[0] + b"\n" for found in _ARMORED.finditer(keyring)] or [keyring]
    found: list[Cert] = []
    for piece in pieces:
        try:
            found += Cert.split_bytes(piece)
        except RuntimeError:
            # As apt: a key that cannot be read is a key that nobody has. It is missed, or not,
            # when a signature asks for it.
            continue
    return found


def joined(keyrings: list[bytes]) -> bytes:
    """Several keyrings as one, binary, each certificate once."""
    every = [bytes(cert) for keyring in keyrings for cert in certificates(keyring)]
    return b"".join(dict.fromkeys(every))


def global_keys(root: Root) -> bytes:
    """The keys that apt takes for every source without ``Signed-By``.

    https://manpages.debian.org/bookworm/apt/apt-key.8.en.html#FILES

    Raises:
        BaseError: the root's symbolic links run in a circle.
    """
    parts = root.listing(_TRUSTED_PARTS)
    keyrings = [content for name, content in parts.items() if _PART_NAME.fullmatch(name)]
    return joined([root.read(_TRUSTED) or b"", *keyrings])
