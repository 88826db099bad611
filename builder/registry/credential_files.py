"""Files that credentials are kept in: Docker's ``config.json``, and the ``auth.json`` of podman.

Their documents are read, and changed without a word of what else is in them.
https://docs.docker.com/reference/cli/docker/login/
https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
"""

import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from builder.errors import SettingsError
from builder.oci.reference import DOCKER_HUB
from builder.registry.credential import Credential, registry_name

_HUB_KEY = "https://index.docker.io/v1/"
_API = {"", "v1", "v2"}
_DOCKER_NAME = "config.json"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CredentialFile:
    """One such file; empty when there is none.

    Attributes:
        path: where it is.
        document: its JSON object, as it is; secrets are in it.
    """

    path: Path
    document: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"CredentialFile({self.path})"

    @classmethod
    def read(cls, path: Path, *, named_by: str = "") -> Self:
        """Read a file.

        Args:
            path: where it should be.
            named_by: the variable that names it, when one does.

        Raises:
            SettingsError: it cannot be read, or is no such file; its content is never shown.
        """
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return cls(path=path)  # nobody has logged in yet
        except OSError as error:
            # A home directory that is closed to us, as in many a CI container, is not ours.
            if not named_by and not os.path.exists(path):  # noqa: PTH110 - it never raises
                return cls(path=path)
            by = f", which {named_by} names" if named_by else ""
            raise SettingsError(
                f"cannot read the credentials in {path}{by}: {error.strerror}",
                hint="may this user read it? REGISTRY_AUTH_FILE can name another file",
            ) from error
        return cls(path=path, document=_object(path, raw))

    @property
    def server_of_hub(self) -> str:
        """What Docker Hub is called here: Docker and podman do not agree."""
        return _HUB_KEY if self.path.name == _DOCKER_NAME else DOCKER_HUB

    @property
    def store(self) -> str:
        """The helper that keeps the credentials of hosts with none of their own; or empty."""
        store = self.document.get("credsStore") or ""
        if not isinstance(store, str):
            raise self._wrong("credsStore is no string")
        return store

    @property
    def helpers(self) -> dict[str, str]:
        """The helpers of single registries."""
        found = self._table("credHelpers")
        if not all(isinstance(name, str) for name in found.values()):
            raise self._wrong("a name in credHelpers is no string")
        return {registry_of(key): name for key, name in found.items()}

    def keys_of(self, registry: str) -> list[str]:
        """The keys under which there are entries for a registry, and for paths of it."""
        keys = self._table("auths")
        return [key for key in keys if registry_of(key) == registry]

    def registries(self) -> list[str]:
        """All that it has something about."""
        return sorted({*map(registry_of, self._table("auths")), *self.helpers})

    def entry(self, registry: str, repository: str) -> Credential | None:
        """The credential of the entry that fits best; None when there is none, or an empty one.

        Raises:
            SettingsError: the entry cannot be read.
        """
        entries = self._table("auths")
        fitting = {_place(key): key for key in entries}
        # Of several keys for one place the plain one counts.
        fitting |= {place: place for place in fitting if place in entries}
        for place in _places(registry, repository):
            key = fitting.get(place)
            if key is not None and (found := self._credential(key, entries[key])):
                return found
        return None

    def with_entry(self, registry: str, credential: Credential | None) -> dict[str, Any]:
        """The document with a registry's only entry; an empty one when None: a helper has it."""
        entry = {"auth": credential.basic.removeprefix("Basic ")} if credential else {}
        key = self.server_of_hub if registry == DOCKER_HUB else registry
        # Entries for paths stay: they are other logins.
        kept = {k: e for k, e in self._table("auths").items() if _place(k) != registry}
        return {**self.document, "auths": {**kept, key: entry}}

    def without(self, registry: str) -> dict[str, Any]:
        """The document with no entry for a registry, nor for a path of it."""
        kept = {k: e for k, e in self._table("auths").items() if registry_of(k) != registry}
        return {**self.document, "auths": kept}

    def _table(self, name: str) -> Mapping[str, Any]:
        table = self.document.get(name) or {}
        if not isinstance(table, dict):
            raise self._wrong(f"{name} is no object")
        return table

    def _credential(self, key: str, entry: object) -> Credential | None:
        if not isinstance(entry, dict) or not all(
            isinstance(entry.get(name, ""), str) for name in _FIELDS
        ):
            raise self._wrong(f"the entry for {key} is no object of strings")
        username, password = self._pair(key, entry)
        found = Credential(
            username=username,
            password=password,
            identity_token=entry.get("identitytoken", ""),
            registry_token=entry.get("registrytoken", ""),
        )
        return None if found == Credential() else found

    def _pair(self, key: str, entry: Mapping[str, str]) -> tuple[str, str]:
        encoded = entry.get("auth", "").strip()
        if not encoded:
            return entry.get("username", ""), entry.get("password", "")
        try:
            pair = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode()
        except (binascii.Error, ValueError):
            pair = ""
        username, colon, password = pair.partition(":")
        if not colon:
            raise self._wrong(f"auth of {key} is not a name and a password in base64")
        return username, password.rstrip("\0")

    def _wrong(self, reason: str) -> SettingsError:
        return _wrong(self.path, reason)


_FIELDS = ("auth", "username", "password", "identitytoken", "registrytoken")


def registry_of(key: str) -> str:
    """The registry of a key such as ``https://ghcr.io/v1/`` or ``ghcr.io/team``."""
    return _place(key).partition("/")[0]


def _place(key: str) -> str:
    """A key as ``host`` or ``host/path``; those with a scheme are Docker's, and hosts alone."""
    _, scheme, rest = key.rpartition("://")
    host, _, path = rest.rstrip("/").partition("/")
    name = registry_name(host)
    return name if scheme or path in _API else f"{name}/{path}"


def _places(registry: str, repository: str) -> Iterator[str]:
    """Where to look, the most specific first."""
    parts = repository.split("/") if repository else []
    for count in range(len(parts), -1, -1):
        yield "/".join([registry, *parts[:count]])


def _object(path: Path, raw: bytes) -> Mapping[str, Any]:
    if not raw.strip():
        return {}  # /dev/null, and a file that was only touched
    try:
        document = json.loads(raw)
    except json.JSONDecodeError as error:
        reason = f"it is no JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        raise _wrong(path, reason) from None
    except (UnicodeDecodeError, RecursionError):
        raise _wrong(path, "it is no JSON") from None
    if not isinstance(document, dict):
        raise _wrong(path, "it is no JSON object")
    return document


def _wrong(path: Path, reason: str) -> SettingsError:
    return SettingsError(
        f"cannot read the credentials in {path}: {reason}",
        hint="mend the file, or remove it and log in anew",
    )
