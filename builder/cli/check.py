"""``check``: what is wrong with an image, whoever built it."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builder.checks.verdict import (
    Verdict,
    counted,
    describe_unused,
    judge,
    tell,
    tell_accepted,
    unused_in_all,
)
from builder.checks.verdict import verdict_to_json as to_json
from builder.cli.console import Console, emit
from builder.cli.flags import REGISTRY_FLAGS, chosen
from builder.errors import ReferenceFormatError
from builder.events import Caution, InTurn, Notice, step
from builder.examine.advice import Advice
from builder.examine.examine import examine
from builder.examine.fetch import fetch_layers
from builder.examine.images import images_of
from builder.oci.descriptor import REF_NAME
from builder.oci.image import Image
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.process import run
from builder.project.pyproject import read_pyproject
from builder.project.settings import read_platforms, read_registry_settings, read_settings
from builder.push.arguments import is_path, kind_of
from builder.push.source import open_source
from builder.registry.access import RegistryAccess
from builder.settings import Settings
from builder.store.bound import keep_bound
from builder.store.layout import Store
from builder.workshop import Workshop


def command(options: argparse.Namespace, console: Console) -> int:
    """Run ``check``; the exit code: 1 when something is wrong.

    Raises:
        BuilderError: of every kind but those of building.
    """
    platforms = read_platforms(options.platform)
    settings, project = _settings(options)
    shop = Workshop(store=Store.at_home(console), run=run, events=InTurn(console))
    source = _source(options.image, shop.store)
    with (
        RegistryAccess.of(settings.registries, os.environ, run=run, events=shop.events) as access,
        open_source(source, access, shop, purpose="check", platform=_only(platforms)) as tree,
    ):
        images = images_of(tree, options.image, platforms)
        advice = Advice(settings=settings, project=project, shop=shop)
        verdicts = [_verdict(image, advice) for image in images]
    found = list(zip(images, verdicts, strict=True))
    if options.json:
        emit(json.dumps(_report(options.image, found), indent=2))
    elif lines := _lines(found):
        emit("\n".join(lines))
    for acceptance in unused_in_all(verdicts):
        console(Caution(describe_unused(acceptance), "take it out of [tool.builder.checks] accept"))
    console(Notice(f"{options.image}: {_summary(verdicts)}"))
    keep_bound(shop.store, os.environ, console)
    return 1 if any(verdict.errors for verdict in verdicts) else 0


def _source(image: str, store: Store) -> str:
    """As ``open_source`` takes it: a name that the store does not know is one of a registry."""
    if kind_of(image) or is_path(image) or Path(image).is_dir():
        return image
    try:
        name = Reference.parse(image)
    except ReferenceFormatError:
        return image  # it is told in full where it is opened
    is_remote = not name.is_short and name.registry != "localhost"
    names = {entry.annotations.get(REF_NAME) for entry in store.index().manifests}
    return f"docker://{image}" if is_remote and name.local not in names else image


def _only(platforms: Sequence[Platform]) -> Platform | None:
    """The one that is wanted, if it is one: nothing has to be there of the others."""
    return platforms[0] if len(platforms) == 1 else None


def _settings(options: argparse.Namespace) -> tuple[Settings, Path]:
    """What counts: of a project only when it is named, as the image may be anybody's."""
    flags = chosen(options, REGISTRY_FLAGS)
    directory = Path(options.project or ".").absolute()
    if options.project is not None:
        return read_settings(read_pyproject(directory), environ=os.environ, flags=flags), directory
    spoken = read_registry_settings(environ=os.environ, flags=flags)
    settings = Settings(
        insecure_registries=spoken.insecure,
        registry_certs=spoken.certs,
        registries_conf=spoken.conf,
    )
    return settings, directory


def _verdict(image: Image, advice: Advice) -> Verdict:
    shop, checks = advice.shop, advice.settings.checks
    fetch_layers(image, shop)
    with step(shop.events, f"check {image.config.value.platform}") as done:
        verdict = judge(examine(image, checks, shop.store, advice), checks)
        done.detail = counted(verdict)
    return verdict


def _lines(found: Sequence[tuple[Image, Verdict]]) -> list[str]:
    """Findings by image, the errors first; an image without any has no line."""
    lines: list[str] = []
    for image, verdict in found:
        told = [
            *(f"error: {text}" for text in tell(verdict.errors)),
            *(f"warning: {text}" for text in tell(verdict.warnings)),
            *tell_accepted(verdict),
        ]
        if told and len(found) > 1:
            lines.append(f"{image.config.value.platform} {image.digest}")
        lines += told
    return lines


def _report(source: str, found: Sequence[tuple[Image, Verdict]]) -> dict[str, Any]:
    return {
        "image": source,
        "passed": not any(verdict.errors for _, verdict in found),
        "platforms": [
            {
                "platform": str(image.config.value.platform),
                "digest": str(image.digest),
                **to_json(verdict),
            }
            for image, verdict in found
        ],
    }


def _summary(verdicts: Sequence[Verdict]) -> str:
    total = Verdict(
        errors=tuple(f for verdict in verdicts for f in verdict.errors),
        warnings=tuple(f for verdict in verdicts for f in verdict.warnings),
        accepted=tuple(f for verdict in verdicts for f in verdict.accepted),
    )
    many = f", in {len(verdicts)} images" if len(verdicts) > 1 else ""
    return f"{counted(total)}{many}"
