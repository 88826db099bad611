"""What a build came to, or would come to, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.oci.image import Image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.oci.image_index import Built
    from builder.planning import Planned


def dry_run(plans: Sequence[Planned], destinations: Sequence[str]) -> dict[str, Any]:
    """A plan as it is; several below ``platforms``."""
    each = [{**planned.plan.to_json(), "key": str(planned.plan.key)} for planned in plans]
    whole = each[0] if len(each) == 1 else {"platforms": each}
    return {**whole, "destinations": list(destinations)}


def result_of(built: Built, plans: Sequence[Planned], went: Mapping[str, str]) -> dict[str, Any]:
    """An image; or an index, with its images below ``platforms``.

    Args:
        built: the image or index.
        plans: of its images, in their order.
        went: what came of each destination.
    """
    named = {
        "digest": str(built.digest),
        "references": [f"{name.local}@{built.digest}" for name in plans[0].plan.names],
    }
    if isinstance(built, Image):
        return {**named, **_image(built, plans[0]), "destinations": dict(went)}
    pairs = zip(built.images, plans, strict=True)
    images = [{"digest": str(image.digest), **_image(image, plan)} for image, plan in pairs]
    return {**named, "size": built.size, "platforms": images, "destinations": dict(went)}


def _image(image: Image, planned: Planned) -> dict[str, Any]:
    plan = planned.plan
    inherited = len(planned.base.image.layers)
    names = [*["base"] * inherited, *plan.names_of(len(image.layers) - inherited)]
    return {
        "platform": str(plan.target.platform),
        "size": image.size,
        "base": dict(plan.base),
        "key": str(plan.key),
        "layers": [
            {
                "name": name,
                "media_type": layer.media_type,
                "digest": str(layer.digest),
                "diff_id": str(layer.diff_id),
                "size": layer.size,
            }
            for name, layer in zip(names, image.layers, strict=True)
        ],
    }
