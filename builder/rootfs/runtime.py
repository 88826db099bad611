"""What programs find in an image: the few facts of its filesystem that a plan rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from builder.rootfs import INDEX_FORMAT
from builder.target import Libc, Python

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from builder.oci.image import Image
    from builder.rootfs.file_index import FileIndex
    from builder.store.layout import Store
    from layers.digest import Digest

_KIND = "runtime"
_FORMAT = f"1/{INDEX_FORMAT}"
"""Changed when the same filesystem gives other facts than before, or they are written otherwise."""
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The Python and the C library of an image; None where it has none that is known."""

    python: Python | None
    libc: Libc | None

    @classmethod
    def of(cls, image: Image, files: FileIndex) -> Self:
        """What is found on the PATH of the image's config, and beside it.

        Raises:
            BaseError: symbolic links go round in circles.
        """
        search_path = image.config.value.env.get("PATH", _DEFAULT_PATH)
        return cls(python=files.python(search_path), libc=files.libc)


def find_runtime(image: Image, read_files: Callable[[], FileIndex], store: Store) -> Runtime:
    """What programs find in an image; taken from its files when the store does not keep it.

    Raises:
        BaseError: symbolic links go round in circles.
        StoreError: the store cannot be written.
    """
    key = str(image.digest)
    known = _from_fact(store.fact(_KIND, key) or {})
    if known is not None:
        return known
    found = Runtime.of(image, read_files())
    store.remember(_KIND, key, _to_fact(found))
    return found


def is_known(digest: Digest, store: Store) -> bool:
    """Whether the store keeps the runtime of an image, so that its files need not be known."""
    return _from_fact(store.fact(_KIND, str(digest)) or {}) is not None


def _to_fact(runtime: Runtime) -> dict[str, object]:
    python, libc = runtime.python, runtime.libc
    return {
        "format": _FORMAT,
        "python": [*python.version, python.path] if python else None,
        "libc": [libc.name, *libc.version] if libc else None,
    }


def _from_fact(fact: Mapping[str, Any]) -> Runtime | None:
    """What ``_to_fact`` wrote; None when another version of this program wrote it."""
    if fact.get("format") != _FORMAT:
        return None
    try:
        python, libc = fact["python"], fact["libc"]
        return Runtime(
            python=Python(version=(python[0], python[1]), path=python[2]) if python else None,
            libc=Libc(name=libc[0], version=(libc[1], libc[2])) if libc else None,
        )
    except (LookupError, TypeError):
        return None
