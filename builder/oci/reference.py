"""Names of images: ``[registry/]repository[:tag][@digest]``.

The grammar is the distribution project's; short names mean Docker Hub, as every engine reads them.
https://github.com/distribution/reference/blob/main/reference.go
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from builder.errors import LayerError, ReferenceFormatError
from layers.digest import Digest

DOCKER_HUB = "docker.io"
_DOCKER_HUB_ALIASES = {"index.docker.io", "registry-1.docker.io"}

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_TAG_IN_WORDS = "up to 128 letters, digits, '_', '.' and '-', of which '.' and '-' cannot be first"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:\[[0-9a-fA-F:]+\]|{_LABEL}(?:\.{_LABEL})*)(?::[0-9]+)?")
_MAX_REPOSITORY = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image's name in full; a tag and a digest may stand side by side, both are kept.

    Attributes:
        registry: host and, when given, port.
        repository: with ``library/`` where Docker Hub implies it.
        tag: ``latest`` when neither tag nor digest was given.
        digest: of a manifest or index.
        given: the string as the user wrote it.
    """

    registry: str
    repository: str
    tag: str | None
    digest: Digest | None
    given: str

    @classmethod
    def parse(cls, given: str) -> Self:
        """Read a reference.

        Raises:
            ReferenceFormatError: it is none; the message says which part is wrong and why.
        """
        rest, at, digest_text = given.partition("@")
        digest = _digest(given, digest_text) if at else None
        rest, tag = _split_tag(rest)
        if tag is not None and not _TAG.fullmatch(tag):
            raise _refused(given, f"the tag {tag!r} is not {_TAG_IN_WORDS}")
        registry, repository = _split_registry(rest)
        if not _REGISTRY.fullmatch(registry):
            raise _refused(given, f"{registry!r} is not a host name")
        _check_repository(given, repository)
        if registry == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        if tag is None and digest is None:
            tag = "latest"
        return cls(registry=registry, repository=repository, tag=tag, digest=digest, given=given)

    def __str__(self) -> str:
        return self.given

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def full(self) -> str:
        """Nothing implied: registry, repository, tag and digest."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    @property
    def is_short(self) -> bool:
        """Whether it was written without a registry, so that Docker Hub is implied."""
        return _split_registry(self.given)[1] == self.given

    @property
    def local(self) -> str:
        """The name an engine gives to an image built here: no registry given means localhost."""
        if self.is_short:
            # Only what stands there: Docker Hub's implied library/ was added by parse.
            written = self.given.startswith("library/")
            repository = self.repository if written else self.repository.removeprefix("library/")
            return f"localhost/{repository}:{self.tag or 'latest'}"
        return f"{self.name}:{self.tag or 'latest'}"

    @property
    def selector(self) -> str:
        """What a registry is asked for: the digest when there is one, else the tag."""
        return str(self.digest or self.tag)


def _digest(given: str, text: str) -> Digest:
    try:
        return Digest(text)
    except LayerError as error:
        raise _refused(given, error.message) from None


def _split_tag(rest: str) -> tuple[str, str | None]:
    colon = rest.rfind(":")
    if colon > rest.rfind("/") and not rest.endswith("]"):
        return rest[:colon], rest[colon + 1 :]
    return rest, None


def _split_registry(rest: str) -> tuple[str, str]:
    first, slash, repository = rest.partition("/")
    is_host = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not is_host:
        return DOCKER_HUB, rest
    return (DOCKER_HUB if first in _DOCKER_HUB_ALIASES else first), repository


def _check_repository(given: str, repository: str) -> None:
    if not repository:
        raise _refused(given, "it names no repository")
    if len(repository) > _MAX_REPOSITORY:
        raise _refused(given, f"its repository is longer than {_MAX_REPOSITORY} characters")
    lower = repository.lower()
    if repository != lower and all(map(_COMPONENT.fullmatch, lower.split("/"))):
        raise _refused(given, "a repository is written in lower case", lower)
    for component in repository.split("/"):
        if not _COMPONENT.fullmatch(component):
            raise _refused(given, f"{component!r} is not a repository name")


def _refused(given: str, reason: str, better: str | None = None) -> ReferenceFormatError:
    hint = f"write {better}" if better else "expected e.g. registry.example.com/team/app:1.0"
    return ReferenceFormatError(f"not an image reference: {given!r}: {reason}", hint=hint)
