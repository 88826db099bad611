"""What Docker's daemon is told about registries, for those who configured nothing else.

https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from builder.errors import SettingsError
from builder.registry.endpoint import mirror_endpoint
from builder.registry.insecure import InsecureHosts


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerConf:
    """The part of ``daemon.json`` that is about registries.

    Attributes:
        insecure: ``insecure-registries``.
        mirrors: ``registry-mirrors``, addresses asked for Docker Hub's images only.
    """

    insecure: InsecureHosts = field(default_factory=InsecureHosts)
    mirrors: tuple[str, ...] = ()

    @classmethod
    def at(cls, *directories: Path) -> Self:
        """What ``daemon.json`` says in every one of some directories, taken together.

        Raises:
            SettingsError: one is not JSON, or not what it must be.
        """
        insecure: list[str] = []
        mirrors: list[str] = []
        for path in (directory / "daemon.json" for directory in directories):
            value = _read(path)
            found = _strings(path, value, "insecure-registries")
            try:
                InsecureHosts.of(found)
            except ValueError as error:
                raise SettingsError(f"{path}: insecure-registries: {error}") from None
            insecure += found
            mirrors += _mirrors(path, value)
        return cls(insecure=InsecureHosts.of(insecure), mirrors=tuple(dict.fromkeys(mirrors)))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        # What this user may not read is for the daemon alone.
        return {}
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    try:
        value = json.loads(content) if content.strip() else {}
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise SettingsError(f"{path}: expected a JSON object")
    return value


def _mirrors(path: Path, value: dict[str, Any]) -> list[str]:
    found = _strings(path, value, "registry-mirrors")
    for address in found:
        try:
            mirror_endpoint(address, "any")
        except SettingsError as error:
            message = f"{path}: registry-mirrors: {error.message}"
            raise SettingsError(message, hint=error.hint) from None
    return found


def _strings(path: Path, value: dict[str, Any], key: str) -> list[str]:
    found = value.get(key) or []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise SettingsError(f"{path}: {key}: expected a list of strings")
    return found
