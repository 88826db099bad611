"""What is known of a binary package: one version of it, and where its content lies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from layers.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A package with one content: all that a lock has to keep of it.

    Attributes:
        name: of the package.
        version: as dpkg writes it, with epoch and revision.
        architecture: ``amd64``, ``arm64``, ... or ``all``.
        digest: of the ``.deb``.
        size: of the ``.deb``, in bytes.
        path: of the ``.deb``, from the archive's root: ``pool/main/libp/...``.
        suite: where it was found, as the source names it: ``bookworm-security``.
    """

    name: str
    version: str
    architecture: str
    digest: Digest
    size: int
    path: str
    suite: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.architecture}"

    def to_json(self) -> dict[str, str | int]:
        """The attributes by name; ``parse`` reads them."""
        return {**asdict(self), "digest": str(self.digest)}

    @classmethod
    def parse(cls, members: Mapping[str, Any]) -> "Pin":
        """What ``to_json`` gave.

        Raises:
            LookupError, TypeError: a member is missing or of another kind.
            LayerError: the digest is none.
        """
        texts = {key: str(members[key]) for key in ("name", "version", "architecture")}
        return cls(
            **texts,
            digest=Digest(members["digest"]),
            size=int(members["size"]),
            path=str(members["path"]),
            suite=str(members["suite"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One version of a package, offered by an archive or installed in a root.

    Attributes:
        fields: its paragraph: field names as written (``Pre-Depends``) to values; folded lines
            keep their newlines.
        pin: its content; None for one that is installed and need not be fetched.
        priority: apt's, of where it is on offer (apt_preferences(5)).
    """

    fields: Mapping[str, str]
    pin: Pin | None = None
    priority: int = 500

    @property
    def name(self) -> str:
        """Its name, without an architecture."""
        return self.fields["Package"]

    @property
    def version(self) -> str:
        """Its version, as dpkg writes it."""
        return self.fields["Version"]

    @property
    def architecture(self) -> str:
        """What it runs on; ``all`` is everything."""
        return self.fields["Architecture"]

    def __str__(self) -> str:
        return f"{self.name} ({self.version})"


class PackageIndex(Protocol):
    """What the archives offer for one architecture (and for ``all``)."""

    def versions(self, name: str) -> Sequence[Package]:
        """Every version on offer, the highest first."""
        ...

    def providers(self, name: str) -> Sequence[Package]:
        """Candidates that say ``Provides: name``, by name; the real package is not among them."""
        ...

    def names(self) -> Iterable[str]:
        """The name of every package on offer, each once; virtual ones are not among them."""
        ...

    def first_mention(self, name: str) -> tuple[int, ...]:
        """When apt hears of a package first, reading the archives' lists; later ones are larger.

        Of providers that nothing else tells apart, apt takes the last.
        """
        ...


def candidate(versions: Sequence[Package]) -> Package | None:
    """The version apt would take: the highest of those of the highest priority.

    Args:
        versions: of one package, the highest first.
    """
    return max(versions, key=lambda package: package.priority, default=None)
