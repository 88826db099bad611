"""Artifacts: files of any kind that lie in a registry as the layers of an image do.

https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage
"""

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from builder.errors import DocumentError, StoreError
from builder.oci.blob import Blob
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import Manifest, parse_manifest
from builder.oci.tree import ManifestTree
from builder.registry.client import RegistryClient
from builder.registry.referrers import referrer_of
from builder.registry.remote import RemoteContent
from layers.digest import CHUNK, Digest
from layers.entries import BytesContent

TITLE = "org.opencontainers.image.title"
"""The annotation of a blob that holds the name of its file."""

_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_EMPTY = b"{}"
# https://www.rfc-editor.org/rfc/rfc6838#section-4.2
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}")


def make_artifact(
    artifact_type: str,
    blobs: Sequence[Blob],
    *,
    config: Blob | None = None,
    subject: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
) -> ManifestTree:
    """Put an artifact together; the same parts make the same bytes.

    Args:
        artifact_type: a media type that says what it is.
        blobs: its parts, in order; one that is to be a file has its name in the annotation
            ``TITLE`` of its descriptor.
        config: what describes the parts; an empty object when None.
        subject: the manifest that the artifact is about.
        annotations: about the whole.

    Raises:
        DocumentError: the artifact type is no media type.
    """
    if not _MEDIA_TYPE.fullmatch(artifact_type):
        raise DocumentError(
            f"not a media type: {artifact_type!r}", hint="expected e.g. application/spdx+json"
        )
    # The specification wants at least one layer.
    parts = tuple(blobs) or (_empty(),)
    config = config or _empty()
    document = Manifest(
        config=config.descriptor,
        layers=tuple(part.descriptor for part in parts),
        annotations=annotations or {},
        subject=_plain(subject) if subject else None,
        artifact_type=artifact_type,
    ).to_document()
    return ManifestTree(
        descriptor=referrer_of(document.raw, document.media_type),
        raw=document.raw,
        blobs=_each_once((config, *parts)),
    )


def pull_artifact(client: RegistryClient, selector: str) -> ManifestTree:
    """An artifact, or any one image, whose blobs come from the registry when they are read.

    Args:
        client: of the repository; it has to live as long as blobs are read.
        selector: a tag or digest.

    Raises:
        RegistryError: the registry does not give it.
        TransportError: the registry cannot be reached.
        DocumentError: it is an index, or no manifest at all.
    """
    fetched = client.manifest(selector)
    document = parse_manifest(fetched.raw, fetched.media_type)
    parts = (document.value.config, *document.value.layers)
    return ManifestTree(
        descriptor=referrer_of(document.raw, document.media_type),
        raw=document.raw,
        blobs=_each_once([Blob(part, RemoteContent(client, part)) for part in parts]),
    )


def save_artifact(tree: ManifestTree, directory: Path) -> tuple[Path, ...]:
    """Write those parts of an artifact that have a title as files of that name.

    Every file is there whole or not at all; one that was there is replaced. All titles are
    checked before anything is written.

    Args:
        tree: of one manifest.
        directory: made when it is not there.

    Returns:
        The files, in the order of the parts.

    Raises:
        DocumentError: a title is no path below ``directory``, or two parts have the same.
        LayerError: a blob's bytes are not its digest's.
        StoreError: a file cannot be written.
        RegistryError: a registry does not give a blob.
        TransportError: a registry cannot be reached.
    """
    layers = parse_manifest(tree.raw, tree.descriptor.media_type).value.layers
    titled = [(layer.annotations[TITLE], layer) for layer in layers if TITLE in layer.annotations]
    sources = {blob.descriptor.digest: blob for blob in tree.blobs}
    paths = [directory / title for title in _checked([title for title, _ in titled])]
    for path, (_, layer) in zip(paths, titled, strict=True):
        try:
            _write(directory, path, sources[layer.digest])
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"cannot write {path}: {reason}") from error
    return tuple(paths)


def _empty() -> Blob:
    descriptor = Descriptor(media_type=_EMPTY_TYPE, digest=Digest.of(_EMPTY), size=len(_EMPTY))
    return Blob(descriptor, BytesContent(_EMPTY))


def _plain(subject: Descriptor) -> Descriptor:
    """What identifies a manifest, without what its index says of it."""
    return Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size)


def _each_once(blobs: Sequence[Blob]) -> tuple[Blob, ...]:
    return tuple({blob.descriptor.digest: blob for blob in blobs}.values())


def _checked(titles: Sequence[str]) -> list[PurePosixPath]:
    """Titles as paths that stay below the directory where they are written, each its own file."""
    paths = [_path(title) for title in titles]
    above = {parent for path in paths for parent in path.parents}
    for path in paths:
        if paths.count(path) > 1 or path in above:
            raise DocumentError(f"two parts of the artifact are to be written as {path}")
    return paths


def _path(title: str) -> PurePosixPath:
    path = PurePosixPath(title)
    is_below = bool(path.parts) and not path.is_absolute() and ".." not in path.parts
    if not is_below or not title.isprintable() or title.endswith("/"):
        raise DocumentError(
            f"a part of the artifact is called {title!r}; refused: "
            "that is no name of a file below the directory"
        )
    return path


def _write(directory: Path, path: Path, blob: Blob) -> None:
    if not path.parent.resolve().is_relative_to(directory.resolve()):
        raise StoreError(
            f"cannot write {path}: a symbolic link on the way leads out of {directory}",
            hint="name an empty directory",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with blob.open() as source, scratch.open("xb") as file:
            while data := source.read(CHUNK):
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
