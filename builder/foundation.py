"""What an image stands on: its base and the system packages, as locked or as found now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from builder.base.base import AptRequest, Base, BaseRequest
from builder.base.find import find_first_base
from builder.errors import LockError
from builder.events import Caution, EventSink
from builder.project.python_version import wanted_python
from builder.settings import PullPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.debian.package import Pin
    from builder.image_lock import LockedImage
    from builder.oci.platform import Platform
    from builder.plan import Application
    from builder.workshop import Workshop

_RELOCK = "bring it up to date: python -m builder lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """A base, and the packages that it lacks."""

    base: Base
    packages: tuple[Pin, ...] = ()


def lay_foundation(
    app: Application, platform: Platform, shop: Workshop, *, locked: bool
) -> Foundation:
    """Base and packages: what ``image.lock`` pins, where it fits the settings; else what is found.

    Args:
        app: whose image it is.
        platform: what the image is for.
        shop: brings the base into its store.
        locked: whether they have to be what ``image.lock`` pins.

    Raises:
        LockError: they have to be, and are not.
        BuilderError: of the base, archive, package, registry, transport and settings kinds.
    """
    site = _Site(app=app, platform=platform, shop=shop)
    pinned = _fitting(site, locked=locked)
    base = _find(site, pinned, strict=locked)
    if pinned is not None and base.digest != pinned.digest:
        # Its packages are those of the lock, so what differs is what uv gave.
        python = f" with Python {base.image.config.value.env.get('PYTHON_VERSION')} of this machine"
        _deviate(
            f"{app.pyproject.image_lock} pins {pinned.base} at {pinned.digest}; "
            f"got {base.name} at {base.digest}{python if base.pins else ''}",
            shop.events,
            locked=locked,
        )
        pinned = None
    packages = pinned.packages if pinned else _choose(site, base)
    return Foundation(base=base, packages=packages)


def lock_foundation(
    app: Application, platform: Platform, shop: Workshop, *, upgrade: bool
) -> LockedImage:
    """What ``image.lock`` shall say for the platform: what it said, as far as that still fits.

    Args:
        app: whose image it is.
        platform: what it shall say it for.
        shop: brings the base into its store.
        upgrade: whether registries and archives are asked for what is newest instead, as they are
            when nothing was locked yet.

    Raises:
        BuilderError: as for ``lay_foundation``; no base but the first of the list will do.
    """
    settings = app.settings
    before = app.image_lock.image(platform) if app.image_lock and not upgrade else None
    if before is None and settings.pull is PullPolicy.MISSING:
        # What the store remembers may be old; a new lock begins with what is there now.
        app = replace(app, settings=replace(settings, pull=PullPolicy.ALWAYS))
    is_same_base = before is not None and before.base == settings.base[0]
    site = _Site(app=app, platform=platform, shop=shop)
    base = _find(site, before if is_same_base else None, strict=True)
    from builder.image_lock import LockedImage, sources_digest  # noqa: PLC0415 - as below

    return LockedImage(
        platform=platform,
        base=settings.base[0],
        digest=base.digest,
        requested=settings.apt,
        packages=_choose(site, base, before.packages if before else ()),
        base_packages=base.pins,
        sources=sources_digest(settings.apt_sources, settings.apt_snapshot),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """Where a foundation is laid."""

    app: Application
    platform: Platform
    shop: Workshop


def _choose(site: _Site, base: Base, preferred: Sequence[Pin] = ()) -> tuple[Pin, ...]:
    app, shop = site.app, site.shop
    if not app.settings.apt:
        return ()
    # What reads archives takes a tenth of a second to import, and most images need none.
    from builder.system import Dock, choose  # noqa: PLC0415

    project = app.pyproject.directory
    dock = Dock(base=base, settings=app.settings, project=project, shop=shop)
    return choose(dock, preferred=preferred)


def _fitting(site: _Site, *, locked: bool) -> LockedImage | None:
    """What is locked for the platform, if it fits the settings."""
    app, events = site.app, site.shop.events
    path = app.pyproject.image_lock
    if app.image_lock is None:
        if locked:
            raise LockError(f"there is no {path}", hint="make one: python -m builder lock")
        return None
    from builder.image_lock import drift, sources_digest  # noqa: PLC0415 - most projects have none

    pinned = app.image_lock.image(site.platform)
    if pinned is None:
        missing = f"{path} locks nothing for {site.platform}"
        _deviate(missing, events, locked=locked, hint=f"{_RELOCK} --platform {site.platform}")
        return None
    settings = app.settings
    found = drift(
        pinned,
        base=settings.base[0],
        requested=settings.apt,
        sources=sources_digest(settings.apt_sources, settings.apt_snapshot),
    )
    if found is not None:
        _deviate(f"{path} does not fit the settings: {found}", events, locked=locked)
        return None
    return pinned


def _deviate(message: str, events: EventSink, *, locked: bool, hint: str = _RELOCK) -> None:
    if locked:
        raise LockError(message, hint=hint)
    events(Caution(f"{message}; taking what is found now", hint))


def _find(site: _Site, pinned: LockedImage | None, *, strict: bool) -> Base:
    """The first base that can be had; of the first in the list, what is pinned."""
    first, *others = site.app.settings.base
    shop = site.shop
    return find_first_base(
        [_request(site, first, pinned), *(_request(site, each) for each in others)],
        strict=strict,
        store=shop.store,
        run=shop.run,
        events=shop.events,
    )


def _request(site: _Site, source: str, pinned: LockedImage | None = None) -> BaseRequest:
    app, settings = site.app, site.app.settings
    return BaseRequest(
        source=source,
        platform=site.platform,
        policy=settings.pull,
        mirror=settings.base_mirror,
        digest=pinned.digest if pinned else None,
        apt=_apt_request(app, pinned) if source.startswith("apt:") else None,
        registries=site.shop.registries,
    )


def _apt_request(app: Application, pinned: LockedImage | None) -> AptRequest:
    return AptRequest(
        settings=app.settings,
        project=app.pyproject.directory,
        python=wanted_python(app.pyproject, app.lock),
        pins=pinned.base_packages if pinned else (),
    )
