"""The image config: how a container starts, and what its filesystem is made of.

https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.errors import DocumentError, LayerError
from builder.oci import media_types
from builder.oci.descriptor import parse_platform
from builder.oci.document import Document, canonical_json, parse_object
from builder.oci.members import as_object, items, text_map
from layers.digest import DiffId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.oci.platform import Platform

_WHAT = "image config"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """A parsed image config.

    Attributes:
        platform: what the image runs on.
        diff_ids: one per layer, from the bottom.
        run: the ``config`` member: Env, Cmd, User and so on, by the specification's names.
        history: the ``history`` member.
        members: the whole document, with whatever else it holds.
    """

    platform: Platform
    diff_ids: tuple[DiffId, ...]
    run: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...]
    members: Mapping[str, Any]

    @property
    def env(self) -> dict[str, str]:
        """The container's environment, in the order of the document."""
        return dict(pair.split("=", 1) for pair in self.run.get("Env") or () if "=" in pair)

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels."""
        return dict(self.run.get("Labels") or {})


def make_image_config(members: Mapping[str, Any]) -> Document[ImageConfig]:
    """An image config document with these members.

    Raises:
        DocumentError: the members do not make one.
    """
    return parse_image_config(canonical_json(members))


def parse_image_config(raw: bytes) -> Document[ImageConfig]:
    """Read an image config.

    Raises:
        DocumentError: the bytes are not an image config.
    """
    value = parse_object(raw, _WHAT)
    rootfs = as_object(value.get("rootfs"), f"{_WHAT}.rootfs")
    config = ImageConfig(
        platform=parse_platform(value, _WHAT),
        diff_ids=tuple(map(_diff_id, items(rootfs, "diff_ids", f"{_WHAT}.rootfs"))),
        run=_run(value),
        history=tuple(as_object(v, f"{_WHAT}.history") for v in items(value, "history", _WHAT)),
        members=value,
    )
    return Document(raw, config, media_types.CONFIG)


def _run(value: Mapping[str, Any]) -> dict[str, Any]:
    what = f"{_WHAT}.config"
    run = as_object(value.get("config") or {}, what)
    text_map(run, "Labels", what)
    if not all(isinstance(pair, str) for pair in items(run, "Env", what)):
        raise DocumentError(f"{what}: Env is {run['Env']!r:.80}; expected a list of strings")
    return run


def _diff_id(text: Any) -> DiffId:
    try:
        return DiffId(str(text))
    except LayerError as error:
        raise DocumentError(f"{_WHAT}.rootfs: {error.message}") from None
