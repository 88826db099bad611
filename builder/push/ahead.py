"""What can go to registries before there is an image: its layers, as each of them is finished.

Meanwhile the build goes on. A build that fails leaves blobs there that no manifest points at, which
registries clear away.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from builder.base.base import Base
from builder.oci.blob import Blob
from builder.oci.descriptor import Descriptor
from builder.push.deliver import Route
from layers.layer import Layer

_MOMENT_SECONDS = 1
"""For uploads that come to nothing to be taken back, when a build failed."""


class Ahead:
    """Sends layers ahead of their image, to all of its repositories, in the background.

    Nothing that fails is told here: whoever delivers the image brings the layer again.

    Args:
        route: to the repositories.
        dry_run: whether nothing goes at all.
    """

    def __init__(self, route: Route, *, dry_run: bool = False) -> None:
        self._route = route
        # A name with a digest may turn out to be another image's; then nothing is to be sent.
        is_bound = any(name.digest for each in route.shipments for name in each.goal.references)
        self._shipments = () if dry_run or is_bound else route.shipments
        self._bases: list[Base] = []
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Ask what the names stand for now: after most builds that says it all."""
        for shipment in self._shipments:
            shipment.begin()

    def stand_on(self, base: Base) -> None:
        """Take note of a base; its layers go with the next that is built."""
        if base.is_published:
            self._route.places.add_base(base.name)
        self._bases.append(base)

    def send(self, layer: Layer) -> None:
        """Send a finished layer soon; any thread may call."""
        with self._lock:
            bases, self._bases = self._bases, []
        layers = [layer]
        for base in bases:
            for shipment in self._shipments:
                shipment.expect(each.digest for each in base.image.layers)
            layers += base.image.layers
        for each in layers:
            blob = Blob(Descriptor.of_layer(each), each.source)
            for shipment in self._shipments:
                shipment.send_ahead(blob)


@contextmanager
def going_ahead(route: Route, *, dry_run: bool = False) -> Iterator[Ahead]:
    """Something to send layers with while the context is open, and the names asked for at once.

    What is under way when the context ends by an error is given up.

    Args:
        route: to the repositories.
        dry_run: whether nothing goes at all.
    """
    ahead = Ahead(route, dry_run=dry_run)
    ahead.begin()
    try:
        yield ahead
    except BaseException as error:
        # Whoever pressed Ctrl-C does not wait for a server that says nothing; others do not long.
        end = time.monotonic() + (_MOMENT_SECONDS if isinstance(error, Exception) else 0)
        for shipment in route.shipments:
            shipment.give_up(grace_seconds=0)
        for shipment in route.shipments:
            shipment.give_up(grace_seconds=end - time.monotonic())
        raise
