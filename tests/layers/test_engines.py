"""What other tools make of our layers: umoci and podman read them with Go's archive/tar."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.oci.descriptor import Descriptor
from builder.oci.image_config import make_image_config
from builder.oci.manifest import Manifest
from builder.oci.media_types import CONFIG
from builder.store.layout import Layout
from layers.compress import CODECS, Codec
from layers.entries import WhiteoutEntry
from layers.layer import Layer, write_layer
from layers.tar import complete
from tests.layers.joined import apart, joined_layer
from tests.layers.test_tar import OF_EVERY_KIND, expected, found_below

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can give files their owners"),
]


def of_segments(path: Path, codec: Codec) -> Layer:
    return joined_layer(*apart(OF_EVERY_KIND, 3), path, codec)


def of_one_piece(path: Path, codec: Codec) -> Layer:
    return write_layer(OF_EVERY_KIND, path, codec=codec, known={})


HOWEVER_WRITTEN = pytest.mark.parametrize("write", [of_one_piece, of_segments])


def layout_of(directory: Path, codec: Codec, write: Callable[[Path, Codec], Layer]) -> Path:
    layout = Layout(directory)
    with layout.ingest() as path:
        layer = write(path, codec)
        layout.adopt(path, layer.digest)
    config = make_image_config(
        {
            "os": "linux",
            "architecture": "amd64",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id)]},
        }
    )
    manifest = Manifest(
        config=Descriptor(media_type=CONFIG, digest=config.digest, size=len(config.raw)),
        layers=(Descriptor.of_layer(layer),),
    ).to_document()
    for document in (config, manifest):
        layout.put(document.raw)
    layout.tag("all", manifest.descriptor())
    return directory


def extracted(root: Path) -> None:
    meant = {expected(e) for e in complete(OF_EVERY_KIND, {}) if not isinstance(e, WhiteoutEntry)}
    assert found_below(root) == meant


# umoci 0.4 knows no zstd.
@HOWEVER_WRITTEN
@pytest.mark.parametrize("codec", [CODECS["gzip"], CODECS["none"]], ids=["gzip", "none"])
def test_umoci_unpacks_what_was_meant(
    codec: Codec, write: Callable[[Path, Codec], Layer], tmp_path: Path
) -> None:
    layout = layout_of(tmp_path / "layout", codec, write)
    bundle = tmp_path / "bundle"
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:all", bundle], check=True)
    extracted(bundle / "rootfs")


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[list[str | Path]]:
    """podman with a storage of its own, which is unmounted in the end."""
    # It takes no runroot of more than 50 characters.
    with tempfile.TemporaryDirectory() as short:
        storage: list[str | Path] = [
            "--root",
            tmp_path / "root",
            "--runroot",
            short,
            "--storage-driver",
            "vfs",
        ]
        yield ["podman", *storage]
        output_of("podman", *storage, "image", "umount", "--all")


@HOWEVER_WRITTEN
@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_podman_extracts_what_was_meant(
    codec: Codec,
    write: Callable[[Path, Codec], Layer],
    podman: list[str | Path],
    tmp_path: Path,
) -> None:
    layout = layout_of(tmp_path / "layout", codec, write)
    image = output_of(*podman, "pull", "--quiet", f"oci:{layout}:all")
    extracted(Path(output_of(*podman, "image", "mount", image)))


def output_of(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
