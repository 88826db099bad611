"""What only a run would show: its mark in texts and in the contents of files."""

# No text that was decoded has a surrogate of this half, so no file can bring the mark along.
UNKNOWN = "\ud800"
_MARK = UNKNOWN.encode("utf-8", "surrogatepass")


def to_text(data: bytes) -> str:
    """Content as text, in which any byte survives."""
    return UNKNOWN.join(part.decode("utf-8", "surrogateescape") for part in data.split(_MARK))


def to_bytes(text: str) -> bytes:
    """The content that ``to_text`` makes this text of."""
    return _MARK.join(part.encode("utf-8", "surrogateescape") for part in text.split(UNKNOWN))


def is_unknown(data: bytes) -> bool:
    """Whether a part of a content is unknown."""
    return _MARK in data


def shown(text: str) -> str:
    """A text for messages."""
    plain = text.replace(UNKNOWN, "…")
    return plain.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
