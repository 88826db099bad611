"""Where this user's credentials are, and which of them counts for a repository."""

import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from builder.errors import SettingsError
from builder.process import CommandRunner
from builder.registry.credential import Credential, registry_name
from builder.registry.credential_files import CredentialFile
from builder.registry.credential_helper import CredentialHelper, MissingHelperError


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialPlace:
    """Where a file of credentials may be.

    Attributes:
        path: of the file.
        named_by: the variable that names the very file; it is wrong not to be let near it then.
    """

    path: Path
    named_by: str = ""

    def read(self) -> CredentialFile:
        """The file; an empty one when it is not there.

        Raises:
            SettingsError: it cannot be read.
        """
        return CredentialFile.read(self.path, named_by=self.named_by)


class Keychain:
    """Finds credentials; threads may share it. Files are read when the first one is wanted.

    Args:
        given: by registry; they win.
        places: of files, in the order in which they count.
        run: starts credential helpers.
    """

    def __init__(
        self,
        given: Mapping[str, Credential],
        places: tuple[CredentialPlace, ...],
        run: CommandRunner,
    ) -> None:
        self._given = {registry_name(host): credential for host, credential in given.items()}
        self._places = places
        # A helper may ask a cloud, and knows nothing of repositories: once is enough.
        self._ask = functools.cache(
            lambda name, registry: CredentialHelper(name=name, run=run).get(registry)
        )
        self._files: list[CredentialFile] | None = None
        self._found: dict[tuple[str, str], Credential | None] = {}
        self._lock = threading.Lock()

    @classmethod
    def at_home(
        cls,
        environ: Mapping[str, str],
        run: CommandRunner,
        *,
        given: Mapping[str, Credential] | None = None,
    ) -> Self:
        """The keychain of whoever runs this.

        Args:
            environ: says where the files are.
            run: starts credential helpers.
            given: credentials by registry, which win over those in files.
        """
        return cls(given or {}, tuple(credential_places(environ)), run)

    def find(self, registry: str, repository: str) -> Credential | None:
        """The credential for a repository, or None: whoever asks stays unknown.

        Args:
            registry: host and, when it has one, port; Docker Hub by any of its names.
            repository: at that registry.

        Raises:
            SettingsError: a file cannot be read, or a helper that is to be asked failed.
        """
        where = (registry_name(registry), repository)
        if where[0] in self._given:
            return self._given[where[0]]
        with self._lock:
            if where not in self._found:
                if self._files is None:
                    self._files = [place.read() for place in self._places]
                self._found[where] = self._look(*where, self._files)
            return self._found[where]

    def _look(
        self, registry: str, repository: str, files: list[CredentialFile]
    ) -> Credential | None:
        found = (_find_in(file, registry, repository, self._ask) for file in files)
        return next((credential for credential in found if credential), None)


def _find_in(
    file: CredentialFile,
    registry: str,
    repository: str,
    ask: Callable[[str, str], Credential | None],
) -> Credential | None:
    """What one file, or a helper that it names, has for a repository."""
    if name := file.helpers.get(registry):
        return ask(name, registry)
    if credential := file.entry(registry, repository):
        return credential
    if not file.store:
        return None
    try:
        return ask(file.store, registry)
    except MissingHelperError:
        # An entry says that the helper has this registry's credential: without it the answer
        # would be a puzzling 401. Else nothing says so; a config.json that came from a desktop
        # must not keep a machine without that helper from public images.
        if file.keys_of(registry):
            raise
        return None


def credential_places(environ: Mapping[str, str]) -> Iterator[CredentialPlace]:
    """Where files of credentials may be, in the order in which they count.

    https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
    """
    if named := environ.get("REGISTRY_AUTH_FILE"):
        yield CredentialPlace(path=Path(named), named_by="REGISTRY_AUTH_FILE")
    if docker := environ.get("DOCKER_CONFIG"):
        yield CredentialPlace(path=Path(docker, "config.json"))
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield CredentialPlace(path=Path(runtime, "containers/auth.json"))
    if settings := _settings(environ):
        yield CredentialPlace(path=settings / "containers/auth.json")
    if not runtime:
        # Podman's own place then. After the one that we would write to: a login has to count.
        yield CredentialPlace(path=Path(f"/run/containers/{os.getuid()}/auth.json"))
    if environ.get("HOME") and not docker:
        yield CredentialPlace(path=Path(environ["HOME"], ".docker/config.json"))


def login_path(environ: Mapping[str, str]) -> Path:
    """The file that a login is written to: the first of those places that it may be in.

    Raises:
        SettingsError: nothing names one.
    """
    named = environ.get("REGISTRY_AUTH_FILE"), environ.get("DOCKER_CONFIG")
    if named[0]:
        return Path(named[0])
    if named[1]:
        return Path(named[1], "config.json")
    runtime = environ.get("XDG_RUNTIME_DIR")
    directory = Path(runtime) if runtime else _settings(environ)
    if directory is None:
        raise SettingsError(
            "there is no home directory to keep a login in", hint="name a file: REGISTRY_AUTH_FILE"
        )
    return directory / "containers/auth.json"


def _settings(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get("XDG_CONFIG_HOME"):
        return Path(named)
    return Path(environ["HOME"], ".config") if environ.get("HOME") else None
