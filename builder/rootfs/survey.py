"""Making an image's file index from its layers, and finding its libraries on the way."""

from collections.abc import Container
from dataclasses import dataclass, replace

from builder.errors import LayerError
from builder.oci.image import Image
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libc import APK_DATABASES, choose_libc
from builder.rootfs.libraries import Libraries
from builder.rootfs.loader_paths import added_paths, is_configuration, loader_paths
from builder.rootfs.scan import Filesystem, scan
from layers.layer import Layer

_ACCOUNTS = ("etc/passwd", "etc/group")
_SMALL_FILES = frozenset({*_ACCOUNTS, *APK_DATABASES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What one reading of an image's layers tells."""

    files: FileIndex
    libraries: Libraries


class _Wanted:
    """Paths of files whose content is kept."""

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and is_wanted(path)


def is_wanted(path: str) -> bool:
    """Whether ``survey_of`` needs the content of a file."""
    return path in _SMALL_FILES or is_configuration(path)


def compute_file_index(image: Image) -> FileIndex:
    """Read every layer of an image for its files alone.

    Raises:
        BaseError: the symbolic links of its accounts go round in circles.
        LayerError: a layer is not what its digest or diff_id promises.
    """
    return survey(image).files


def survey(image: Image) -> Survey:
    """Read every layer of an image.

    Raises:
        BaseError: the symbolic links of its accounts go round in circles.
        LayerError: a layer is not what its digest or diff_id promises.
    """
    return survey_of(image, _scan(image, _Wanted()))


def survey_of(image: Image, found: Filesystem) -> Survey:
    """What an image's layers told that were read.

    Args:
        image: its layers are read once more where an account file is a link.
        found: what they make, with the content of what ``is_wanted``.

    Raises:
        BaseError: the symbolic links of its accounts go round in circles.
        LayerError: a layer is not what its digest or diff_id promises.
    """
    index = FileIndex.of_nodes(found.nodes)
    places = {name: index.resolve(name) for name in _ACCOUNTS}
    elsewhere = {p for p in places.values() if p in index.files and p not in found.contents}
    if elsewhere:
        # An account file that is a link: only now is it known which file to read.
        found.contents |= _scan(image, elsewhere).contents
    apk = b"".join(found.contents.get(path, b"") for path in APK_DATABASES)
    architecture = image.config.value.platform.architecture
    libc = choose_libc(found.libcs.values(), architecture, apk)
    files = replace(
        index,
        passwd=found.contents.get(places["etc/passwd"], b""),
        group=found.contents.get(places["etc/group"], b""),
        libc=libc,
    )
    directories = loader_paths(_configuration(found), architecture=architecture, libc=libc)
    return Survey(files=files, libraries=Libraries(files=found.elfs, directories=directories))


def libraries_with(below: Libraries, layer: Layer) -> Libraries:
    """The libraries of a filesystem on which a layer is laid.

    Raises:
        LayerError: the layer is not what its digest or diff_id promises.
    """
    whole = Filesystem(nodes=dict.fromkeys(below.files, 0), elfs=dict(below.files))
    found = scan([layer], _Wanted(), whole)
    added = added_paths(_configuration(found))
    return Libraries(
        files=found.elfs, directories=tuple(dict.fromkeys((*added, *below.directories)))
    )


def _configuration(found: Filesystem) -> dict[str, bytes]:
    return {path: data for path, data in found.contents.items() if is_configuration(path)}


def _scan(image: Image, wanted: Container[str]) -> Filesystem:
    try:
        return scan(image.layers, wanted)
    except LayerError as error:
        raise LayerError(
            error.message,
            hint=error.hint or "delete that blob from the store; the next build fetches it again",
        ) from error
