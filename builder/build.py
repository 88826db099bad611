"""The steps of a build, straight down the page."""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from builder.assemble import assemble
from builder.base.base import Base
from builder.base.target import find_target
from builder.contents import gather, pack
from builder.debian.package import Pin
from builder.errors import BuilderError, InstallError
from builder.events import Caution, Notice, step
from builder.foundation import lay_foundation
from builder.image_lock import image_lock_path, read_image_lock
from builder.oci.descriptor import Descriptor
from builder.oci.document import canonical_json
from builder.oci.image import Image
from builder.oci.image_config import parse_image_config
from builder.oci.manifest import parse_manifest
from builder.plan import SYSTEM, Application, BuildPlan, make_plan
from builder.project.compile import Compiler
from builder.project.install import Installation, Staged, built_here, install
from builder.project.interpreter import find_interpreter
from builder.project.lock import read_lock
from builder.project.private_copy import source_digest
from builder.project.pyproject import read_pyproject
from builder.project.python_version import check_python
from builder.project.relocate import VenvPlace
from builder.project.revision import find_revision
from builder.project.settings import read_settings
from builder.project.source import find_source
from builder.settings import Settings
from builder.store.layout import Store
from builder.store.packing import stored_layer
from builder.target import Target
from builder.units import decimal
from builder.workshop import Workshop
from layers.digest import Digest
from layers.layer import Layer

_BUILT = "built"
_PASSING = ("BUILDER_", "PWD", "OLDPWD", "SHLVL")
"""Beginnings of variables' names: our own, whose settings are in the plan, and a shell's."""
_NO_SPACE = os.strerror(errno.ENOSPC)


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
            lock=read_lock(pyproject),
            image_lock=read_image_lock(image_lock_path(pyproject)),
            source=find_source(pyproject, settings, _written(settings, shop.store)),
            revision=find_revision(pyproject.directory, environ=environ, run=shop.run),
        )
        done.detail = f"{pyproject.name} {pyproject.version or '(dynamic version)'}"
    return app


def _written(settings: Settings, store: Store) -> list[Path]:
    """Where builds write, absolute: an image that took it in would grow with every build."""
    places = (text.partition(":")[2].partition(":")[0] for text in settings.outputs)
    return [store.root.absolute(), *(Path(place).absolute() for place in places if place)]


def plan_build(app: Application, shop: Workshop, *, locked: bool = False) -> Planned:
    """Base, system packages and plan; ``build`` does the rest.

    Args:
        app: the application.
        shop: the base is brought into its store.
        locked: whether base and packages have to be what ``image.lock`` pins.

    Raises:
        BuilderError: of the settings, lock, base, reference, archive, package, registry and
            transport kinds.
    """
    with step(shop.events, "base") as done:
        foundation = lay_foundation(app, shop, locked=locked)
        base, packages = foundation.base, foundation.packages
        target = find_target(base)
        done.detail = f"{base.name}@{base.digest}, Python {target.python.minor}, {target.libc}"
    version = base.image.config.value.env.get("PYTHON_VERSION")
    check_python(app.pyproject, app.lock, base.name, target.python, version)
    digest = source_digest(app.lock, app.pyproject, app.source)
    plan = make_plan(app, base, target, digest, packages)
    for text in plan.cautions:
        shop.events(Caution(text))
    return Planned(app=app, base=base, packages=packages, target=target, plan=plan)


def build(planned: Planned, shop: Workshop) -> Image:
    """Install, pack, assemble, and put the image into the store under its names.

    Raises:
        BuilderError: of the lock, install, content, check and store kinds.
    """
    base, system = _furnished(planned, shop)
    with shop.store.staging() as staging, _roomy(shop.store):
        with step(shop.events, "uv sync --frozen --no-dev") as done:
            staged, interpreter = _install(planned, staging, shop)
            if made_here := built_here(planned.app.lock, staged):
                shop.events(_made_here(made_here))
            done.detail = "third-party distributions and the project, each on its own"
        with step(shop.events, "relocate and compile") as done:
            compiler = Compiler(
                shop.run,
                interpreter=interpreter,
                python=planned.target.python,
                scratch=staging / "bytecode",
            )
            place = VenvPlace.of(planned.app.settings, planned.target.python)
            contents = gather(planned.app, base, place, staged, compiler)
            done.detail = f"{len(contents)} entries for {planned.app.settings.workdir}"
        if contents.not_python:
            minor = planned.target.python.minor
            shop.events(Caution(f"no Python {minor}: {', '.join(contents.not_python)}"))
        with step(shop.events, "layers") as done:
            layers = {**system, **pack(contents, base, planned.plan.codec, shop.store)}
            done.detail = ", ".join(
                f"{name} {decimal(layer.size)}" for name, layer in layers.items()
            )
    with step(shop.events, "config and manifest") as done:
        image = assemble(planned.plan, planned.base, list(layers.items()))
        done.detail = str(image.digest)
    with step(shop.events, "store") as done:
        keep(image, planned.plan, shop.store)
        if not made_here:
            _remember_built(image, planned, shop)
        done.detail = f"{shop.store.root}, {decimal(image.size)} in all"
    return image


