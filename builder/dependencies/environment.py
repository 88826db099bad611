"""The distributions of an image: known, packed, or waiting in an environment."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.dependencies.distribution import Distribution, distributions
from builder.dependencies.segments import Packed, Packer
from builder.project.relocate import staged_entries
from layers.entries import Entry, image_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The distributions of an image.

    Attributes:
        staged: where those are installed that the lock alone did not tell of.
        known: those that it did, by name.
        installed: the others.
        found: of those that are installed, what was packed before, by name.
        rest: files of the environment that no distribution owns.
    """

    staged: Path
    known: Mapping[str, Packed]
    installed: Sequence[Distribution]
    found: Mapping[str, Packed]
    rest: Sequence[Entry]

    @property
    def packed(self) -> dict[str, Packed]:
        """Those that are packed, by name."""
        return {**self.known, **self.found}

    @property
    def missing(self) -> list[Distribution]:
        """Those that are not."""
        return [
            distribution for distribution in self.installed if distribution.name not in self.found
        ]

    @property
    def members(self) -> list[Packed | Distribution]:
        """All of them."""
        return [*self.packed.values(), *self.missing]

    @property
    def has_clash(self) -> bool:
        """Whether two claim one path: whose it is shows only where both are installed."""
        claims = [packed.paths for packed in self.known.values()]
        claims += [tuple(file.path for file in each.files) for each in self.installed]
        counts = Counter(path for paths in claims for path in paths)
        return any(count > 1 for count in counts.values())

    @property
    def contested(self) -> list[str]:
        """Names of installed distributions that would have another file at the same path."""
        owners = {file.path: each for each in self.installed for file in each.files}
        names: set[str] = set()
        for loser in self.installed:
            for path, wanted in loser.lost.items():
                owner = owners[path]
                if not wanted or owner.hashes.get(path) != wanted:
                    names |= {owner.name, loser.name}
        return sorted(names)


def read_environment(
    packer: Packer, staged: Path, known: Mapping[str, Packed] | None = None
) -> Environment:
    """Divide a staged environment, and find what was packed before.

    Args:
        packer: knows what was.
        staged: a relocatable environment; it need not be there when nothing had to be installed.
        known: distributions that are not installed in it, as they are known already.

    Raises:
        ContentError: a file cannot be read, or cannot go into an image.
    """
    entries = staged_entries(staged, packer.place) if staged.exists() else []
    installed, rest = distributions(entries, image_path(packer.place.site_packages))
    keyed = ((distribution.name, packer.key(distribution)) for distribution in installed)
    return Environment(
        staged=staged,
        known=known or {},
        installed=installed,
        found={name: packed for name, key in keyed if (packed := packer.find(key)) is not None},
        rest=rest,
    )
