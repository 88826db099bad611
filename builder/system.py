"""System packages: which ones an image gets, and the layer that they make."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from builder.base.base import Base
from builder.base.debian_layer import FOR_SCRIPTS
from builder.base.needs import likely_package, shipping_packages
from builder.debian.architecture import debian_architecture
from builder.debian.archive.archive import Archive
from builder.debian.archive.sources import AptSource
from builder.debian.archive.user_sources import base_sources, release_sources
from builder.debian.compose import compose
from builder.debian.database.installed import read_installed
from builder.debian.effects.effects import Unhandled
from builder.debian.package import Package, PackageIndex, Pin
from builder.debian.resolve.resolve import resolve
from builder.debian.root import Root, read_root
from builder.errors import BuilderError, PackageError
from builder.oci.document import canonical_json
from builder.rootfs.file_index import FileIndex
from builder.rootfs.indexing import from_fact, to_fact
from builder.rootfs.libraries import Libraries, libraries_from_fact, libraries_to_fact
from builder.rootfs.survey import libraries_with
from builder.settings import PullPolicy, Settings
from builder.store.layout import Store
from builder.store.packing import layer_of_fact, layer_to_fact, pack_layer
from builder.workshop import Workshop
from layers.compress import Codec
from layers.digest import Digest
from layers.layer import Layer

_FORMAT = 1
"""Raised when the same question has another answer than before."""

_LIBRARIES = "system-libraries"

_PREFERRED = 990
"""Above what any archive has by itself: apt's own number for its default release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dock:
    """What system packages are laid on, and by what rules.

    Attributes:
        base: the base image.
        settings: packages, archives and what of them is kept.
        project: directory that the settings are about.
        shop: its store remembers what was chosen, and keeps what was fetched.
    """

    base: Base
    settings: Settings
    project: Path
    shop: Workshop

    @property
    def store(self) -> Store:
        """The workshop's."""
        return self.shop.store


def choose(dock: Dock, *, preferred: Sequence[Pin] = ()) -> tuple[Pin, ...]:
    """The packages that the settings ask for and what these need, as the base lacks them.

    The choice is remembered, and asked for again as the pull policy has it for bases.

    Args:
        dock: base and settings.
        preferred: taken in their version when they are on offer: what was locked before.

    Raises:
        ArchiveError: an archive does not answer as it should, or cannot be trusted.
        PackageError: the packages cannot be had together, or the base has no sources for them.
        TransportError: an archive cannot be reached.
    """
    root = _root(dock)
    sources = _sources(dock, root)
    key = _question(dock, sources, preferred)
    policy = dock.settings.pull
    remembered = _remembered(dock.store, key) if policy is not PullPolicy.ALWAYS else None
    if remembered is not None:
        return remembered
    if policy is PullPolicy.NEVER:
        raise PackageError(
            f"which system packages {', '.join(dock.settings.apt)} means on {dock.base.name} is "
            f"not in the store {dock.store.root}, and the pull policy is never",
            hint="build once with --pull missing, or lock them: builder lock",
        )
    architecture = _architecture(dock)
    installed = read_installed(root, architecture=architecture)
    if installed.kind is None:
        raise PackageError(
            f"the base {dock.base.name} has no dpkg database: Debian's packages are not for it",
            hint="choose a base that is a Debian, or do without apt",
        )
    index = _Preferring(_archive(dock, sources).index(), preferred)
    resolution = resolve(
        dock.settings.apt,
        index=index,
        installed=installed,
        architecture=architecture,
        assumed=_assumed(dock),
    )
    pins = tuple(package.pin for package in resolution.install if package.pin)
    dock.store.remember("system-packages", key, {"pins": [pin.to_json() for pin in pins]})
    return pins


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemLayer:
    """The layer, the base's filesystem with it, and what nobody did for its packages."""

    layer: Layer
    files: FileIndex
    unhandled: tuple[Unhandled, ...]


def system_libraries(dock: Dock, layer: Layer) -> Libraries:
    """The shared libraries of a base with a layer of packages on it; the store keeps them.

    Raises:
        BaseError: symbolic links of the base go round in circles.
        LayerError: a layer is not what its digest or diff_id promises.
        StoreError: the store cannot be written.
    """
    key = f"{dock.base.digest} {layer.digest}"
    fact = dock.store.fact(_LIBRARIES, key)
    if fact is not None:
        try:
            return libraries_from_fact(fact)
        except ValueError:
            pass  # damaged, or of another version of this program: they are found again
    found = libraries_with(dock.base.libraries, layer)
    dock.store.remember(_LIBRARIES, key, libraries_to_fact(found))
    return found


def system_layer(dock: Dock, pins: Sequence[Pin], *, key: Digest, codec: Codec) -> SystemLayer:
    """Make the layer that holds packages, or take it from the store.

    Args:
        dock: base and settings.
        pins: all packages of the layer.
        key: what the layer's bytes depend on.
        codec: how to compress.

    Raises:
        ArchiveError: an archive does not give a package.
        PackageError: a package cannot be unpacked, or does not work without its scripts.
        StoreError: the store cannot be written.
    """
    made = _kept_layer(dock.store, key)
    if made is None:
        made = _made_layer(dock, pins, codec)
        dock.store.remember("system-layer", str(key), _to_fact(made))
    _refuse_unhandled(made.unhandled, dock.settings)
    return made


