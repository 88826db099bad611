"""The application, imported on this machine from what uv installs for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.checks.finding import Finding, Severity
from builder.events import Notice, span
from builder.making.install import installing
from builder.project.imports import check_import
from builder.project.install import is_host

if TYPE_CHECKING:
    from builder.making.work import Work


def import_app(work: Work) -> list[Finding]:
    """Import the app, when the settings ask for that and this machine runs what the image holds.

    It is installed for that alone, whole: what was packed before is not in any environment.

    Raises:
        InstallError: uv failed.
        ContentError: the project cannot be copied.
        StoreError: there is no room for it.
    """
    settings, target = work.planned.app.settings, work.planned.target
    if not settings.checks.imports:
        return []
    if settings.app is None:
        work.shop.events(Notice("nothing is imported: [tool.builder] names no app"))
        return []
    if not is_host(target):
        work.shop.events(Notice(f"not imported here, being for {target.platform}: {settings.app}"))
        return []
    with installing(work) as uv:
        source = uv.installer.source
        site = uv.installer.sync_whole() / f"lib/python{target.python.minor}/site-packages"
        with span(work.shop.events, f"import {settings.app}"):
            words = check_import(
                settings.app,
                # The server adds the directory that it runs in, below all that is installed.
                [site, source, source / "src"],
                work.interpreter.path,
                {**settings.env, **settings.health.env},
                directory=source,
            )
    if words is None:
        return []
    return [
        Finding(
            check="import",
            severity=Severity.ERROR,
            message=f"{settings.app} cannot be imported: {words}",
            fix="import it with uv run python; variables that it needs for this stand in "
            "[tool.builder] env, or in health.env for tests alone",
        )
    ]
