"""From the user's words for a base to the base."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from builder.base.base import Base, BaseRequest
from builder.base.intake import load_image
from builder.errors import (
    ArchiveError,
    BaseError,
    DocumentError,
    EngineError,
    LayerError,
    PackageError,
    ReferenceFormatError,
    RegistryError,
    SettingsError,
    TransportError,
)
from builder.events import Caution, EventSink, ignore
from builder.process import CommandRunner
from builder.process import run as run_process
from builder.rootfs.runtime import find_runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from builder.base.registry_source import RegistrySource
    from builder.base.source import BaseSource
    from builder.debian.package import Pin
    from builder.oci.descriptor import Descriptor
    from builder.oci.image import Image
    from builder.rootfs.file_index import FileIndex
    from builder.rootfs.libraries import Libraries
    from builder.store.layout import Store
    from layers.entries import Content

_SHAPES = {
    "oci": "oci:DIR[:TAG]",
    "oci-archive": "oci-archive:FILE[:TAG]",
    "docker-archive": "docker-archive:FILE[:NAME]",
    "containers-storage": "containers-storage:NAME",
    "apt": "apt:SUITE",
}


def find_base(
    request: BaseRequest,
    *,
    store: Store,
    events: EventSink = ignore,
    run: CommandRunner = run_process,
) -> Base:
    """The base image that was asked for, and its filesystem's index.

    Raises:
        BaseError: it is nowhere, is for another platform, or makes no sense.
        ReferenceFormatError: the source is neither a reference nor one of the other forms.
        SettingsError: the mirror is no address, or the registry is blocked.
        RegistryError: the registry does not give it.
        TransportError: the registry cannot be reached.
        EngineError: podman or skopeo failed.
        LayerError: a blob is not what its digest promises.
        StoreError: the store cannot be read or written.
    """
    return find_first_base([request], store=store, events=events, run=run)


def find_first_base(
    requests: Sequence[BaseRequest],
    *,
    strict: bool = False,
    store: Store,
    events: EventSink = ignore,
    run: CommandRunner = run_process,
) -> Base:
    """The first base of several whose registry can be reached.

    The next one is taken when no connection to the registry of the one before can be made, and
    for no other reason: a registry that answers has the last word.

    Args:
        requests: at least one, the best first; all are understood before any is asked for.
        strict: whether nothing but the first will do.
        store: where the base's blobs come to lie.
        events: told which base is taken instead of which.
        run: starts podman or skopeo.

    Raises:
        BuilderError: as for ``find_base``; for the last one, when none can be reached.
    """
    sources = []
    for request in requests:
        with _about(request.source):
            sources.append(base_source(request, events=events, run=run))
    for request, source, following in zip(requests, sources, requests[1:], strict=False):
        try:
            return _bring(request, source, store)
        except TransportError as error:
            if not (error.unreached and _is_pulled(request)):
                raise
            if strict:
                raise _no_fallback(error, following) from error
            events(_fallback(error, request, following))
    return _bring(requests[-1], sources[-1], store)


def _bring(request: BaseRequest, source: BaseSource, store: Store) -> Base:
    with _about(request.source):
        manifest = source.bring(request.platform, store)
        image = load_image(manifest, store, _layers_of(request, source, store))
        read_files = cache(partial(_read_files, request.source, image, store))
        runtime = find_runtime(image, read_files, store)
    is_composed = request.source.startswith("apt:")
    return Base(
        name=source.name,
        is_published=is_composed or _is_pulled(request),
        image=image,
        runtime=runtime,
        read_files=read_files,
        read_libraries=cache(partial(_read_libraries, request.source, image, store)),
        pins=_composed_of(manifest, store) if is_composed else (),
    )


def _read_files(source: str, image: Image, store: Store) -> FileIndex:
    from builder.rootfs.indexing import file_index  # noqa: PLC0415 - a known image needs none

    with _about(source):
        return file_index(image, store)


def _read_libraries(source: str, image: Image, store: Store) -> Libraries:
    from builder.rootfs.indexing import libraries  # noqa: PLC0415 - for checks alone

    with _about(source):
        return libraries(image, store)


def _composed_of(manifest: Descriptor, store: Store) -> tuple[Pin, ...]:
    from builder.base.composed import packages_of  # noqa: PLC0415 - of bases of our own alone

    return packages_of(manifest.digest, store)


def _is_pulled(request: BaseRequest) -> bool:
    """Whether it is a registry's."""
    return request.source.partition(":")[0] not in _SHAPES