def packages_with(dock: Dock, sonames: Collection[str]) -> dict[str, str]:
    """The Debian package for each of some shared libraries; an empty name when none has it.

    It is for advice on what is wrong anyway: no sources, no network and a base that is no Debian
    all mean that nothing is known of any. The archive's list of files is long, and fetched once.
    """
    if dock.settings.pull is PullPolicy.NEVER:
        return {}
    try:
        archive = _archive(dock, _sources(dock, _root(dock)))
        index = archive.index()
        found = {soname: name for soname in sonames if (name := likely_package(soname, index))}
        left = set(sonames) - found.keys()
        found |= shipping_packages(left, archive, index) if left else {}
        return {**dict.fromkeys(sonames, ""), **found}
    except BuilderError:
        return {}


def _made_layer(dock: Dock, pins: Sequence[Pin], codec: Codec) -> SystemLayer:
    root = _root(dock)
    with dock.store.staging() as scratch:
        composition = compose(
            pins,
            root,
            archive=_archive(dock, _sources(dock, root)),
            scratch=scratch,
            docs=dock.settings.apt_docs,
            requested=_names(dock.settings),
        )
        known = dock.base.files.directories
        layer = pack_layer(composition.entries, known=known, codec=codec, store=dock.store)
        return SystemLayer(layer=layer, files=composition.files, unhandled=composition.unhandled)


def _kept_layer(store: Store, key: Digest) -> SystemLayer | None:
    fact = store.fact("system-layer", str(key))
    try:
        return _from_fact(fact, store) if fact else None
    except (BuilderError, LookupError, TypeError, ValueError, AttributeError):
        # Damaged, or of another version of this program: it is made again.
        return None


def _to_fact(made: SystemLayer) -> dict[str, object]:
    return {
        **layer_to_fact(made.layer),
        "files": to_fact(made.files),
        "unhandled": [[found.package, *found.wants] for found in made.unhandled],
    }


def _from_fact(fact: Mapping[str, Any], store: Store) -> SystemLayer | None:
    """What ``_to_fact`` wrote; None when the blob is not in the store any more."""
    layer = layer_of_fact(fact, store)
    if layer is None:
        return None
    unhandled = (Unhandled(package=name, wants=tuple(w)) for name, *w in fact["unhandled"])
    return SystemLayer(layer=layer, files=from_fact(fact["files"]), unhandled=tuple(unhandled))


def _refuse_unhandled(unhandled: Sequence[Unhandled], settings: Settings) -> None:
    left = [found for found in unhandled if found.package not in settings.apt_accept]
    if not left:
        return
    told = "".join(f"\n  {found.package}: {'; '.join(found.wants)}" for found in left)
    names = ", ".join(f'"{name}"' for name in (*settings.apt_accept, *(u.package for u in left)))
    raise PackageError(
        "maintainer scripts do not run, and these would have done what nothing here does:" + told,
        hint=f"if the application does without: apt-accept = [{names}]",
    )


def _question(dock: Dock, sources: Sequence[AptSource], preferred: Sequence[Pin]) -> str:
    asked = {
        "format": _FORMAT,
        "base": str(dock.base.digest),
        "packages": list(dock.settings.apt),
        "assumed": list(_assumed(dock)),
        "sources": [source.identity for source in sources],
        "preferred": [pin.to_json() for pin in preferred],
    }
    return canonical_json(asked).decode()


def _remembered(store: Store, key: str) -> tuple[Pin, ...] | None:
    fact: Mapping[str, Any] | None = store.fact("system-packages", key)
    try:
        return tuple(map(Pin.parse, fact["pins"])) if fact else None
    except (BuilderError, LookupError, TypeError, ValueError):
        return None


def _names(settings: Settings) -> frozenset[str]:
    return frozenset(request.partition("=")[0] for request in settings.apt)


def _root(dock: Dock) -> Root:
    return read_root(dock.base.image, dock.base.files, dock.store)


def _sources(dock: Dock, root: Root) -> tuple[AptSource, ...]:
    sources = base_sources(dock.settings, root, project=dock.project)
    suite = dock.base.name.removeprefix("apt:")
    if not sources and suite != dock.base.name:
        # A base without apt has no sources either: it came from where these packages come from.
        sources = release_sources(dock.settings, suite, project=dock.project)
    if sources:
        return sources
    raise PackageError(
        f"the base {dock.base.name} has no apt sources, so nothing says where to get "
        f"{', '.join(dock.settings.apt)} from",
        hint="name them: apt-sources = [{uri = ..., suites = [...], keyring = ...}]",
    )


def _archive(dock: Dock, sources: Sequence[AptSource]) -> Archive:
    return Archive(
        sources, architecture=_architecture(dock), store=dock.store, events=dock.shop.events
    )


def _assumed(dock: Dock) -> tuple[str, ...]:
    """A composed base does without what serves scripts, and shall not get it by a back door."""
    return FOR_SCRIPTS if dock.base.pins else ()


def _architecture(dock: Dock) -> str:
    return debian_architecture(dock.base.image.config.value.platform)


class _Preferring:
    """An index whose candidates are the preferred packages, where they are on offer."""

    def __init__(self, index: PackageIndex, preferred: Sequence[Pin]) -> None:
        self._index = index
        self._preferred = {pin.name: pin for pin in preferred}
        self._raised: dict[str, Sequence[Package]] = {}

    def versions(self, name: str) -> Sequence[Package]:
        offered = self._index.versions(name)
        wanted = self._preferred.get(name)
        if wanted is None:
            return offered
        if name not in self._raised:
            self._raised[name] = [
                replace(package, priority=_PREFERRED) if package.pin == wanted else package
                for package in offered
            ]
        return self._raised[name]

    def providers(self, name: str) -> Sequence[Package]:
        return self._index.providers(name)

    def names(self) -> Iterable[str]:
        return self._index.names()

    def first_mention(self, name: str) -> tuple[int, ...]:
        return self._index.first_mention(name)
