"""What was built before: whole images, and the parts of one that another shares.

Keys are of digests and choices alone. A build backend may look at any variable of the environment,
so what was built by one is found again only where all variables are the same; ``uv_build``, which
comes with uv, looks at none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.errors import BuilderError
from builder.events import Caution
from builder.oci import media_types
from builder.oci.descriptor import REF_NAME, Descriptor
from builder.oci.document import canonical_json
from builder.oci.image import Image
from builder.oci.image_config import parse_image_config
from builder.oci.image_index import ImageIndex
from builder.oci.manifest import parse_index, parse_manifest
from builder.plan import PROJECT, Application
from builder.project.uv_configuration import UvConfiguration
from builder.store.packing import stored_layer
from layers.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.oci.image_index import Built
    from builder.oci.platform import Platform
    from builder.oci.reference import Reference
    from builder.planning import Planned
    from builder.store.layout import Store

_BUILT = "built"
_PASSING = ("BUILDER_", "PWD", "OLDPWD", "SHLVL")
"""Beginnings of variables' names: our own, whose settings are in the plan, and a shell's."""
_INDIFFERENT = "uv_build"


def image_key(planned: Planned, interpreter: str, store: Store) -> str:
    """What a whole image is kept under.

    Args:
        planned: the image.
        interpreter: what the Python that installs and compiles says of its version.
        store: has the image that it may have to be compared with.
    """
    plan = str(planned.plan.key)
    checks: dict[str, object] = {"checks": str(planned.app.settings.checks)}
    if planned.app.settings.checks.max_growth is not None:
        checks["previous"] = previous_size(planned, store)
    around = _around(planned.app, interpreter)
    return _key({"plan": plan, **around, **_seen(planned.app), **checks})


def part_key(planned: Planned, name: str, interpreter: str) -> str:
    """What the layers of one name are kept under; the arguments are as for ``image_key``."""
    key = str(planned.plan.layer(name).key)
    seen = _seen(planned.app) if name == PROJECT else {}
    return _key({"layer": key, **_around(planned.app, interpreter), **seen})


def _key(inputs: Mapping[str, object]) -> str:
    return str(Digest.of(canonical_json(inputs)))


def _around(app: Application, interpreter: str) -> dict[str, object]:
    return {"interpreter": interpreter, "uv": str(configuration_of(app).digest)}


def configuration_of(app: Application) -> UvConfiguration:
    """What uv is told beside the project and its lock."""
    return UvConfiguration.read(app.lock.directory, app.pyproject.directory, os.environ)


def _seen(app: Application) -> dict[str, object]:
    """The variables that what builds the project may look at."""
    alone = set(app.lock.local_paths) <= {app.pyproject.directory}
    if alone and (not app.pyproject.is_package or app.pyproject.backend == _INDIFFERENT):
        return {}
    environ = os.environ.items()
    return {"environ": {n: v for n, v in environ if n != "_" and not n.startswith(_PASSING)}}


@dataclass(frozen=True, slots=True)
class Known:
    """An image that was built before, and what was said of it then."""

    image: Image
    cautions: tuple[Caution, ...] = ()


def find_built(planned: Planned, interpreter: str, store: Store) -> Known | None:
    """The image that ``build`` would give, when it did so before and all of it is in the store.

    Args:
        planned: the image.
        interpreter: as for ``image_key``.
        store: where it would be.
    """
    fact: Mapping[str, Any] = store.fact(_BUILT, image_key(planned, interpreter, store)) or {}
    try:
        manifest = Descriptor.parse(fact.get("manifest"), "remembered image")
        document = parse_manifest(store.read(manifest), manifest.media_type)
        config = parse_image_config(store.read(document.value.config))
        inherited = planned.base.image.layers
        pairs = zip(document.value.layers, config.value.diff_ids, strict=True)
        added = [stored_layer(*pair, store) for pair in pairs][len(inherited) :]
        image = Image(document, config, (*inherited, *added))
        if not all(store.has(Descriptor.of_layer(layer)) for layer in added):
            return None
        cautions = tuple(Caution(text, hint) for text, hint in fact["cautions"])
    except (BuilderError, LookupError, TypeError, ValueError):
        # Whatever is wrong with what was kept, building again puts it right.
        return None
    return Known(image, cautions)


def remember_built(known: Known, planned: Planned, interpreter: str, store: Store) -> None:
    """Let ``find_built`` find an image.

    Never one with distributions that were built here: what made them is not in the plan.

    Raises:
        StoreError: the store cannot be written.
    """
    fact: dict[str, object] = {
        "manifest": known.image.descriptor.to_json(),
        "cautions": [[caution.text, caution.hint] for caution in known.cautions],
    }
    store.remember(_BUILT, image_key(planned, interpreter, store), fact)


def keep(image: Image, store: Store) -> None:
    """Put an image's documents into the store.

    Raises:
        StoreError: the store cannot be written.
    """
    store.put(image.config.raw)
    store.put(image.manifest.raw)


def name_built(built: Built, names: Sequence[Reference], store: Store) -> None:
    """Name an image, or an index of images, whose documents the store keeps.

    Raises:
        StoreError: the store cannot be written.
    """
    if isinstance(built, ImageIndex):
        store.put(built.index.raw)
    for name in names:
        store.tag(name.local, built.descriptor)


def previous_size(planned: Planned, store: Store) -> int | None:
    """Compressed bytes of the layers of the image that has the first of the plan's names now.

    None when there is none for the plan's platform, or not all of its documents are in the store.
    """
    name = planned.plan.names[0].local
    platform = planned.plan.target.platform
    for found in store.index().manifests:
        if found.annotations.get(REF_NAME) == name:
            try:
                return _size(found, platform, store)
            except BuilderError:
                return None
    return None


def _size(found: Descriptor, platform: Platform, store: Store) -> int | None:
    if found.media_type in media_types.INDEXES:
        found = parse_index(store.read(found), found.media_type).value.select(platform)
    manifest = parse_manifest(store.read(found), found.media_type).value
    config = parse_image_config(store.read(manifest.config)).value
    if not config.platform.matches(platform):
        return None
    return sum(layer.size for layer in manifest.layers)