def find_built(planned: Planned, shop: Workshop) -> Image | None:
    """What ``build`` would give, when it did so before and everything is still in the store.

    Never for an image with distributions that were built here: what made them is not in the plan.
    """
    store = shop.store
    fact = store.fact(_BUILT, _built_key(planned, shop)) or {}
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
    except (BuilderError, ValueError):
        # Whatever is wrong with what was kept, building again puts it right.
        return None
    keep(image, planned.plan, store)
    return image


def _remember_built(image: Image, planned: Planned, shop: Workshop) -> None:
    fact: dict[str, object] = {"manifest": image.descriptor.to_json()}
    shop.store.remember(_BUILT, _built_key(planned, shop), fact)


def _built_key(planned: Planned, shop: Workshop) -> str:
    """The plan's key, and what a build sees beside it: the interpreter and the environment.

    A build backend may look at any variable; another one costs a build, never a wrong image.
    """
    python, project = planned.target.python, planned.app.pyproject.directory
    interpreter = find_interpreter(python, project=project, run=shop.run)
    seen = {
        "plan": str(planned.plan.key),
        "interpreter": shop.run([str(interpreter), "-VV"]).stdout,
        "environ": {
            n: value for n, value in os.environ.items() if n != "_" and not n.startswith(_PASSING)
        },
    }
    return str(Digest.of(canonical_json(seen)))


def keep(image: Image, plan: BuildPlan, store: Store) -> None:
    """Put an image's documents into the store, and name it.

    Raises:
        StoreError: the store cannot be written.
    """
    store.put(image.config.raw)
    store.put(image.manifest.raw)
    for name in plan.names:
        store.tag(name.local, image.descriptor)


def _furnished(planned: Planned, shop: Workshop) -> tuple[Base, dict[str, Layer]]:
    """The base as the layers above the system packages find it, and the layer of those."""
    if not planned.packages:
        return planned.base, {}
    # What reads packages takes a tenth of a second to import, and most images need none.
    from builder.system import Dock, system_layer  # noqa: PLC0415

    app, plan = planned.app, planned.plan
    project = app.pyproject.directory
    dock = Dock(base=planned.base, settings=app.settings, project=project, shop=shop)
    with step(shop.events, "system packages") as done:
        made = system_layer(dock, planned.packages, key=plan.layer(SYSTEM).key, codec=plan.codec)
        done.detail = f"{len(planned.packages)} packages, {decimal(made.layer.size)}"
    return replace(planned.base, files=made.files), {SYSTEM: made.layer}


@contextmanager
def _roomy(store: Store) -> Iterator[None]:
    """Say what helps when uv or the compiler found the disk full."""
    try:
        yield
    except InstallError as error:
        if _NO_SPACE not in error.message:
            raise
        hint = f"free some space, or name another place than {store.root} in BUILDER_STORE"
        raise InstallError(error.message, hint=hint) from error


def _made_here(names: Sequence[str]) -> Caution:
    return Caution(
        f"built on this machine, for want of a wheel: {', '.join(names)}",
        "their bytes rest on the compilers here; elsewhere the digest may differ",
    )


def _install(planned: Planned, staging: Path, shop: Workshop) -> tuple[Staged, Path]:
    app, target = planned.app, planned.target
    project = app.pyproject.directory
    interpreter = find_interpreter(target.python, project=project, run=shop.run)
    installation = Installation(
        pyproject=app.pyproject,
        lock=app.lock,
        source=app.source,
        settings=app.settings,
        target=target,
        interpreter=interpreter,
        # Not before 1980, where zip and so every wheel begins.
        environ={"SOURCE_DATE_EPOCH": str(max(app.revision.seconds, 315_532_800))},
    )
    staged = install(installation, into=staging, run=shop.run, events=shop.events)
    if app.revision.commit is None:
        shop.events(Notice(f"created is {app.revision.created} ({app.revision.origin})"))
    return staged, interpreter
