"""What takes the room in a store."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from builder.store.inventory import Fact, Inventory, NamedImage

_BASES, _IMAGES, _SEGMENTS = "bases", "images", "segments"
_EARLIER, _PACKAGES, _NOTHING = "earlier builds", "system packages", "needed by nothing"
_KINDS = {
    **dict.fromkeys(("base", "apt-base", "python-layer"), _BASES),
    "segment": _SEGMENTS,
    **dict.fromkeys(("apt-release", "system-packages", "base-packages"), _PACKAGES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one kind of things takes.

    Attributes:
        label: the kind.
        files: how many.
        size: of them, in bytes.
        used: when the last of them was used, in seconds since the epoch; None when unknown.
    """

    label: str
    files: int
    size: int
    used: float | None


def summarize(found: Inventory) -> list[Share]:
    """The kinds of things, each file under the first that it belongs to."""
    shares, left = [], set(found.blobs)
    for label, items, needs in _claims(found):
        blobs = needs & left
        left -= blobs
        size = sum(found.blobs[name].size for name in blobs)
        shares.append(Share(label=label, files=len(blobs), size=size, used=_latest(items)))
    facts = [fact.file for fact in found.facts]
    unneeded = [found.blobs[name] for name in left]
    rest = (("facts", facts), ("leftovers", found.leftovers), (_NOTHING, unneeded))
    return shares + [
        Share(
            label=label,
            files=len(files),
            size=sum(file.size for file in files),
            used=max((file.used for file in files), default=None),
        )
        for label, files in rest
    ]


def _claims(found: Inventory) -> Iterator[tuple[str, list[NamedImage | Fact], frozenset[str]]]:
    """Kinds with who needs blobs for them, and which."""
    facts: dict[str, list[NamedImage | Fact]] = {}
    for fact in found.facts:
        if fact.needs:
            facts.setdefault(_KINDS.get(fact.kind, _EARLIER), []).append(fact)
    images: list[NamedImage | Fact] = [*found.images]
    based = [image for image in found.images if image.base]
    of_images = frozenset[str]().union(*(image.base for image in based))
    bases = [*facts.get(_BASES, []), *based]
    yield _BASES, bases, _needs(facts.get(_BASES, [])) | of_images
    yield _IMAGES, images, _needs(images)
    for label in (_SEGMENTS, _EARLIER, _PACKAGES):
        yield label, facts.get(label, []), _needs(facts.get(label, []))


def _needs(items: Iterable[NamedImage | Fact]) -> frozenset[str]:
    return frozenset[str]().union(*(item.needs for item in items))


def _latest(items: Iterable[NamedImage | Fact]) -> float | None:
    return max((item.used for item in items), default=None)
