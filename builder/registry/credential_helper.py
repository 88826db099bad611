"""Programs that keep credentials: ``docker-credential-NAME``.

https://github.com/docker/docker-credential-helpers#development
"""

import json
import re
from dataclasses import dataclass

from builder.errors import SettingsError
from builder.oci.reference import DOCKER_HUB
from builder.process import CommandRunner, Completed
from builder.registry.credential import Credential

# A path would start any program, wherever a file of credentials came from.
_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
_NOTHING = "credentials not found in native keychain"
_TOKEN = "<token>"  # noqa: S105 - the name that stands for none
_HUB = "https://index.docker.io/v1/"
_MAX_WORDS = 300


class MissingHelperError(SettingsError):
    """There is no program of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialHelper:
    """One such program.

    Attributes:
        name: what follows ``docker-credential-``.
        run: starts it.

    Raises:
        SettingsError: the name is none.
    """

    name: str
    run: CommandRunner

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SettingsError(
                f"{self.name!r} is not the name of a credential helper",
                hint="expected what follows docker-credential-, such as pass",
            )

    def get(self, registry: str) -> Credential | None:
        """What it knows of a registry.

        Raises:
            MissingHelperError: it is not installed.
            SettingsError: it failed.
        """
        done = self._call("get", _server(registry))
        if done.code != 0:
            if _NOTHING in done.stdout or _NOTHING in done.stderr:
                return None
            raise self._failed("get", registry, done)
        try:
            value = json.loads(done.stdout)
            username, secret = value["Username"], value["Secret"]
        except (ValueError, KeyError, TypeError):
            username, secret = None, None
        if not isinstance(username, str) or not isinstance(secret, str):
            raise SettingsError(
                f"{self.program} get, for {registry}: what it gave is no credential"
            )
        if username == _TOKEN:
            return Credential(identity_token=secret)
        return Credential(username=username, password=secret) if username or secret else None

    def store(self, registry: str, credential: Credential) -> None:
        """Give it a user name and password to keep.

        Raises:
            MissingHelperError: it is not installed.
            SettingsError: it failed.
        """
        secret = credential.password
        said = {"ServerURL": _server(registry), "Username": credential.username, "Secret": secret}
        done = self._call("store", json.dumps(said))
        if done.code != 0:
            raise self._failed("store", registry, done, secret)

    def erase(self, registry: str) -> None:
        """Let it forget a registry.

        Raises:
            MissingHelperError: it is not installed.
            SettingsError: it failed.
        """
        done = self._call("erase", _server(registry))
        if done.code != 0:
            raise self._failed("erase", registry, done)

    @property
    def program(self) -> str:
        """The name on PATH."""
        return f"docker-credential-{self.name}"

    def _call(self, action: str, said: str) -> Completed:
        try:
            return self.run([self.program, action], stdin=said)
        except FileNotFoundError:
            raise MissingHelperError(
                f"the credential helper {self.program} is not installed, or not on PATH",
                hint="install it, or take it out of the file that names it",
            ) from None
        except OSError as error:
            raise SettingsError(f"cannot start {self.program}: {error.strerror}") from error

    def _failed(
        self, action: str, registry: str, done: Completed, secret: str = ""
    ) -> SettingsError:
        words = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        # A helper that fails after it began to answer, or repeats what it was told.
        if '"Secret"' in words or (secret and secret in words):
            words = ""
        reason = words[:_MAX_WORDS] or f"exit code {done.code}"
        return SettingsError(f"{self.program} {action}, for {registry}: {reason}")


def _server(registry: str) -> str:
    """What helpers know a registry by."""
    return _HUB if registry == DOCKER_HUB else registry
