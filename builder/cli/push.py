"""``push``: a project, or an image that exists, goes to registries under its names."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from builder.build import build
from builder.cli.build import is_locked
from builder.cli.console import Console, emit
from builder.cli.credential import given_credential, incomplete
from builder.cli.flags import BASE_FLAGS, REGISTRY_FLAGS, chosen, value_of
from builder.cli.results import refuse_files, write_files
from builder.errors import SettingsError
from builder.events import EventSink, InTurn
from builder.oci.platform import Platform
from builder.oci.reference import DOCKER_HUB, Reference
from builder.oci.tree import ManifestTree
from builder.plan import Application
from builder.planning import plan_builds, read_application
from builder.process import CommandRunner, run
from builder.project.settings import read_platforms, read_registry_settings
from builder.push.ahead import going_ahead
from builder.push.arguments import is_project, split_arguments
from builder.push.deliver import Route, deliver, pushed_names, report
from builder.registry.access import RegistryAccess
from builder.registry.credential import Credential
from builder.settings import RegistrySettings
from builder.store.bound import keep_bound
from builder.store.layout import Store
from builder.workshop import Workshop


def command(options: argparse.Namespace, console: Console) -> int:
    """Run ``push``; the exit code.

    Raises:
        BuilderError: of every kind.
    """
    return execute(options, console, run)


def execute(options: argparse.Namespace, events: EventSink, runner: CommandRunner) -> int:
    """Run ``push`` with other ears and hands; the exit code.

    Raises:
        BuilderError: of every kind.
    """
    refuse_files(options.metadata_file, options.digest_file, options.image_refs)
    if options.dry_run and (options.digest_file or options.image_refs):
        raise SettingsError(
            "--digest-file and --image-refs say what was pushed, and --dry-run pushes nothing",
            hint="--metadata-file takes what would be pushed",
        )
    source, names = split_arguments(options.arguments)
    # What goes ahead tells of itself from threads.
    shop = Workshop(store=Store.at_home(events), run=runner, events=InTurn(events))
    if is_project(source):
        code = _push_project(Path(source), names, options, shop)
    else:
        code = _push_existing(source, names, options, shop)
    keep_bound(shop.store, os.environ, events)
    return code


def _push_existing(
    source: str, names: Sequence[str], options: argparse.Namespace, shop: Workshop
) -> int:
    # What reads layouts, archives and engines: a project is pushed without it.
    from builder.push.source import open_source

    _refuse_build_flags(source, options)
    references = _references(names)
    settings = read_registry_settings(environ=os.environ, flags=chosen(options, REGISTRY_FLAGS))
    platform = _one_platform(options.platform)
    with (
        _access(settings, references, options, shop) as access,
        open_source(source, access, shop, platform=platform) as tree,
    ):
        return _push(tree, Route.to(references, access, shop), options, shop)


def _push_project(
    project: Path, names: Sequence[str], options: argparse.Namespace, shop: Workshop
) -> int:
    flags = chosen(options, (*BASE_FLAGS, *REGISTRY_FLAGS))
    app = read_application(project, flags, os.environ, shop)
    references = _references(names or _registry_tags(app))
    with _access(app.settings.registries, references, options, shop) as access:
        shop = replace(shop, registries=access)
        route = Route.to(references, access, shop)
        with going_ahead(route, dry_run=options.dry_run) as ahead:
            plans = plan_builds(app, shop, locked=is_locked(options.locked, app))
            for planned in plans:
                ahead.stand_on(planned.base)
            built = build(plans, shop, finished=ahead.send)
            return _push(ManifestTree.of(built), route, options, shop)


def _one_platform(chosen: Sequence[str] | None) -> Platform | None:
    """The image that is wanted of an index; what others there are would give another index."""
    wanted = read_platforms(chosen)
    if len(wanted) > 1:
        raise SettingsError(
            f"cannot push {', '.join(map(str, wanted))} of an image that exists: one, or all of it",
            hint="name one platform; or none, for all of the index as it is",
        )
    return wanted[0] if wanted else None


def _push(tree: ManifestTree, route: Route, options: argparse.Namespace, shop: Workshop) -> int:
    deliveries = deliver(tree, route, shop, dry_run=options.dry_run)
    result = json.dumps(report(tree, deliveries), indent=2)
    pushed = pushed_names(tree, deliveries)
    # What was pushed is said first: a file that cannot be written does not undo it.
    emit("\n".join([result] if options.json or options.dry_run else pushed))
    write_files(
        (options.metadata_file, [result]),
        (options.digest_file, [str(tree.descriptor.digest)]),
        (options.image_refs, pushed),
    )
    return 0


def _references(names: Sequence[str]) -> list[Reference]:
    for name in names:
        if name.startswith("docker://"):
            hint = f"write {name.removeprefix('docker://')}"
            raise SettingsError(f"cannot push to {name}: a REF has no scheme", hint=hint)
    references = [Reference.parse(name) for name in names]
    for reference in references:
        if reference.is_short and "/" not in reference.given.partition(":")[0]:
            raise SettingsError(
                f"cannot push to {reference}: it names no registry",
                hint=f"write e.g. registry.example.com/team/{reference}, "
                f"or {DOCKER_HUB}/USER/{reference} for Docker Hub",
            )
    return references


def _registry_tags(app: Application) -> list[str]:
    names = [tag for tag in app.settings.tags if not Reference.parse(tag).is_short]
    if not names:
        raise SettingsError(
            "nowhere to push to: no REF was given, and none of the project's tags names a registry",
            hint="write e.g. python -m builder push registry.example.com/team/app:1.0",
        )
    return names


def _refuse_build_flags(source: str, options: argparse.Namespace) -> None:
    given = [f"--{flag}" for flag in (*BASE_FLAGS, "locked") if value_of(options, flag)]
    if wrong := [flag for flag in given if flag != "--platform"]:
        raise SettingsError(
            f"{wrong[0]} is for building, and {source} is an image already", hint="leave it out"
        )


def _access(
    settings: RegistrySettings,
    references: Sequence[Reference],
    options: argparse.Namespace,
    shop: Workshop,
) -> RegistryAccess:
    given = _given(references, options)
    return RegistryAccess.of(settings, os.environ, run=shop.run, events=shop.events, given=given)


def _given(references: Sequence[Reference], options: argparse.Namespace) -> dict[str, Credential]:
    """The credential that was given: for the registry that is pushed to, and no other."""
    username, password = given_credential(options, os.environ)
    if not username and not password:
        return {}
    if not username or not password:
        raise incomplete(username)
    registries = sorted({reference.registry for reference in references})
    if len(registries) > 1:
        raise SettingsError(
            f"one user name and password, and several registries: {', '.join(registries)}",
            hint="log in to each: python -m builder login REGISTRY",
        )
    return {registries[0]: Credential(username=username, password=password)}
