"""Media types of documents; those of layers are with the codecs, in ``layers.compress``.

https://github.com/opencontainers/image-spec/blob/main/media-types.md
"""

from __future__ import annotations

from layers.compress import (
    DOCKER_TAR,
    DOCKER_TAR_GZIP,
    DOCKER_TAR_ZSTD,
    TAR,
    TAR_GZIP,
    TAR_ZSTD,
)

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

INDEXES = frozenset({INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({MANIFEST, DOCKER_MANIFEST})
DOCUMENTS = INDEXES | MANIFESTS
"""What a tag may stand for."""

_OCI_NAMES = {
    DOCKER_INDEX: INDEX,
    DOCKER_MANIFEST: MANIFEST,
    DOCKER_CONFIG: CONFIG,
    DOCKER_TAR: TAR,
    DOCKER_TAR_GZIP: TAR_GZIP,
    DOCKER_TAR_ZSTD: TAR_ZSTD,
}


def oci_name(media_type: str) -> str:
    """The OCI name of a Docker media type whose bytes are the same; any other stays."""
    return _OCI_NAMES.get(media_type, media_type)