def _layers_of(
    request: BaseRequest, source: BaseSource, store: Store
) -> Callable[[Descriptor], Content] | None:
    """Where a base's layers are, if they may be elsewhere than in the store."""
    if not _is_pulled(request):
        return None
    return partial(cast("RegistrySource", source).layer, store=store)


def _fallback(error: TransportError, given: BaseRequest, taken: BaseRequest) -> Caution:
    return Caution(
        f"{error.message}; the next base is taken instead: {taken.source}",
        f"the image will differ from one on {given.source}; --locked refuses that",
    )


def _no_fallback(error: TransportError, refused: BaseRequest) -> TransportError:
    return TransportError(
        f"{error.message}; the next base, {refused.source}, is refused when locked",
        transient=error.transient,
        unreached=True,
        hint=f"{error.hint}; or choose that base alone: --base {refused.source}",
    )


def base_source(request: BaseRequest, *, events: EventSink, run: CommandRunner) -> BaseSource:
    """The kind of source that a request names.

    Raises:
        ReferenceFormatError: none of them.
        SettingsError: the mirror is no address, or there is nothing after the kind.
    """
    source = request.source
    kind, _, rest = source.partition(":")
    if kind in _SHAPES and not rest:
        raise SettingsError(f"the base {source!r} names no image", hint=f"write {_SHAPES[kind]}")
    # Each kind is loaded when it is wanted: a build has one base.
    match kind:
        case "oci":
            from builder.base.layout_source import LayoutSource  # noqa: PLC0415

            path, tag = split_path(rest)
            return LayoutSource(name=source, path=path, tag=tag)
        case "oci-archive":
            from builder.base.layout_source import OciArchiveSource  # noqa: PLC0415

            path, tag = split_path(rest)
            return OciArchiveSource(name=source, path=path, tag=tag)
        case "docker-archive":
            from builder.base.docker_archive_source import DockerArchiveSource  # noqa: PLC0415

            path, tag = split_path(rest)
            return DockerArchiveSource(name=source, path=path, reference=tag)
        case "containers-storage":
            from builder.base.storage_source import ContainersStorageSource  # noqa: PLC0415

            return ContainersStorageSource(name=source, image=rest, run=run)
        case "apt":
            from builder.base.apt_source import AptBase  # noqa: PLC0415

            return AptBase.of(request, run=run, events=events)
        case _:
            from builder.base.registry_source import RegistrySource  # noqa: PLC0415

            return RegistrySource.of(request, events)


def split_path(text: str) -> tuple[Path, str | None]:
    """A path and the name after it; both may hold colons, so what is on disk decides."""
    pieces = text.split(":")
    for count in range(1, len(pieces) + 1):
        path = Path(":".join(pieces[:count])).expanduser()
        if path.exists():
            return path, ":".join(pieces[count:]) or None
    return Path(pieces[0]).expanduser(), ":".join(pieces[1:]) or None


@contextmanager
def _about(source: str) -> Iterator[None]:
    """Say in every error which base it was about."""
    try:
        yield
    except ReferenceFormatError as error:
        raise ReferenceFormatError(
            f"base: {error.message}",
            hint=f"{error.hint}; or one of {', '.join(_SHAPES.values())}",
        ) from error
    except DocumentError as error:
        raise BaseError(f"base {source}: {error.message}", hint=error.hint) from error
    except TransportError as error:
        way_out = (
            "apt-mirror names another server"
            if source.startswith("apt:")
            else "a mirror or a local base (oci:DIR, docker-archive:FILE, containers-storage:NAME) "
            "does without it"
        )
        raise TransportError(
            f"base {source}: {error.message}",
            transient=error.transient,
            unreached=error.unreached,
            hint=f"{error.hint or 'check the network'}; {way_out}",
        ) from error
    except RegistryError as error:
        message = f"base {source}: {error.message}"
        raise RegistryError(
            message, status=error.status, code=error.code, hint=error.hint
        ) from error
    except (ArchiveError, BaseError, EngineError, LayerError, PackageError) as error:
        raise type(error)(f"base {source}: {error.message}", hint=error.hint) from error
