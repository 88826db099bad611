"""A layout of one image or index over the store's blobs, called what podman shall call it."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from builder.errors import StoreError
from builder.oci.descriptor import REF_NAME
from builder.oci.image_index import Built
from builder.oci.manifest import Index
from builder.store.layout import LAYOUT_MARKER, Layout

_HOST = "localhost/"
_LATEST = ":latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A layout that nobody else has: its directory, its path and its index are ours alone.

    podman since 4.7 takes the image's name in the index. Before, it made ``localhost/PATH:latest``
    of the layout's path, as it was given on the command line.
    https://github.com/containers/common/commit/08fc0b45

    Attributes:
        directory: where podman has to run.
        path: the layout's, below the directory.
        name: the image's in the index, in full.
    """

    directory: Path
    path: str
    name: str

    @property
    def source(self) -> str:
        """What podman is to pull."""
        return f"oci:{self.path}:{self.name}"

    @property
    def name_by_path(self) -> str:
        """What podman before 4.7 calls the image."""
        return f"{_HOST}{self.path}{_LATEST}"


@contextmanager
def window(store: Layout, built: Built, names: Sequence[str]) -> Iterator[Window]:
    """Make a layout that shows one image of a store, for as long as the block lasts.

    Args:
        store: has all the blobs that podman will read.
        built: what to show.
        names: in full, ``localhost/app:latest``. Where one has this form every podman gives it;
            otherwise the old ones give a name that nobody has.

    Raises:
        StoreError: there is no room for it.
    """
    try:
        directory = Path(tempfile.mkdtemp(prefix="builder-"))
    except OSError as error:
        raise StoreError(f"cannot make a temporary directory: {error}") from error
    try:
        shown = Window(directory=directory, path=_path(names), name=names[0])
        _write(shown, store, built)
        yield shown
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _path(names: Sequence[str]) -> str:
    for name in names:
        if name.startswith(_HOST) and name.endswith(_LATEST):
            return name.removeprefix(_HOST).removesuffix(_LATEST)
    return f"builder-{secrets.token_hex(8)}"


def _write(shown: Window, store: Layout, built: Built) -> None:
    layout = shown.directory / shown.path
    named = replace(built.descriptor, annotations={REF_NAME: shown.name})
    try:
        layout.mkdir(parents=True)
        (layout / "blobs").symlink_to((store.root / "blobs").resolve())
        (layout / "oci-layout").write_bytes(LAYOUT_MARKER)
        (layout / "index.json").write_bytes(Index(manifests=(named,)).to_document().raw)
    except OSError as error:
        raise StoreError(f"cannot write a temporary layout: {error}") from error
