"""Base images in OCI image layouts: directories, and tar archives of them.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.base.intake import take_in
from builder.base.tree import DirectoryTree, Tree
from builder.errors import BaseError
from builder.oci.descriptor import REF_NAME, Descriptor
from builder.oci.document import MAX_DOCUMENT
from builder.oci.manifest import Index, parse_index
from builder.oci.platform import Platform
from builder.store.layout import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutSource:
    """``oci:DIR[:TAG]``."""

    name: str
    path: Path
    tag: str | None

    def bring(self, platform: Platform, store: Store) -> Descriptor:
        """Copy the image from the directory.

        Raises:
            BaseError: the directory is no layout, or does not name one image so.
        """
        return bring_from_layout(DirectoryTree(self.path), self.tag, platform, store)


@dataclass(frozen=True, slots=True, kw_only=True)
class OciArchiveSource:
    """``oci-archive:FILE[:TAG]``."""

    name: str
    path: Path
    tag: str | None

    def bring(self, platform: Platform, store: Store) -> Descriptor:
        """Copy the image from the archive.

        Raises:
            BaseError: the file is no archive of a layout, or does not name one image so.
        """
        from builder.base.archive_tree import open_archive  # noqa: PLC0415 - tar is slow to load

        with open_archive(self.path, store) as tree:
            return bring_from_layout(tree, self.tag, platform, store)


def bring_from_layout(
    tree: Tree, tag: str | None, platform: Platform | None, store: Store
) -> Descriptor:
    """Copy an image from a layout into the store.

    Args:
        tree: the layout's files.
        tag: the image's name in the layout, or the tag in that name; None for the only image.
        platform: what the image has to run on; whatever it is for when None.
        store: gets the blobs.

    Raises:
        BaseError: no image has that name, several do, or none was given and there are several.
    """
    with tree.open("index.json") as file:
        raw = file.read(MAX_DOCUMENT)
    top = choose_image(parse_index(raw).value, tag, platform)

    def copy(descriptors: Sequence[Descriptor]) -> None:
        for descriptor in descriptors:
            digest = descriptor.digest
            with tree.open(f"blobs/{digest.algorithm}/{digest.hex}") as blob:
                store.add(blob, descriptor)

    return take_in(top, platform, store, copy)


def choose_image(index: Index, tag: str | None, platform: Platform | None) -> Descriptor:
    """What a layout's index has under a name.

    Args:
        index: of the layout.
        tag: the image's name in the layout, or the tag in that name; None for the only image.
        platform: decides between images of one name.

    Raises:
        BaseError: no image has that name, several do, or none was given and there are several.
        DocumentError: none of that name is for the platform.
    """
    names = sorted({_name(m) for m in index.manifests} - {""})
    offered = f"it holds: {', '.join(names)}" if names else "its images have no names"
    candidates = _named(index.manifests, tag) if tag else index.manifests
    if not candidates:
        wanted = f"no image named {tag!r}" if tag else "no image"
        raise BaseError(f"the layout holds {wanted}", hint=offered if names else None)
    if len({m.digest for m in candidates}) == 1:
        return candidates[0]
    if not tag and len({_name(m) for m in candidates}) > 1:
        raise BaseError(
            "the layout holds several images, and none was chosen",
            hint=f"put the name after the path, e.g. :{names[0]}; {offered}",
        )
    if any(m.platform is None for m in candidates):
        raise BaseError(
            f"the layout holds {len(candidates)} images of one name, and does not say for which "
            "platforms",
            hint=offered,
        )
    if platform is None:
        known = ", ".join(str(m.platform) for m in candidates)
        raise BaseError(
            f"the layout holds {len(candidates)} images of one name, and no platform was chosen",
            hint=f"choose with --platform: {known}",
        )
    return Index(manifests=tuple(candidates)).select(platform)


def _named(manifests: Sequence[Descriptor], tag: str) -> Sequence[Descriptor]:
    exact = [m for m in manifests if _name(m) == tag]
    return exact or [m for m in manifests if _name(m).endswith(f":{tag}")]


def _name(manifest: Descriptor) -> str:
    return manifest.annotations.get(REF_NAME, "")
