"""The filesystem that packages are laid on."""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from builder.oci.image import Image
from builder.rootfs.file_index import FileIndex
from builder.rootfs.scan import scan
from builder.store.layout import Store

_FORMAT = 2
"""Raised when other files matter than before."""

_MAX_SETTINGS = 1 << 20
"""Bytes of a file of settings; all of them together are 0.2 MB in a minimal Debian."""

# What apt reads, what dpkg keeps, what maintainer scripts change, and all settings: whether they
# are as a package brought them decides whether a new version may replace them.
_SETTINGS = "etc/"
_MATTERS = re.compile(
    r"etc/.*"
    r"|usr/share/(?:keyrings|apt)/.*"
    r"|var/lib/dpkg/(?:status|diversions|statoverride|arch)"
    r"|var/lib/dpkg/(?:status\.d|alternatives|triggers)/.*"
    r"|var/lib/dpkg/info/.*\.(?:list|conffiles)"
    r"|var/lib/apt/extended_states"
    r"|usr/lib/os-release"
    r"|usr/share/(?:debianutils|pam|pam-configs)/.*"
    r"|var/lib/(?:shells\.state|ucf/.*)"
    r"|usr/(?:local/)?share/ca-certificates/.*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The filesystem that packages are laid on: empty, or a base's.

    Attributes:
        files: what is there.
        contents: of the files that matter here, by path, every link resolved.
    """

    files: FileIndex = field(default_factory=FileIndex)
    contents: Mapping[str, bytes] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        """The content of a file; None when there is no such file, or it is not one that matters.

        Raises:
            BaseError: the root's symbolic links run in a circle.
        """
        return self.contents.get(self.files.resolve(path))

    def text(self, path: str) -> str:
        """The same as text, in which any byte survives; empty where ``read`` gives None.

        Raises:
            BaseError: the root's symbolic links run in a circle.
        """
        return (self.read(path) or b"").decode("utf-8", "surrogateescape")

    def listing(self, directory: str) -> dict[str, bytes]:
        """The files that matter of one directory, by name, in order; links are followed.

        Raises:
            BaseError: the root's symbolic links run in a circle.
        """
        prefix = f"{self.files.resolve(directory)}/"
        paths = {path for path in (*self.contents, *self.files.symlinks) if path.startswith(prefix)}
        names = sorted(path.removeprefix(prefix) for path in paths)
        found = {name: self.read(f"{prefix}{name}") for name in names if "/" not in name}
        return {name: content for name, content in found.items() if content is not None}

    def below(self, directory: str) -> dict[str, bytes]:
        """The files that matter in a directory and below it, by path, in order.

        Raises:
            BaseError: the root's symbolic links run in a circle.
        """
        prefix = f"{self.files.resolve(directory)}/"
        return {
            path: content
            for path, content in sorted(self.contents.items())
            if path.startswith(prefix)
        }


class _Matters:
    """The paths of files that matter, as a container."""

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and _MATTERS.fullmatch(path) is not None


def read_root(image: Image, files: FileIndex, store: Store) -> Root:
    """A base's root; its layers are read once, the store keeps what matters of them.

    Args:
        image: the base, its layers in the store.
        files: its file index.
        store: keeps the result by the image's digest.

    Raises:
        LayerError: a layer is not what its digest or diff_id promises.
        StoreError: the store cannot be read or written.
    """
    key = str(image.digest)
    contents = _kept(store.fact("debian-root", key))
    if contents is None:
        contents = {
            path: content
            for path, content in scan(image.layers, _Matters()).contents.items()
            if not path.startswith(_SETTINGS) or len(content) <= _MAX_SETTINGS
        }
        store.remember("debian-root", key, _to_fact(contents))
    return Root(files=files, contents=contents)


def _to_fact(contents: Mapping[str, bytes]) -> dict[str, object]:
    encoded = {path: b64encode(content).decode() for path, content in contents.items()}
    return {"format": _FORMAT, "contents": encoded}


def _kept(fact: Mapping[str, Any] | None) -> dict[str, bytes] | None:
    """What a fact holds; None when it is of another format or damaged."""
    try:
        if fact is None or fact["format"] != _FORMAT:
            return None
        return {path: b64decode(content) for path, content in fact["contents"].items()}
    except (LookupError, ValueError, TypeError, AttributeError):
        return None
