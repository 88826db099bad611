"""Plan, base and layers become an image: config first, then the manifest that points at it."""

from collections.abc import Mapping, Sequence
from typing import Any

from builder.base.base import Base
from builder.oci.descriptor import Descriptor, platform_json
from builder.oci.image import Image
from builder.oci.image_config import ImageConfig, make_image_config
from builder.oci.manifest import Manifest
from builder.oci.media_types import CONFIG, oci_name
from builder.plan import BuildPlan, MadeLayer
from layers.layer import Layer

AUTHOR = "image-builder"
"""Begins what the history says of every layer that is made here."""


def assemble(plan: BuildPlan, base: Base, layers: Sequence[MadeLayer]) -> Image:
    """Put an image together.

    Args:
        plan: config, annotations and times.
        base: its layers come first, with the OCI names of their media types.
        layers: what was planned, from the bottom.

    Raises:
        DocumentError: the parts do not agree.
    """
    own = tuple(made.layer for made in layers)
    inherited = tuple(_with_oci_name(layer) for layer in base.image.layers)
    config = make_image_config(_members(plan, base.image.config.value, layers))
    manifest = Manifest(
        config=Descriptor(media_type=CONFIG, digest=config.digest, size=len(config.raw)),
        layers=tuple(Descriptor.of_layer(layer) for layer in (*inherited, *own)),
        annotations=plan.annotations,
    )
    return Image(manifest.to_document(), config, (*inherited, *own))


def _with_oci_name(layer: Layer) -> Layer:
    return Layer(
        media_type=oci_name(layer.media_type),
        digest=layer.digest,
        size=layer.size,
        diff_id=layer.diff_id,
        source=layer.source,
    )


def _members(plan: BuildPlan, base: ImageConfig, layers: Sequence[MadeLayer]) -> dict[str, Any]:
    """The image config, with the members that the specification names and no others."""
    kept = {key: base.members[key] for key in ("os.version", "os.features") if key in base.members}
    return {
        **kept,
        **platform_json(base.platform),
        "created": plan.created,
        "config": dict(plan.run),
        "rootfs": {
            "type": "layers",
            "diff_ids": [*map(str, base.diff_ids), *(str(made.layer.diff_id) for made in layers)],
        },
        "history": [*_base_history(base), *(_entry(plan, made) for made in layers)],
    }


def _base_history(base: ImageConfig) -> list[Mapping[str, Any]]:
    """The base's history, when it accounts for each of its layers; engines refuse any other."""
    history = list(base.history)
    counted = sum(not entry.get("empty_layer") for entry in history)
    return history if counted == len(base.diff_ids) else [{} for _ in base.diff_ids]


def _entry(plan: BuildPlan, made: MadeLayer) -> dict[str, Any]:
    return {
        "created": plan.created,
        "created_by": f"{AUTHOR}: {made.name}",
        "comment": made.holds or made.name,
    }
