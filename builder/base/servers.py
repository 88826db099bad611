"""The servers that may have a base image, asked one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.errors import DocumentError, LayerError, RegistryError, TransportError
from builder.events import Caution, EventSink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from builder.oci.reference import Reference
    from builder.registry.access import RegistryAccess
    from builder.registry.client import RegistryClient

type Failure = TransportError | RegistryError | DocumentError | LayerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Mirrors of a repository in their order, and its registry last.

    Attributes:
        reference: which image.
        access: makes the clients; whoever opened it closes it.
        mirror: address of the one server that is asked in place of all of these.
        events: told when the next server is asked, since the one before failed.
    """

    reference: Reference
    access: RegistryAccess
    mirror: str | None
    events: EventSink

    def names(self) -> str:
        """All of them in one line; none is asked for it."""
        return " ".join(map(str, self.access.pull_endpoints(self.reference, self.mirror)))

    def ask[T](self, question: Callable[[RegistryClient], T]) -> T:
        """What the first server answers that does not fail, whatever the failure.

        Raises:
            TransportError: the last one cannot be reached; ``unreached`` when none was.
            RegistryError: the last one does not give what was asked for.
            DocumentError: what it gives cannot be read.
            LayerError: what it gives is something else.
        """
        failed: list[Failure] = []
        for client in self.access.pull_clients(self.reference, self.mirror):
            if failed:
                self.events(Caution(f"{failed[-1].message}; asking {client.name} instead"))
            try:
                return question(client)
            except (TransportError, RegistryError, DocumentError, LayerError) as error:
                if isinstance(error, TransportError):
                    # A server that answered was reached, though its tokens or blobs may lie
                    # with another one that cannot be.
                    error.unreached = error.unreached and not client.reached
                failed.append(error)
        raise _last(failed)


def _last(failed: Sequence[Failure]) -> Failure:
    *before, error = failed
    if before:
        error.message += f" (before that: {'; '.join(other.message for other in before)})"
        error.args = (error.message,)
    if isinstance(error, TransportError):
        error.unreached = all(isinstance(e, TransportError) and e.unreached for e in failed)
    return error
