"""The ways by which a script leaves what it is in."""


class Leave(Exception):  # noqa: N818 - it is no error
    """A script leaves a loop, a function or itself, with a status; or several loops."""

    def __init__(self, status: int = 0, *, levels: int = 1) -> None:
        super().__init__()
        self.status = status
        self.levels = levels


class Exit(Leave):
    """``exit``."""


class Return(Leave):
    """``return``."""


class Break(Leave):
    """``break``."""


class Continue(Leave):
    """``continue``."""


class Ended(Exit):
    """``exec``: a command took the script's place; what it printed is still to be printed."""

    def __init__(self, status: int, output: str) -> None:
        super().__init__(status)
        self.output = output
