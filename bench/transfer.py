"""How long a push and a pull take, next to skopeo and podman.

One image of four layers, 1 GiB in all; a registry of its own for every push. Push: into an empty
registry. Again: the same once more. Pull: into an empty layout. podman packs layers anew before it
pushes, and unpacks what it pulls: its pull is another kind of work and is left out.
"""

import os
import shutil
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bench.engines import run
from bench.measure import Figures, timed
from builder.destinations.layout import LayoutDestination
from builder.events import ignore
from builder.oci.blob import Blob
from builder.oci.reference import Reference
from builder.parallel import in_parallel
from builder.process import run as run_process
from builder.registry.access import RegistryAccess
from builder.registry.remote import remote_tree
from builder.settings import RegistrySettings
from builder.store.layout import Layout, Store
from builder.store.packing import pack_layer
from layers.compress import GZIP
from layers.digest import CHUNK
from layers.entries import FileContent, FileEntry
from layers.layer import Layer
from tests.images import make_image
from tests.registry import Registry

_LAYERS = 4
_LAYER_BYTES = 256 << 20


class Mover(Protocol):
    """One way to bring an image to a registry and back."""

    @property
    def name(self) -> str: ...

    def push(self, layout: Path, reference: str) -> Sequence[str | Path]:
        """The command that pushes the image of a layout, tag ``1``."""
        ...

    def pull(self, reference: str, directory: Path) -> Sequence[str | Path]:
        """The command that pulls an image into a layout; empty when there is none."""
        ...


@dataclass(frozen=True)
class Ours:
    name: str = "ours"

    def push(self, layout: Path, reference: str) -> Sequence[str | Path]:
        return (sys.executable, "-m", "builder", "push", f"oci:{layout}:1", reference)

    def pull(self, reference: str, directory: Path) -> Sequence[str | Path]:
        return (sys.executable, "-m", "bench.transfer", reference, directory)


@dataclass(frozen=True)
class Skopeo:
    name: str = "skopeo"

    def push(self, layout: Path, reference: str) -> Sequence[str | Path]:
        plain = "--dest-tls-verify=false"
        return ("skopeo", "copy", "-q", plain, f"oci:{layout}:1", f"docker://{reference}")

    def pull(self, reference: str, directory: Path) -> Sequence[str | Path]:
        plain = "--src-tls-verify=false"
        return ("skopeo", "copy", "-q", plain, f"docker://{reference}", f"oci:{directory}:1")


@dataclass(frozen=True)
class Podman:
    name: str = "podman"

    def push(self, layout: Path, reference: str) -> Sequence[str | Path]:
        del layout
        return ("podman", "push", "-q", "--tls-verify=false", _LOADED, f"docker://{reference}")

    def pull(self, reference: str, directory: Path) -> Sequence[str | Path]:
        del reference, directory
        return ()


_LOADED = "localhost/bench:push"


def measure(rounds: int, home: Path, figures: Figures) -> None:
    """All situations for every mover, round by round."""
    movers: tuple[Mover, ...] = (Ours(), Skopeo(), Podman())
    layout = _make_image(home)
    run("skopeo", "copy", "-q", f"oci:{layout}:1", f"containers-storage:{_LOADED}")
    for number in range(rounds):
        for mover in movers:
            place = home / f"{mover.name}-{number}"
            with Registry(place / "registry") as registry:
                _round(mover, layout, registry, place, figures)
            shutil.rmtree(place)


def _round(mover: Mover, layout: Path, registry: Registry, place: Path, figures: Figures) -> None:
    reference = f"{registry.host}/bench:1"
    situations = {
        "push": mover.push(layout, reference),
        "push again": mover.push(layout, reference),
        "pull": mover.pull(reference, place / "pulled"),
    }
    environ = {"BUILDER_STORE": str(place / "store")}
    for situation, command in situations.items():
        if command:
            before = len(registry.requests())
            taken = timed(command, environ)
            requests = len(registry.requests()) - before
            figures.add("transfer", situation, mover.name, replace(taken, requests=requests))


def _make_image(folder: Path) -> Path:
    """A layout with an image of random bytes, tagged ``1``."""
    store = Store(folder / "made")
    layers = [_make_layer(folder / f"random-{number}", store) for number in range(_LAYERS)]
    layout = folder / "layout"
    destination = LayoutDestination(label="bench", directory=layout, tag="1")
    destination.put(make_image(layers), [Reference.parse("bench:1")])
    shutil.rmtree(folder / "made")
    return layout


def _make_layer(file: Path, store: Store) -> Layer:
    with file.open("wb") as stream:
        for _ in range(_LAYER_BYTES // CHUNK):
            stream.write(os.urandom(CHUNK))
    entry = FileEntry(path=f"data/{file.name}", content=FileContent(file), size=_LAYER_BYTES)
    layer = pack_layer([entry], known={}, codec=GZIP, store=store)
    file.unlink()
    return layer


def _pull(name: str, directory: Path) -> None:
    """What the builder does to have a base, without a platform to choose."""
    reference = Reference.parse(name)
    with RegistryAccess.of(RegistrySettings(), {}, run=run_process, events=ignore) as access:
        client, *_ = access.pull_clients(reference)
        layout = Layout(directory)

        def add(blob: Blob) -> None:
            with blob.open() as stream:
                layout.add(stream, blob.descriptor)

        blobs = remote_tree(client, reference.selector).all_blobs()
        in_parallel(add, blobs, stop=threading.Event())


if __name__ == "__main__":
    _pull(sys.argv[1], Path(sys.argv[2]))
