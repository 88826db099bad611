"""What ``push`` sends: an image that exists already, wherever it lies.

* a directory: a layout when it holds ``oci-layout``, a project when it holds ``pyproject.toml``
* ``oci:DIR[:TAG]``, ``oci-archive:FILE[:TAG]``: an image layout
* ``docker-archive:FILE[:NAME]``: what ``docker save`` wrote
* ``containers-storage:NAME``: an image of podman's
* ``docker://REF``: an image in a registry; what can be mounted from there is never downloaded
* ``NAME[:TAG]``: what ``build --tag`` called it
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from builder.base.archive_tree import open_archive
from builder.base.docker_archive_source import DockerArchiveSource
from builder.base.find import split_path
from builder.base.intake import load_image
from builder.base.remote_blob import RemoteBlob
from builder.base.servers import Servers
from builder.base.storage_source import ContainersStorageSource
from builder.base.tree import DirectoryTree
from builder.errors import (
    BaseError,
    DocumentError,
    LayerError,
    ReferenceFormatError,
    SettingsError,
)
from builder.events import EventSink, InTurn, Notice
from builder.oci.descriptor import Descriptor
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.oci.tree_reader import check_platform
from builder.process import CommandRunner
from builder.push.arguments import SHAPES, is_path, kind_of
from builder.push.layouts import LayoutBlobs, layout_tree
from builder.push.stored import stored_tree
from builder.registry.access import RegistryAccess
from builder.registry.client import RegistryClient
from builder.registry.remote import remote_tree
from builder.store.layout import Store
from builder.store.places import remember_places
from builder.workshop import Workshop
from layers.entries import Content


@contextmanager
def open_source(
    text: str,
    access: RegistryAccess,
    shop: Workshop,
    *,
    platform: Platform | None = None,
    purpose: str = "push",
) -> Iterator[ManifestTree]:
    """An image that exists, and what its blobs are read from while the context is open.

    Args:
        text: any source but a project.
        access: makes the clients of registries.
        shop: images that engines hold come into its store.
        platform: of the one manifest that is wanted; all of an index when nothing is said.
        purpose: what shall be done with the image, as a verb for messages.

    Raises:
        BaseError: there is no such image, it is not all there, or is for another platform.
        BuilderError: of the settings, reference, registry, transport, engine, layer and store
            kinds.
    """
    with ExitStack() as stack:
        finder = _Finder(shop.store, access, shop.run, InTurn(shop.events), platform, stack)
        with _about(f"{purpose} {text}"):
            tree = finder.find(text)
        try:
            yield tree
        except LayerError as error:
            raise LayerError(
                f"cannot {purpose} {text}: {error.message}", hint=error.hint
            ) from error


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds images; what they are read from is closed with ``stack``."""

    store: Store
    access: RegistryAccess
    run: CommandRunner
    events: EventSink
    platform: Platform | None
    stack: ExitStack

    def find(self, text: str) -> ManifestTree:
        if kind := kind_of(text):
            return self._named(kind, text.removeprefix(kind))
        if is_path(text) or Path(text).is_dir():
            return self._directory(Path(text))
        return stored_tree(Reference.parse(text), self.store, self.platform, servers=self._servers)

    def _named(self, kind: str, rest: str) -> ManifestTree:
        if not rest:
            raise SettingsError("it names no image", hint=f"write {SHAPES[kind]}")
        match kind:
            case "oci:":
                return self._layout(*split_path(rest))
            case "oci-archive:":
                return self._archive(*split_path(rest))
            case "docker-archive:":
                path, name = split_path(rest)
                return self._copied(DockerArchiveSource(name=rest, path=path, reference=name))
            case "containers-storage:":
                return self._copied(ContainersStorageSource(name=rest, image=rest, run=self.run))
            case _:
                return self._in_registry(Reference.parse(rest))

    def _directory(self, path: Path) -> ManifestTree:
        if path.is_file():
            hint = f"write oci-archive:{path} or docker-archive:{path}"
            raise BaseError("it is a file of a kind that was not named", hint=hint)
        if not path.is_dir():
            raise SettingsError("there is no such directory")
        if not (path / "oci-layout").exists():
            raise SettingsError(
                f"{path.absolute()} is no project and no image: it holds neither pyproject.toml "
                "nor oci-layout",
            )
        return self._layout(path, None)

    def _layout(self, path: Path, tag: str | None) -> ManifestTree:
        blobs = LayoutBlobs(files=DirectoryTree(path), place=str(path), turn=nullcontext())
        return layout_tree(blobs, tag, self.platform)

    def _archive(self, path: Path, tag: str | None) -> ManifestTree:
        files = self.stack.enter_context(open_archive(path, self.store))
        blobs = LayoutBlobs(files=files, place=str(path), turn=threading.Lock())
        return layout_tree(blobs, tag, self.platform)

    def _copied(self, source: DockerArchiveSource | ContainersStorageSource) -> ManifestTree:
        """What has no manifest, or none that can be read where it is."""
        found = source.bring(None, self.store)
        tree = ManifestTree.of_image(load_image(found, self.store))
        if self.platform is not None:
            check_platform(tree, self.platform)
        return tree

    def _in_registry(self, reference: Reference) -> ManifestTree:
        servers = self._servers(reference)

        def content(descriptor: Descriptor) -> Content:
            return RemoteBlob(descriptor=descriptor, store=self.store, servers=servers)

        def ask(client: RegistryClient) -> ManifestTree:
            self.events(Notice(f"asking {client.host} for {reference.full}"))
            tree = remote_tree(client, reference.selector, self.platform, content=content)
            # Should it be the registry that is pushed to, it can mount them.
            digests = [blob.descriptor.digest for blob in tree.all_blobs()]
            remember_places(self.store, client.host, client.repository, digests)
            return tree

        return servers.ask(ask)

    def _servers(self, reference: Reference) -> Servers:
        return Servers(reference=reference, access=self.access, mirror=None, events=self.events)


@contextmanager
def _about(what: str) -> Iterator[None]:
    """Say in every error what was to be done."""
    try:
        yield
    except ReferenceFormatError as error:
        hint = f"{error.hint}; or one of {', '.join(SHAPES.values())}"
        raise ReferenceFormatError(f"cannot {what}: {error.message}", hint=hint) from error
    except DocumentError as error:
        raise BaseError(f"cannot {what}: {error.message}", hint=error.hint) from error
    except (BaseError, LayerError, SettingsError) as error:
        raise type(error)(f"cannot {what}: {error.message}", hint=error.hint) from error
