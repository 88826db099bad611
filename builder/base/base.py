"""A base image at hand, and what was asked for to get it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from builder.settings import PullPolicy, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from builder.debian.package import Pin
    from builder.oci.image import Image
    from builder.oci.platform import Platform
    from builder.registry.access import RegistryAccess
    from builder.rootfs.file_index import FileIndex
    from builder.rootfs.libraries import Libraries
    from builder.rootfs.runtime import Runtime
    from layers.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class AptRequest:
    """What is wanted of a base that is composed of packages.

    Attributes:
        settings: say where packages come from.
        project: directory that the settings are about.
        python: minor version that the project is for.
        pins: the base's packages, when they are locked.
    """

    settings: Settings
    project: Path
    python: tuple[int, int]
    pins: tuple[Pin, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRequest:
    """Which base is wanted.

    Attributes:
        source: a registry reference, ``oci:DIR[:TAG]``, ``oci-archive:FILE[:TAG]``,
            ``docker-archive:FILE[:REFERENCE]``, ``containers-storage:NAME`` or ``apt:SUITE``.
        platform: what it has to run on.
        policy: for registry references; files and engines are always read.
        mirror: the address of a server that is asked in place of the reference's registry.
        digest: of the one manifest that will do, for registry references.
        apt: for ``apt:SUITE``.
        registries: makes the clients for registry references, and is closed by its owner once
            nobody opens the base's layers any more.
    """

    source: str
    platform: Platform
    policy: PullPolicy = PullPolicy.MISSING
    mirror: str | None = None
    digest: Digest | None = None
    apt: AptRequest | None = None
    registries: RegistryAccess | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base image; its documents are in the store, and its layers there or at their registry.

    Attributes:
        name: a reference in full, or the source as it was written.
        is_published: whether the name means the same to everyone, as a registry reference does;
            a path on this machine has no place in an image.
        image: its documents as they were fetched, its layers as the manifest names them; whoever
            opens one that is not in the store reads it from the registry.
        runtime: what programs find there.
        read_files: reads the index of its filesystem, once; a build that finds nothing changed
            does not need its thousands of paths.
        read_libraries: reads its shared libraries, once; few builds check anything against them.
        pins: the packages that it was composed of; empty when it was found as it is.
    """

    name: str
    is_published: bool
    image: Image
    runtime: Runtime
    read_files: Callable[[], FileIndex] = field(compare=False, repr=False)
    read_libraries: Callable[[], Libraries] = field(compare=False, repr=False)
    pins: tuple[Pin, ...] = ()

    @property
    def digest(self) -> Digest:
        """Of its manifest, for the platform asked for."""
        return self.image.digest

    @property
    def files(self) -> FileIndex:
        """Its filesystem."""
        return self.read_files()

    @property
    def libraries(self) -> Libraries:
        """Its shared libraries."""
        return self.read_libraries()
