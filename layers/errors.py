"""The root of the error tree, and the branch for what goes into a layer.

The rest of the tree is drawn in ``builder.errors``; it starts here because ``layers`` is imported
by ``builder`` and never the reverse.
"""


class BuilderError(Exception):
    """Something the user, or somebody the user can ask, is able to put right.

    Args:
        message: what was attempted, on what, what was got and what was wanted; one paragraph.
        hint: what to do about it, kept apart so that a caller may show it differently.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ContentError(BuilderError):
    """A file or directory cannot go into an image as it is; the message names its path."""


class LayerError(BuilderError):
    """The bytes of a layer are not what its digest, size or format promises."""
