"""``build``: a project becomes an image, goes where it should, and proves itself."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.build import build
from builder.cli.console import Console, emit
from builder.cli.environment import container_env
from builder.cli.flags import BASE_FLAGS, REGISTRY_FLAGS, chosen
from builder.cli.outcome import dry_run, result_of
from builder.engine import podman_available
from builder.errors import EngineError, SettingsError
from builder.events import EventSink, Notice, step
from builder.oci.platform import Platform
from builder.planning import plan_builds, platforms, read_application
from builder.process import CommandRunner, run
from builder.registry.access import RegistryAccess
from builder.store.bound import keep_bound
from builder.store.layout import Store
from builder.workshop import Workshop

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from builder.destinations.destination import Destination
    from builder.oci.image_index import Built
    from builder.oci.reference import Reference
    from builder.plan import Application
    from builder.planning import Planned
    from builder.settings import Settings

_EMULATORS = Path("/proc/sys/fs/binfmt_misc")


def command(options: argparse.Namespace, console: Console) -> int:
    """Run ``build``; the exit code.

    Raises:
        BuilderError: of every kind.
    """
    return execute(options, console, run)


def execute(options: argparse.Namespace, events: EventSink, runner: CommandRunner) -> int:
    """Run ``build`` with other ears and hands; the exit code.

    Raises:
        BuilderError: of every kind.
    """
    _refuse_contradictions(options)
    env = container_env(options.env)
    shop = Workshop(store=Store.at_home(events), run=runner, events=events)
    flags = chosen(options, (*BASE_FLAGS, "tags", "outputs", *REGISTRY_FLAGS))
    app = read_application(Path(options.project), flags, os.environ, shop)
    registries = app.settings.registries
    with RegistryAccess.of(registries, os.environ, run=runner, events=events) as access:
        code = _build(app, options, env, replace(shop, registries=access))
    keep_bound(shop.store, os.environ, events)
    return code


def _build(
    app: Application, options: argparse.Namespace, env: Mapping[str, str], shop: Workshop
) -> int:
    wanted = platforms(app)
    if options.test:
        _refuse_foreign(wanted)
    destinations = _destinations(app.settings, options, shop)
    for destination in destinations:
        destination.expect(wanted)
    plans = plan_builds(app, shop, locked=is_locked(options.locked, app))
    if options.dry_run:
        emit(json.dumps(dry_run(plans, [each.label for each in destinations]), indent=2))
        return 0
    built = build(plans, shop)
    went = _deliver(built, plans[0].plan.names, destinations, shop)
    report = _prove(plans[0], env, shop) if options.test else None
    result = result_of(built, plans, went) | ({"health": report} if report else {})
    if options.metadata_file:
        from builder.cli.results import write_files

        write_files((options.metadata_file, [json.dumps(result, indent=2)]))
    lines = [json.dumps(result, indent=2)] if options.json else result["references"]
    emit("\n".join(lines))
    return 0


def is_locked(chosen: bool | None, app: Application) -> bool:  # noqa: FBT001 - a flag's value
    """Whether ``image.lock`` has to be followed: in CI, unless the user says otherwise."""
    if chosen is not None:
        return chosen
    return os.environ.get("CI", "").lower() == "true" and app.image_lock is not None


def _refuse_contradictions(options: argparse.Namespace) -> None:
    if options.test and options.load is False:
        raise SettingsError(
            "--test starts the image in podman, and --no-load keeps it from there",
            hint="leave one of them out",
        )
    if options.test and options.dry_run:
        raise SettingsError(
            "--test needs an image, and --dry-run builds none", hint="leave one of them out"
        )
    if options.env and not options.test:
        raise SettingsError(
            "--env is for the container under test, and --test was not given",
            hint="variables of the image itself stand in [tool.builder.env]",
        )


def _refuse_foreign(wanted: Sequence[Platform]) -> None:
    """A test runs the image; a machine that has QEMU registered with its kernel may run any."""
    host = Platform.host()
    is_emulated = any(_EMULATORS.glob("qemu-*"))
    if not is_emulated and not any(platform.matches(host) for platform in wanted):
        raise SettingsError(
            f"--test starts the image on this machine, which is {host}; the image is for "
            + ", ".join(map(str, wanted)),
            hint=f"add --platform {host}, or test the image where it runs: python -m builder test",
        )


def _destinations(
    settings: Settings, options: argparse.Namespace, shop: Workshop
) -> list[Destination]:
    """Where the image goes beside the store; podman too, unless it is unwanted or not there."""
    wanted = list(settings.outputs)
    if podman_available():
        if "podman" not in wanted and options.load is not False:
            wanted.append("podman")
    elif "podman" in wanted or options.load or options.test:
        raise EngineError(
            "podman is not installed, or not on PATH",
            hint="install podman; without it an image can be built, and written to "
            "oci:DIR, oci-archive:FILE or docker-archive:FILE",
        )
    elif options.load is None:
        shop.events(Notice("podman is not installed: the image will not be loaded"))
    if not wanted:
        return []
    from builder.destinations.parse import parse_destination

    return [parse_destination(text, store=shop.store, run=shop.run) for text in wanted]


def _deliver(
    built: Built,
    names: Sequence[Reference],
    destinations: list[Destination],
    shop: Workshop,
) -> dict[str, str]:
    went = {}
    for destination in destinations:
        with step(shop.events, destination.label) as done:
            done.detail = destination.put(built, names)
        went[destination.label] = done.detail
    return went


def _prove(planned: Planned, env: Mapping[str, str], shop: Workshop) -> dict[str, Any]:
    from builder.cli.test import health_check, prove

    name = planned.plan.names[0].local
    return prove(health_check(name, planned.app.settings, env), shop.events)
