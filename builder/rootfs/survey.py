"""Making an image's file index from its layers."""

from dataclasses import replace

from builder.errors import LayerError
from builder.oci.image import Image
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libc import APK_DATABASES, choose_libc
from builder.rootfs.scan import Filesystem, scan

_ACCOUNTS = ("etc/passwd", "etc/group")


def compute_file_index(image: Image) -> FileIndex:
    """Read every layer of an image.

    Raises:
        BaseError: the symbolic links of its accounts go round in circles.
        LayerError: a layer is not what its digest or diff_id promises.
    """
    found = _scan(image, {*_ACCOUNTS, *APK_DATABASES})
    index = FileIndex.of_nodes(found.nodes)
    places = {name: index.resolve(name) for name in _ACCOUNTS}
    elsewhere = {p for p in places.values() if p in index.files and p not in found.contents}
    if elsewhere:
        # An account file that is a link: only now is it known which file to read.
        found.contents |= _scan(image, elsewhere).contents
    apk = b"".join(found.contents.get(path, b"") for path in APK_DATABASES)
    architecture = image.config.value.platform.architecture
    return replace(
        index,
        passwd=found.contents.get(places["etc/passwd"], b""),
        group=found.contents.get(places["etc/group"], b""),
        libc=choose_libc(found.libcs.values(), architecture, apk),
    )


def _scan(image: Image, wanted: set[str]) -> Filesystem:
    try:
        return scan(image.layers, wanted)
    except LayerError as error:
        raise LayerError(
            error.message,
            hint=error.hint or "delete that blob from the store; the next build fetches it again",
        ) from error
