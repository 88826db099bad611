"""Logins as this machine keeps them: in files, or in the helpers that those files name."""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from builder.destinations.file import cannot_write
from builder.errors import SettingsError
from builder.oci.reference import Reference
from builder.process import CommandRunner
from builder.registry.credential import Credential, registry_name
from builder.registry.credential_files import CredentialFile
from builder.registry.credential_helper import CredentialHelper, MissingHelperError
from builder.store.files import Replacement


def registry_argument(given: str) -> str:
    """The registry that a user names, as references have it.

    Raises:
        SettingsError: it is no registry.
        ReferenceFormatError: it is not even a host.
    """
    bare = given.removeprefix("https://").removesuffix("/")
    if bare and "/" not in bare and "@" not in bare:
        registry = Reference.parse(f"{bare}/any").registry
        if registry in {bare, registry_name(bare)}:
            return registry_name(registry)
    raise SettingsError(
        # What is before an @ may be a password.
        f"not a registry: {given.rpartition('@')[2]!r}",
        hint="expected a host such as ghcr.io, docker.io or localhost:5000",
    )


def keep(path: Path, registry: str, credential: Credential, run: CommandRunner) -> str:
    """Keep a login where a file says; in words, where that is.

    Raises:
        SettingsError: the file cannot be read, or the helper that it names failed.
        StoreError: it cannot be written.
    """
    with _changing(path) as file:
        own, store = file.helpers.get(registry), file.store
        if not own and not store:
            _write(path, file.with_entry(registry, credential))
            return str(path)
        helper = CredentialHelper(name=own or store, run=run)
        helper.store(registry, credential)
        if not own:
            # So do Docker and others find out that their helper has something.
            _write(path, file.with_entry(registry, None))
        return helper.program


def forget(path: Path, registry: str, run: CommandRunner) -> Iterator[str]:
    """Remove what a file, and a helper that it names, has of a registry; where something was.

    Raises:
        SettingsError: the file cannot be read, or the helper failed.
        StoreError: it cannot be written.
    """
    if not path.exists():
        return
    with _changing(path) as file:
        keys = file.keys_of(registry)
        if name := file.helpers.get(registry) or file.store:
            helper = CredentialHelper(name=name, run=run)
            try:
                had = helper.get(registry) is not None
            except MissingHelperError:
                if keys or registry in file.helpers:
                    raise
                had = False
            if had:
                helper.erase(registry)
                yield helper.program
        if keys:
            _write(path, file.without(registry))
            yield str(path)


@contextmanager
def _changing(path: Path) -> Iterator[CredentialFile]:
    """The file, while no other login or logout of ours changes it."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise SettingsError(f"cannot keep logins in {path}: it is not a file", hint="name a file")
    directory = target.parent
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not the file itself, which is replaced.
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield CredentialFile.read(path)
    finally:
        os.close(handle)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    target = Path(os.path.realpath(path))
    content = f"{json.dumps(document, indent='\t')}\n".encode()
    try:
        # Its directory is closed to others from the start, the new file only at the end.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".builder-") as private:
            new = Replacement(target, Path(private, target.name))
            try:
                new.write(content)
                new.finish(0o600)
            finally:
                new.abandon()
    except OSError as error:
        raise cannot_write(path, error) from error
