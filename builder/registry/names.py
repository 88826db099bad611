"""What the names of an image stand for at its repository: asked early, and again when it counts."""

import time
from collections.abc import Callable, Iterable, Mapping

from builder.parallel import Once
from layers.digest import Digest

_FRESH_SECONDS = 5
"""An answer may have waited for a build that another process was at, or for other repositories."""


class Names:
    """The names of an image at one repository, each asked for once, or once more in the end.

    What they stood for when a build began tells which blobs the repository has. It does not tell
    that a name needs no push any more when the build is over: somebody else may have moved it.

    Args:
        selectors: the names, as the repository knows them.
        ask: finds out what one of them stands for now; may be called by any thread.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        selectors: Iterable[str],
        ask: Callable[[str], Digest | None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._selectors = tuple(selectors)
        self._ask = ask
        self._clock = clock
        self._answer = Once(self._ask_all)
        self._asked_at = 0.0
        self._is_old = False

    def __call__(self) -> Mapping[str, Digest | None]:
        """What each stands for, or did when that was asked; threads may call.

        Raises:
            RegistryError: the registry does not say.
            TransportError: the registry cannot be reached.
        """
        return self._answer()

    def let_time_pass(self) -> None:
        """Take note that something is made that takes its time; threads may call."""
        self._is_old = True

    def lacking(self, digest: Digest) -> frozenset[str]:
        """The names that stand for something else, by an answer that is fresh.

        Those that stood for something else before are not asked again: they get the image anyway.

        Raises:
            RegistryError: the registry does not say.
            TransportError: the registry cannot be reached.
        """
        stands = self._answer()
        now = self._clock()
        if self._is_old or now - self._asked_at > _FRESH_SECONDS:
            again = {name: self._ask(name) for name, stood in stands.items() if stood == digest}
            stands = {**stands, **again}
            self._answer = Once(lambda: stands)
            self._asked_at, self._is_old = now, False
        return frozenset(name for name, stood in stands.items() if stood != digest)

    def _ask_all(self) -> dict[str, Digest | None]:
        self._asked_at = self._clock()
        return {selector: self._ask(selector) for selector in self._selectors}
