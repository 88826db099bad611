"""Composing the base ``apt:SUITE``: a layer of Debian packages, and one with Python above it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from builder.base.apt_source import AptBase
from builder.base.composed import packages_of, remember_packages
from builder.base.debian_layer import Composer, DebianLayer
from builder.base.intake import is_complete
from builder.base.interpreter import find_cpython
from builder.base.python_layer import FORMAT as PYTHON_FORMAT
from builder.base.python_layer import python_layer
from builder.debian import FORMAT as PACKAGES_FORMAT
from builder.debian.architecture import debian_architecture
from builder.debian.archive.archive import Archive
from builder.debian.archive.sources import AptSource
from builder.debian.archive.user_sources import release_sources
from builder.debian.effects.effects import Unhandled
from builder.errors import BaseError, BuilderError
from builder.events import Caution, Event, EventSink, InTurn, Notice
from builder.oci.descriptor import Descriptor, platform_json
from builder.oci.image_config import make_image_config
from builder.oci.manifest import Manifest
from builder.oci.media_types import CONFIG
from builder.oci.platform import Platform
from builder.parallel import background
from builder.settings import PullPolicy
from builder.store.layout import Store
from builder.store.packing import pack_layer
from layers.compress import GZIP
from layers.layer import FORMAT as LAYER_FORMAT
from layers.layer import Layer

FORMAT = 1
"""Raised when the same packages and the same Python give another base than before."""

_KIND = "apt-base"
_CREATED = "1970-01-01T00:00:00Z"
# As the official images have it, the repetition included.
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def bring(source: AptBase, platform: Platform, store: Store) -> Descriptor:
    """What ``AptBase.bring`` does."""
    image = _Image(source=source, platform=_plain(platform), store=store)
    apt_sources = () if source.apt.pins else image.apt_sources()
    key = image.key(apt_sources)
    if source.policy is not PullPolicy.ALWAYS or source.apt.pins:
        if known := image.known(key):
            return known
        if source.policy is PullPolicy.NEVER:
            raise BaseError(
                f"for {platform}, it was not composed here yet, and the archives are not to be "
                "asked",
                hint='set pull to "missing"',
            )
    recorder = _Recorder(source.events, [])
    listening = replace(image, source=replace(source, events=recorder))
    manifest, debian = listening.compose(apt_sources or image.apt_sources())
    remember_packages(manifest.digest, debian.pins, store)
    store.remember(_KIND, key, _to_fact(manifest, recorder.cautions, debian.unhandled))
    image.tell(debian.unhandled)
    return manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    """What a source stands for on one platform."""

    source: AptBase
    platform: Platform
    store: Store

    def apt_sources(self) -> tuple[AptSource, ...]:
        apt = self.source.apt
        return release_sources(apt.settings, self.source.suite, project=apt.project)

    def key(self, apt_sources: Sequence[AptSource]) -> str:
        """All that decides what the base is, short of what archives and uv offer today."""
        apt = self.source.apt
        parts = [
            *(str(FORMAT), str(PYTHON_FORMAT), str(PACKAGES_FORMAT), str(LAYER_FORMAT)),
            GZIP.identity,
            *(self.source.name, str(self.platform), str(apt.python)),
            *(source.identity for source in apt_sources),
            *sorted(f"{pin} {pin.digest}" for pin in apt.pins),
        ]
        return "\n".join(parts)

    def known(self, key: str) -> Descriptor | None:
        """The one that was composed before, when all of it is in the store."""
        fact: Mapping[str, Any] = self.store.fact(_KIND, key) or {}
        try:
            manifest = Descriptor.parse(fact["manifest"], "the fact")
            cautions = [Caution(text, hint) for text, hint in fact["cautions"]]
            unhandled = [
                Unhandled(package=name, wants=tuple(wants)) for name, wants in fact["unhandled"]
            ]
        except (BuilderError, LookupError, TypeError, ValueError):
            return None
        if not (is_complete(manifest, self.store) and packages_of(manifest.digest, self.store)):
            return None
        for caution in cautions:
            self.source.events(caution)
        self.tell(unhandled)
        return manifest

    def compose(self, apt_sources: Sequence[AptSource]) -> tuple[Descriptor, DebianLayer]:
        """Compose it anew; what archives and uv gave before may be in the store."""
        source, store = self.source, self.store
        architecture = debian_architecture(self.platform)
        source.events(Notice(f"composing {source.name} for {self.platform}"))
        events = InTurn(source.events)
        archive = Archive(
            apt_sources,
            architecture=architecture,
            store=store,
            events=events,
            connect=source.connect,
        )
        # Archives are asked while Python is looked for and compiled.
        index = None if source.apt.pins else background(archive.index)
        try:
            cpython = find_cpython(source.apt.python, self.platform, run=source.run, events=events)
            python = python_layer(cpython, store=store, run=source.run)
            with store.staging() as scratch:
                composer = Composer(
                    archive=archive,
                    architecture=architecture,
                    python=python,
                    version=cpython.version,
                    scratch=scratch,
                )
                if index is None:
                    debian = composer.locked(source.apt.pins)
                else:
                    debian = composer.newest(index.result())
                lower = pack_layer(debian.entries, known={}, codec=GZIP, store=store)
        except BaseException:
            archive.stop.set()
            raise
        made_of = {f"Debian {source.suite}": lower, f"CPython {cpython.version}": python.layer}
        return _put_documents(made_of, cpython.version, self.platform, store), debian

    def tell(self, unhandled: Iterable[Unhandled]) -> None:
        """Say what maintainer scripts would have done, unless the user does without it."""
        for each in unhandled:
            if each.package not in self.source.apt.settings.apt_accept:
                wants = "; ".join(each.wants)
                text = f"{self.source.name}: the scripts of {each.package} do not run: {wants}"
                self.source.events(Caution(text, f'apt-accept = ["{each.package}"]'))


def _put_documents(
    made_of: Mapping[str, Layer], version: str, platform: Platform, store: Store
) -> Descriptor:
    """Config and manifest for named layers, from the bottom."""
    env = [f"PATH={_PATH}", "LANG=C.UTF-8", f"PYTHON_VERSION={version}"]
    layers = made_of.values()
    config = make_image_config(
        {
            **platform_json(platform),
            "created": _CREATED,
            "config": {"Env": env, "Cmd": ["python3"]},
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
            "history": [
                {"created": _CREATED, "created_by": f"image-builder: {name}"} for name in made_of
            ],
        }
    )
    store.put(config.raw)
    manifest = Manifest(
        config=Descriptor(media_type=CONFIG, digest=config.digest, size=len(config.raw)),
        layers=tuple(Descriptor.of_layer(layer) for layer in layers),
    ).to_document()
    store.put(manifest.raw)
    return manifest.descriptor()


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Hands events on, and keeps what has to be said again whenever the result is used."""

    events: EventSink
    cautions: list[Caution]

    def __call__(self, event: Event, /) -> None:
        if isinstance(event, Caution):
            self.cautions.append(event)
        self.events(event)


def _to_fact(
    manifest: Descriptor, cautions: Iterable[Caution], unhandled: Iterable[Unhandled]
) -> dict[str, object]:
    return {
        "manifest": manifest.to_json(),
        "cautions": [[caution.text, caution.hint] for caution in cautions],
        "unhandled": [[each.package, list(each.wants)] for each in unhandled],
    }


def _plain(platform: Platform) -> Platform:
    """Without the variant that is meant when there is none, so that both give the same image."""
    plain = Platform(platform.os, platform.architecture)
    return plain if plain.specific == platform.specific else platform
