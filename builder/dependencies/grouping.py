"""Which distributions share a layer.

A layer is what registries and engines keep, send and skip as a whole, so a changed distribution
costs the layer that it is in. Where a distribution goes depends on itself alone: nothing else moves
when another one comes, goes or changes. Only where more than 64 would have layers of their own,
which engines could not mount, the smallest of them are among the others.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from builder.settings import LayerPolicy

OWN_LAYER_BYTES = 2_000_000
"""Installed size, without bytecode, from which on a distribution has a layer of its own. Compressed
it is about a third of that. The size is not that of the compressed segment, so that the same
files make the same layers, and so the same diff_ids, whatever the codec is."""

_MOST_OWN_LAYERS = 64
"""With the others, the base's and the application's, well below the 127 that engines mount."""

_SHARED_LAYERS = 8
_SHARED_NATIVE_LAYERS = 4


class Installed(Protocol):
    """What is known of a distribution before it is packed."""

    @property
    def name(self) -> str:
        """Normalised."""
        ...

    @property
    def size(self) -> int:
        """Installed bytes."""
        ...

    @property
    def is_native(self) -> bool:
        """Whether it may be another one for another platform."""
        ...


@dataclass(frozen=True, slots=True)
class Group[T: Installed]:
    """Distributions of one layer, by name; the frame's layer holds the environment itself too."""

    members: tuple[T, ...]
    is_frame: bool = False


def grouped[T: Installed](
    distributions: Iterable[T], choice: LayerPolicy | tuple[tuple[str, ...], ...]
) -> list[Group[T]]:
    """Layers of distributions, from the bottom.

    Engines unpack anew what lies above a changed layer, so the largest come first, and what is
    shared by the small ones last. The frame is there even when nothing is installed.

    Args:
        distributions: of distinct names.
        choice: the setting ``layers``.
    """
    ordered = sorted(distributions, key=lambda distribution: distribution.name)
    if choice is LayerPolicy.SINGLE:
        return [Group(tuple(ordered), is_frame=True)]
    if isinstance(choice, tuple):
        return _chosen(ordered, choice)
    least = OWN_LAYER_BYTES if choice is LayerPolicy.AUTO else 0
    large = sorted((d for d in ordered if d.size >= least), key=lambda d: (-d.size, d.name))
    own = large[:_MOST_OWN_LAYERS]
    apart = {distribution.name for distribution in own}
    return [*(Group((d,)) for d in own), *_shared([d for d in ordered if d.name not in apart])]


def _shared[T: Installed](small: Sequence[T]) -> list[Group[T]]:
    """Layers by a hash of the name, which says the same whatever else is installed.

    What is the same for all platforms is apart, so that these layers are too.
    """
    native = _spread([d for d in small if d.is_native], _SHARED_NATIVE_LAYERS)
    pure = {0: (), **_spread([d for d in small if not d.is_native], _SHARED_LAYERS)}
    return [
        *(Group(native[n]) for n in sorted(native, reverse=True)),
        *(Group(pure[n], is_frame=n == 0) for n in sorted(pure, reverse=True)),
    ]


def _spread[T: Installed](distributions: Iterable[T], shares: int) -> dict[int, tuple[T, ...]]:
    found: dict[int, tuple[T, ...]] = {}
    for distribution in distributions:
        number = hashlib.sha256(distribution.name.encode()).digest()[0] % shares
        found[number] = (*found.get(number, ()), distribution)
    return found


def _chosen[T: Installed](ordered: Sequence[T], choice: Sequence[Sequence[str]]) -> list[Group[T]]:
    """The user's groups, and one for what is in none."""
    named = {name for names in choice for name in names}
    groups = [tuple(d for d in ordered if d.name in names) for names in choice]
    rest = tuple(d for d in ordered if d.name not in named)
    return [*(Group(members) for members in groups if members), Group(rest, is_frame=True)]
