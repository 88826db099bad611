"""Documents as registries serve them."""

from typing import Any

CONFIG_DIGEST = "sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7"
LAYER_DIGEST = "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0"


def descriptor(media_type: str, digest: str = LAYER_DIGEST, size: int = 32654) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def manifest() -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", CONFIG_DIGEST, 7023),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip")],
        "annotations": {"org.opencontainers.image.title": "app"},
    }


def docker_manifest() -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": descriptor("application/vnd.docker.container.image.v1+json", CONFIG_DIGEST),
        "layers": [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip")],
    }


def index(*platforms: dict[str, str]) -> dict[str, Any]:
    media_type = "application/vnd.oci.image.manifest.v1+json"
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            descriptor(media_type, f"sha256:{number:064x}") | {"platform": platform}
            for number, platform in enumerate(platforms)
        ],
    }


def image_config() -> dict[str, Any]:
    return {
        "created": "2026-01-02T03:04:05Z",
        "architecture": "arm64",
        "variant": "v8",
        "os": "linux",
        "os.features": ["x"],
        "config": {
            "User": "1001:1001",
            "Env": ["PATH=/usr/bin:/bin", "EMPTY=", "EQUALS=a=b", "BARE"],
            "Labels": {"org.opencontainers.image.title": "app"},
            "ExposedPorts": {"8000/tcp": {}},
        },
        "rootfs": {"type": "layers", "diff_ids": [LAYER_DIGEST]},
        "history": [{"created_by": "COPY"}, {"created_by": "ENV", "empty_layer": True}],
    }
