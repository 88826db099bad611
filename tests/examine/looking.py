"""Images of a few files, as other tools leave them, and what is found in them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from builder.checks.finding import Finding
from builder.examine.examine import examine
from builder.oci.image import Image
from builder.oci.image_config import make_image_config
from builder.settings import ChecksSettings
from builder.store.layout import Layout
from layers.entries import Entry, FileEntry
from tests.checks.leaks.secret_samples import PEM
from tests.images import make_image, make_layer

# Somebody who is not root starts something that is there: of this nothing is to be said.
RUN = {"User": "1001:1001", "Cmd": ["/start"], "WorkingDir": "/"}
START = FileEntry.of("start", b"program", mode=0o755)


def file(path: str, text: str = "", mode: int = 0o644) -> FileEntry:
    return FileEntry.of(path, text.encode(), mode=mode)


def key(path: str) -> FileEntry:
    """A file that is always a finding, unless somebody else answers for it."""
    return FileEntry.of(path, PEM)


def setuid(path: str) -> FileEntry:
    return FileEntry.of(path, b"program", mode=0o4755)


def image_of(
    layout: Layout, *layers: Sequence[Entry], run: Mapping[str, Any] | None = None
) -> Image:
    """An image whose first layer has what its command starts, too."""
    first, *others = layers
    made = [make_layer(layout, entries) for entries in ([START, *first], *others)]
    return make_image(made, RUN if run is None else run)


def with_history(image: Image, *commands: str) -> Image:
    members = dict(image.config.value.members)
    config = make_image_config({**members, "history": [{"created_by": c} for c in commands]})
    manifest = replace(image.manifest.value, config=config.descriptor())
    return Image(manifest.to_document(), config, image.layers)


def annotated(image: Image, annotations: Mapping[str, str]) -> Image:
    manifest = replace(image.manifest.value, annotations=annotations)
    return Image(manifest.to_document(), image.config, image.layers)


def found(image: Image, layout: Layout) -> list[Finding]:
    return examine(image, ChecksSettings(), layout)


def told(path: Path, *layers: Sequence[Entry]) -> list[tuple[str, str]]:
    """Which checks find something where, in an image of these layers."""
    layout = Layout(path)
    return [(each.check, each.path) for each in found(image_of(layout, *layers), layout)]
