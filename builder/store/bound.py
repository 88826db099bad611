"""A store that does not grow beyond what its user wants."""

from collections.abc import Mapping

from builder.errors import BuilderError
from builder.events import Caution, EventSink
from builder.store.layout import Store
from builder.store.limits import store_bound


def keep_bound(store: Store, environ: Mapping[str, str], events: EventSink) -> None:
    """At the end of a build: make the store smaller if it is larger than the user wants.

    What this process used stays. When another process is at work nothing happens: it looks
    itself, at its own end. What goes wrong is told and does not undo the build.

    Args:
        store: the one of this process.
        environ: ``BUILDER_STORE_MAX_SIZE`` is the bound.
        events: told what was done.

    Raises:
        SettingsError: the bound is not a size.
    """
    bound = store_bound(environ)
    if bound is None:
        return
    try:
        # It takes milliseconds to import, and most users set no bound.
        from builder.store.prune import prune_to  # noqa: PLC0415

        prune_to(bound, store, events)
    except BuilderError as error:
        events(Caution(f"the store was not made smaller: {error.message}", error.hint))
