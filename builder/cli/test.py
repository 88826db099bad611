"""``test``: an image that podman has proves that it is healthy."""

import argparse
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from builder.cli.console import Console, emit
from builder.cli.environment import container_env
from builder.engine import podman_available
from builder.errors import EngineError
from builder.events import EventSink, Notice, step
from builder.health.check import HealthCheck
from builder.health.prove import prove_healthy
from builder.process import run
from builder.project.pyproject import Pyproject, read_pyproject
from builder.project.settings import read_settings
from builder.settings import Settings

_NO_PROJECT = Pyproject(
    path=Path("pyproject.toml"),
    name="",
    version=None,
    requires_python="",
    metadata={},
    tool={},
    is_package=False,
)


def command(options: argparse.Namespace, console: Console) -> int:
    """Run ``test``; the exit code.

    Raises:
        BuilderError: of the settings, check and engine kinds.
    """
    if not podman_available():
        raise EngineError("podman is not installed, or not on PATH", hint="install podman")
    settings = _settings(options.project)
    check = health_check(options.image, settings, container_env(options.env))
    if options.timeout is not None:
        check = replace(check, start_seconds=options.timeout)
    report = prove(replace(check, publish=options.publish), console)
    if options.json:
        emit(json.dumps(report, indent=2))
    return 0


def health_check(image: str, settings: Settings, env: Mapping[str, str]) -> HealthCheck:
    """What the settings say a healthy image does."""
    health, user = settings.health, settings.user
    return HealthCheck(
        image=image,
        port=settings.port,
        path=health.path,
        expect=health.expect,
        env={**health.env, **env},
        uid=user.uid,
        account=user.name,
        start_seconds=health.timeout,
    )


def prove(check: HealthCheck, events: EventSink) -> dict[str, Any]:
    """Run a check as a step, say what was proved, and return the report as JSON has it.

    Raises:
        CheckError: the image falls short.
        EngineError: podman cannot run it.
    """
    with step(events, "health") as done:
        report = prove_healthy(check, run=run, events=events)
        done.detail = (
            f"healthy after {report.healthy_seconds:.2f} s, "
            f"stopped {report.stop_seconds:.2f} s after SIGTERM"
        )
    for proof in report.proofs:
        events(Notice(f"  {proof.name}: {proof.detail}"))
    return asdict(report)


def _settings(project: str | None) -> Settings:
    """The project's settings; those of the environment where there is none with settings."""
    chosen = project is not None or _has_settings(Path("pyproject.toml"))
    pyproject = read_pyproject(Path(project or ".").absolute()) if chosen else _NO_PROJECT
    return read_settings(pyproject, environ=os.environ, flags={})


def _has_settings(path: Path) -> bool:
    """Whether a file here is about images; many a pyproject.toml only configures a linter."""
    try:
        tool = tomllib.loads(path.read_text("utf-8")).get("tool")
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        # Whether it is cannot be told: whoever reads it in earnest says what is wrong with it.
        return True
    return isinstance(tool, dict) and "builder" in tool
