"""When a package was heard of first, in the order in which apt reads Packages files.

Where nothing else tells two providers of a virtual package apart, apt takes the one that it heard
of last: be it by its own paragraph, or by another's that depends on it.
"""

from collections.abc import Iterator, Sequence

# A paragraph's own name is read first, then its relations, field by field.
_FIELDS = (
    *(b"Package", b"Pre-Depends", b"Depends", b"Conflicts", b"Breaks"),
    *(b"Recommends", b"Suggests", b"Replaces", b"Enhances", b"Provides"),
)
# With a colon behind it, apt takes a name for a package of its own.
_NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.:-")

type Mention = tuple[int, ...]
"""Which file, where its paragraph begins, which of its fields, and where in that; to compare."""


def first_mention(name: str, texts: Sequence[bytes]) -> Mention:
    """Where a package is named first; behind everything when it never is.

    Args:
        name: of the package.
        texts: Packages files, in the order of their sources.
    """
    for number, text in enumerate(texts):
        found: list[Mention] = []
        for position in _words(name.encode(), text):
            start = text.rfind(b"\n\n", 0, position) + 1
            if found and start != found[0][1]:
                break
            line = text.rfind(b"\n", 0, position) + 1
            field = text[line:position].partition(b":")[0]
            if field in _FIELDS:
                found.append((number, start, _FIELDS.index(field), position))
        if found:
            return min(found)
    return (len(texts),)


def _words(word: bytes, text: bytes) -> Iterator[int]:
    """Where a word stands for itself, not as a part of another."""
    position = text.find(word)
    while position >= 0:
        end = position + len(word)
        around = text[max(position - 1, 0) : position] + text[end : end + 1]
        if _NAME_BYTES.isdisjoint(around):
            yield position
        position = text.find(word, end)
