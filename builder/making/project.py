"""The layers of the project itself, and of the account that it runs as."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from builder.contents import Contents, Own, account_layer, project_layer
from builder.events import Notice, step
from builder.making.install import Uv
from builder.making.work import Work, sizes
from builder.plan import PROJECT
from builder.project.install import OWN


def make_account(work: Work) -> Contents:
    """The account's layer."""
    contents = account_layer(work.planned.app, work.base, work.shop.store)
    work.tell(contents)
    return contents


def begin_project(work: Work, uv: Uv) -> Callable[[], Contents]:
    """Begin to install it; call what comes back for its layer."""
    installed = uv.pool.submit(uv.installer.sync, OWN)
    return lambda: _project(work, uv, installed)


def _project(work: Work, uv: Uv, installed: Future[Path]) -> Contents:
    app, events = work.planned.app, work.shop.events
    with step(events, PROJECT) as done:
        own = Own(venv=uv.result(installed), project=uv.installer.source)
        store = work.shop.store
        contents = project_layer(app, work.base, work.place, own, compiler=uv.compiler, store=store)
        done.detail = sizes(contents)
    if app.revision.commit is None:
        events(Notice(f"created is {app.revision.created} ({app.revision.origin})"))
    return contents
