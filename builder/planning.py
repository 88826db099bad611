"""Everything that is decided before anything is installed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.base.target import find_target
from builder.events import Caution, Notice, step
from builder.foundation import lay_foundation
from builder.oci.platform import Platform
from builder.plan import Application, BuildPlan, make_plan
from builder.project.lock import read_lock
from builder.project.private_copy import source_digest
from builder.project.pyproject import read_pyproject
from builder.project.python_version import check_python
from builder.project.revision import find_revision
from builder.project.settings import read_settings
from builder.project.source import find_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.base.base import Base
    from builder.debian.package import Pin
    from builder.image_lock import ImageLock
    from builder.project.pyproject import Pyproject
    from builder.settings import Settings
    from builder.store.layout import Store
    from builder.target import Target
    from builder.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An image that can be built: all questions are answered, nothing is installed yet."""

    app: Application
    base: Base
    packages: tuple[Pin, ...]
    target: Target
    plan: BuildPlan


def read_application(
    project: Path, flags: Mapping[str, Any], environ: Mapping[str, str], shop: Workshop
) -> Application:
    """What is known of an application before anything is fetched or installed.

    Args:
        project: its directory.
        flags: settings given on the command line, by key.
        environ: ``BUILDER_*`` and ``SOURCE_DATE_EPOCH``.
        shop: asks git.

    Raises:
        SettingsError, LockError, ContentError: as their names say.
    """
    with step(shop.events, "settings") as done:
        pyproject = read_pyproject(Path(os.path.abspath(project)))  # noqa: PTH100 - links stay
        settings = read_settings(pyproject, environ=environ, flags=flags)
        app = Application(
            pyproject=pyproject,
            settings=settings,
            lock=read_lock(pyproject, shop.store),
            image_lock=_image_lock(pyproject),
            source=find_source(pyproject, settings, _written(settings, shop.store)),
            revision=find_revision(pyproject.directory, environ=environ, run=shop.run),
        )
        done.detail = f"{pyproject.name} {pyproject.version or '(dynamic version)'}"
    return app


def _image_lock(pyproject: Pyproject) -> ImageLock | None:
    if not os.path.lexists(pyproject.image_lock):
        return None
    from builder.image_lock import read_image_lock  # noqa: PLC0415 - most projects have none

    return read_image_lock(pyproject.image_lock)


def _written(settings: Settings, store: Store) -> list[Path]:
    """Where builds write, absolute: an image that took it in would grow with every build."""
    places = (text.partition(":")[2].partition(":")[0] for text in settings.outputs)
    return [store.root.absolute(), *(Path(place).absolute() for place in places if place)]


def platforms(app: Application) -> tuple[Platform, ...]:
    """What images are wanted for: this machine's platform, when the settings name none."""
    return tuple(map(Platform.parse, app.settings.platform)) or (Platform.host(),)


def plan_builds(app: Application, shop: Workshop, *, locked: bool = False) -> tuple[Planned, ...]:
    """A plan for each platform that is wanted; arguments and errors are ``plan_build``'s."""
    wanted = platforms(app)
    plans = []
    for platform in wanted:
        if len(wanted) > 1:
            shop.events(Notice(f"planning for {platform}"))
        plans.append(plan_build(app, platform, shop, locked=locked))
    return tuple(plans)


def plan_build(
    app: Application, platform: Platform, shop: Workshop, *, locked: bool = False
) -> Planned:
    """Base, system packages and plan; ``build`` does the rest.

    Args:
        app: the application.
        platform: what the image is for.
        shop: the base is brought into its store.
        locked: whether base and packages have to be what ``image.lock`` pins.

    Raises:
        BuilderError: of the settings, lock, base, reference, archive, package, registry and
            transport kinds.
    """
    with step(shop.events, "base") as done:
        foundation = lay_foundation(app, platform, shop, locked=locked)
        base, packages = foundation.base, foundation.packages
        target = find_target(base)
        done.detail = f"{base.name}@{base.digest}, Python {target.python.minor}, {target.libc}"
    version = base.image.config.value.env.get("PYTHON_VERSION")
    check_python(app.pyproject, app.lock, base.name, target.python, version)
    digest = source_digest(app.lock, app.pyproject, app.source, shop.store)
    plan = make_plan(app, base, target, digest, packages)
    for text in plan.cautions:
        shop.events(Caution(text))
    return Planned(app=app, base=base, packages=packages, target=target, plan=plan)
