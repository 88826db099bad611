"""``lock``: which base and which system packages an image is made of, written down."""

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from builder.cli.console import Console
from builder.cli.flags import BASE_FLAGS, REGISTRY_FLAGS, chosen
from builder.debian.package import Pin
from builder.destinations.file import replacing
from builder.events import Notice, step
from builder.foundation import lock_foundation
from builder.image_lock import ImageLock, LockedImage, to_toml, with_image
from builder.planning import platforms, read_application
from builder.process import run
from builder.registry.access import RegistryAccess
from builder.store.layout import Store
from builder.workshop import Workshop


def command(options: argparse.Namespace, console: Console) -> int:
    """Run ``lock``; the exit code.

    Raises:
        BuilderError: of the settings, lock, base, archive, package, registry, transport and store
            kinds.
    """
    shop = Workshop(store=Store.at_home(console), run=run, events=console)
    flags = chosen(options, (*BASE_FLAGS, *REGISTRY_FLAGS))
    app = read_application(Path(options.project), flags, os.environ, shop)
    lock = app.image_lock or ImageLock()
    with RegistryAccess.of(app.settings.registries, os.environ, run=run, events=console) as access:
        shop = replace(shop, registries=access)
        for platform in platforms(app):
            with step(console, "base and system packages") as done:
                locked = lock_foundation(app, platform, shop, upgrade=options.upgrade)
                done.detail = f"{locked.base}, {len(locked.packages)} packages, {platform}"
            for line in _changes(lock.image(platform), locked):
                console(Notice(line))
            lock = with_image(lock, locked)
    path = app.pyproject.image_lock
    content = to_toml(lock)
    if not path.is_file() or path.read_bytes() != content:
        with replacing(path) as file:
            file.write(content)
        console(Notice(f"wrote {path}"))
    return 0


def _changes(before: LockedImage | None, after: LockedImage) -> Iterator[str]:
    """What is locked now and was not, in words."""
    if before is None or before.digest != after.digest:
        yield f"base {after.base}: {after.digest}"
    old = _versions((*before.base_packages, *before.packages)) if before else {}
    new = _versions((*after.base_packages, *after.packages))
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield f"added {name} {new[name]}"
        elif name not in new:
            yield f"removed {name} {old[name]}"
        elif old[name] != new[name]:
            yield f"changed {name} {old[name]} to {new[name]}"


def _versions(pins: tuple[Pin, ...]) -> dict[str, str]:
    return {pin.name: pin.version for pin in pins}
