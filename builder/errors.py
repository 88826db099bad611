"""One tree of errors, divided by who can act on them.

```
BuilderError
├── SettingsError        the user's choices: pyproject.toml, flags, environment
├── LockError            uv.lock or image.lock is missing, stale or does not fit
├── InstallError         uv could not install into the staging venv
├── ContentError         a file cannot go into an image as it is        (layers.errors)
├── LayerError           a layer's bytes are not what they promise      (layers.errors)
├── DocumentError        a manifest, index or config cannot be read or does not agree
├── ReferenceFormatError  a string is not an image reference
├── StoreError           the local store cannot be read or written
├── TransportError       a connection failed before any answer came     (external)
├── RegistryError        a registry answered, and the answer is no      (external)
├── ArchiveError         a Debian archive does not give what it should (external)
├── PackageError         system packages cannot be had together, or unpacked
├── BaseError            the base image is not what the build needs
├── EngineError          podman or skopeo failed                        (external)
└── CheckError           the image is not what it must be, or did not prove itself
```

``exit_code`` is what the command line returns: 1 for the build or a check, 2 for wrong usage,
3 for an external service.
"""

from layers.errors import BuilderError, ContentError, LayerError

__all__ = [
    "ArchiveError",
    "BaseError",
    "BuilderError",
    "CheckError",
    "ContentError",
    "DocumentError",
    "EngineError",
    "InstallError",
    "LayerError",
    "LockError",
    "PackageError",
    "ReferenceFormatError",
    "RegistryError",
    "SettingsError",
    "StoreError",
    "TransportError",
    "exit_code",
]


class SettingsError(BuilderError):
    """A choice of the user's is unknown, of the wrong kind or contradicts another."""


class LockError(BuilderError):
    """``uv.lock`` or ``image.lock`` is missing, stale or does not fit what is asked for."""


class InstallError(BuilderError):
    """uv could not install the locked distributions into the staging venv."""


class DocumentError(BuilderError):
    """A manifest, index or image config cannot be read, or its parts do not agree."""


class ReferenceFormatError(BuilderError):
    """A string is not an image reference; the message says why."""


class StoreError(BuilderError):
    """The local store cannot be read or written."""


class TransportError(BuilderError):
    """A connection failed before the whole answer came: name resolution, refusal, TLS, time.

    Args:
        message: as for every error.
        transient: whether the same request may well succeed a moment later.
        unreached: whether no connection stood, so that nobody answered anything.
        plain_http: whether TLS was spoken to a server that does not speak it at all.
        hint: as for every error.
    """

    def __init__(
        self,
        message: str,
        *,
        transient: bool = False,
        unreached: bool = False,
        plain_http: bool = False,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.transient = transient
        self.unreached = unreached
        self.plain_http = plain_http


class RegistryError(BuilderError):
    """A registry answered, and the answer is no.

    Args:
        message: as for every error.
        status: the HTTP status code of the answer.
        code: what the registry itself calls it, e.g. ``MANIFEST_UNKNOWN``; None when it does not.
        hint: as for every error.
    """

    def __init__(
        self, message: str, *, status: int, code: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


class ArchiveError(BuilderError):
    """A Debian archive does not give what it should, or what it gives cannot be trusted."""


class PackageError(BuilderError):
    """System packages are unknown, cannot be installed together, or cannot be unpacked."""


class BaseError(BuilderError):
    """The base image cannot be had, or is not what the build needs."""


class EngineError(BuilderError):
    """podman, or another container tool, failed."""


class CheckError(BuilderError):
    """An image would be broken or is not as its user wants it, or it did not prove itself."""


_EXTERNAL = (TransportError, RegistryError, ArchiveError, EngineError)
_USAGE = (SettingsError, ReferenceFormatError)


def exit_code(error: BuilderError) -> int:
    """The exit code for an error: 1 build or check, 2 usage, 3 external service."""
    if isinstance(error, _EXTERNAL):
        return 3
    return 2 if isinstance(error, _USAGE) else 1
