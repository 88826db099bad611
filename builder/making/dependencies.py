"""The layers of third-party distributions: uv installs what was never packed here."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

from builder.contents import Contents, ground
from builder.dependencies.environment import Environment, read_environment
from builder.dependencies.layers import Order, make_layers
from builder.dependencies.locked import find_locked, locked_keys
from builder.dependencies.segments import Packer
from builder.events import Caution, step
from builder.making.install import Uv
from builder.making.work import Work, sizes
from builder.plan import DEPENDENCIES
from builder.project.install import THIRD_PARTY
from builder.project.local_builds import built_here
from builder.project.uv import uv_configuration


def begin_dependencies(work: Work, uv: Uv) -> Callable[[], Contents]:
    """Begin to install them; call what comes back for their layers."""
    installed = uv.pool.submit(_third_party, work, uv)
    return lambda: _dependencies(work, uv, installed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ThirdParty:
    """Third-party distributions, and what the lock will tell of them."""

    packer: Packer
    environment: Environment
    locked: Mapping[str, str]
    built_here: Sequence[str]


def _third_party(work: Work, uv: Uv) -> _ThirdParty:
    """Install what was never packed here, and of the rest nothing."""
    app, target = work.planned.app, work.planned.target
    packer = Packer(
        store=work.shop.store,
        place=work.place,
        base=work.base.files,
        compiler=uv.compiler,
        interpreter=work.interpreter.version,
        codec=app.settings.compression,
        events=work.shop.events,
    )
    table = str(work.planned.plan.layer(DEPENDENCIES).inputs["tool.uv"])
    told = (table, str(uv_configuration(app.lock.directory, os.environ)))
    foreseen = uv.installer.foresee()
    locked = locked_keys(app.lock, foreseen or {}, target, packer, told)
    known = find_locked(locked, packer)
    venv = uv.installer.venv(THIRD_PARTY)
    if foreseen is None or known.keys() != foreseen.keys():
        uv.installer.sync(THIRD_PARTY, without=known)
    environment = read_environment(packer, venv, known)
    if environment.has_clash:
        environment = read_environment(packer, uv.installer.sync(THIRD_PARTY))
    if contested := environment.contested:
        # uv installs several at a time, and whoever comes last has the path: it shall be the same
        # one every time.
        for name in contested:
            uv.installer.reinstall(THIRD_PARTY, name)
        environment = read_environment(packer, venv)
    here = built_here(app.lock, environment.staged)
    return _ThirdParty(
        packer=packer,
        environment=environment,
        locked={name: key for name, key in locked.items() if name not in here},
        built_here=here,
    )


def _dependencies(work: Work, uv: Uv, installed: Future[_ThirdParty]) -> Contents:
    app, events = work.planned.app, work.shop.events
    with step(events, "uv sync --frozen --no-dev") as done:
        found = uv.result(installed)
        if found.built_here:
            events(_made_here(found.built_here))
        new = len(found.environment.installed)
        done.detail = f"{new} of {len(found.environment.members)} distributions"
    with step(events, DEPENDENCIES) as done:
        order = Order(
            choice=app.settings.layers,
            known=ground(app, work.base, work.place),
            mend=partial(uv.installer.mend, THIRD_PARTY),
            finished=work.finished,
            locked=found.locked,
        )
        contents = make_layers(found.packer, found.environment, order)
        done.detail = sizes(contents)
    return replace(contents, is_repeatable=contents.is_repeatable and not found.built_here)


def _made_here(names: Sequence[str]) -> Caution:
    return Caution(
        f"built on this machine, for want of a wheel: {', '.join(names)}",
        "their bytes rest on the compilers here; elsewhere the digest may differ",
    )
