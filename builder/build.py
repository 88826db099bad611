"""The steps of a build, straight down the page."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from builder.assemble import assemble
from builder.base.base import Base, BaseRequest
from builder.base.find import find_base
from builder.base.settle import settle
from builder.checks.application import check_application
from builder.errors import BaseError, InstallError
from builder.events import Caution, EventSink, Notice, step
from builder.oci.descriptor import Descriptor
from builder.oci.image import Image
from builder.oci.platform import Platform
from builder.plan import Application, BuildPlan, make_plan
from builder.process import CommandRunner
from builder.project.compile import Compiler
from builder.project.install import Installation, Staged, built_here, install
from builder.project.interpreter import find_interpreter
from builder.project.lock import read_lock
from builder.project.private_copy import source_digest
from builder.project.pyproject import read_pyproject
from builder.project.python_version import check_python
from builder.project.relocate import VenvPlace, relocated, skeleton
from builder.project.revision import find_revision
from builder.project.settings import read_settings
from builder.project.source import find_source
from builder.store.layout import Store, StoredBlob
from builder.target import Target
from builder.units import decimal
from layers.accounts import account_entries
from layers.compress import Codec
from layers.entries import ROOT, DirEntry, Entry, image_path
from layers.layer import Layer, write_layer

_NO_SPACE = os.strerror(errno.ENOSPC)
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every step works with."""

    store: Store
    run: CommandRunner
    events: EventSink


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An image that can be built: all questions are answered, nothing is installed yet."""

    app: Application
    base: Base
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
            source=find_source(pyproject, settings),
            revision=find_revision(pyproject.directory, environ=environ, run=shop.run),
        )
        done.detail = f"{pyproject.name} {pyproject.version or '(dynamic version)'}"
    return app


def plan_build(app: Application, shop: Workshop) -> Planned:
    """Base and plan; ``build`` does the rest.

    Args:
        app: the application.
        shop: the base is brought into its store.

    Raises:
        BuilderError: of the settings, base, reference, registry and transport kinds.
    """
    with step(shop.events, "base") as done:
        base = find_base(_base_request(app), store=shop.store, run=shop.run, events=shop.events)
        target = find_target(base)
        done.detail = f"{base.name}@{base.digest}, Python {target.python.minor}, {target.libc}"
    check_python(app.pyproject, app.lock, app.settings.base, target.python)
    digest = source_digest(app.lock, app.pyproject, app.source)
    plan = make_plan(app, base, target, digest)
    return Planned(app=app, base=base, target=target, plan=plan)


def build(planned: Planned, shop: Workshop) -> Image:
    """Install, pack, assemble, and put the image into the store under its names.

    Raises:
        BuilderError: of the lock, install, content, check and store kinds.
    """
    with shop.store.staging() as staging, _roomy(shop.store):
        with step(shop.events, "uv sync --frozen --no-dev") as done:
            staged, interpreter = _install(planned, staging, shop)
            done.detail = "third-party distributions and the project, each on its own"
        with step(shop.events, "relocate and compile") as done:
            compiler = Compiler(
                shop.run,
                interpreter=interpreter,
                python=planned.target.python,
                scratch=staging / "bytecode",
            )
            contents = _contents(planned, staged, compiler, shop)
            done.detail = (
                f"{sum(map(len, contents.values()))} entries for {planned.app.settings.venv}"
            )
        _check(planned, contents)
        with step(shop.events, "layers") as done:
            layers = _pack(planned, contents, shop.store)
            done.detail = ", ".join(
                f"{name} {decimal(layer.size)}" for name, layer in layers.items()
            )
    with step(shop.events, "config and manifest") as done:
        image = assemble(planned.plan, planned.base, list(layers.items()))
        done.detail = str(image.digest)
    with step(shop.events, "store") as done:
        keep(image, planned.plan, shop.store)
        done.detail = f"{shop.store.root}, {decimal(image.size)} in all"
    return image


def find_target(base: Base) -> Target:
    """What a base can run.

    Raises:
        BaseError: it has no Python, or no C library that is known.
    """
    config = base.image.config.value
    python = base.files.python(config.env.get("PATH", _DEFAULT_PATH))
    hint = 'choose one that has, such as "python:3.12-slim-bookworm"'
    if python is None:
        raise BaseError(f"the base {base.name} has no Python on its PATH", hint=hint)
    if base.files.libc is None:
        raise BaseError(f"the base {base.name} has neither glibc nor musl", hint=hint)
    return Target(platform=config.platform, python=python, libc=base.files.libc)


def keep(image: Image, plan: BuildPlan, store: Store) -> None:
    """Put an image's documents into the store, and name it.

    Raises:
        StoreError: the store cannot be written.
    """
    store.put(image.config.raw)
    store.put(image.manifest.raw)
    for name in plan.names:
        store.tag(name.local, image.descriptor)


def _base_request(app: Application) -> BaseRequest:
    chosen = app.settings.platform
    return BaseRequest(
        source=app.settings.base,
        platform=Platform.parse(chosen) if chosen else Platform.host(),
        policy=app.settings.pull,
        mirror=app.settings.base_mirror,
    )


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
    if names := built_here(app.lock, staged):
        shop.events(
            Caution(
                f"built on this machine, for want of a wheel: {', '.join(names)}",
                "their bytes rest on the compilers here; elsewhere the digest may differ",
            )
        )
    if app.revision.commit is None:
        shop.events(Notice(f"created is {app.revision.created} ({app.revision.origin})"))
    return staged, interpreter


def _contents(
    planned: Planned, staged: Staged, compiler: Compiler, shop: Workshop
) -> dict[str, list[Entry]]:
    """What each planned layer holds."""
    app = planned.app
    settings = app.settings
    place = VenvPlace.of(settings, planned.target.python)
    third_party = relocated(staged.third_party, place)
    own = relocated(staged.own, place)
    source = replace(app.source, project=staged.project).entries(settings)
    # An installed project is imported from the venv; one that is not, from where it lies.
    compiled = compiler.bytecode(own if app.pyproject.is_package else [*own, *source])
    if compiled.not_python:
        shop.events(Caution(f"no Python {place.python.minor}: {', '.join(compiled.not_python)}"))
    return {
        "account": _account(planned),
        "dependencies": [*third_party, *skeleton(place), *compiler.bytecode(third_party).entries],
        "project": [*own, *source, *compiled.entries],
    }


def _account(planned: Planned) -> list[Entry]:
    settings, files = planned.app.settings, planned.base.files
    owner = settings.user.owner
    home = DirEntry(path=image_path(settings.workdir), owner=owner)
    if owner == ROOT:
        return [home]
    account = settings.user.account(settings.workdir)
    return [home, *account_entries(account, passwd=files.passwd, group=files.group)]


def _check(planned: Planned, contents: Mapping[str, list[Entry]]) -> None:
    place = VenvPlace.of(planned.app.settings, planned.target.python)
    paths = {entry.path for entries in contents.values() for entry in entries}
    check_application(planned.app.settings, paths, place.site_packages)


def _pack(planned: Planned, contents: Mapping[str, list[Entry]], store: Store) -> dict[str, Layer]:
    """Layers in the plan's order; each repeats the directories below it as they are there."""
    known = dict(planned.base.files.directories)
    layers = {}
    for name, unsettled in contents.items():
        entries = settle(unsettled, planned.base.files)
        layers[name] = _stored_layer(entries, known, planned.plan.codec, store)
        known |= {entry.path: entry for entry in entries if isinstance(entry, DirEntry)}
    return layers


def _stored_layer(
    entries: list[Entry], known: Mapping[str, DirEntry], codec: Codec, store: Store
) -> Layer:
    with store.ingest() as path:
        layer = write_layer(entries, path, codec=codec, known=known)
        store.adopt(path, layer.digest)
    return replace(layer, source=StoredBlob(store, Descriptor.of_layer(layer)))
