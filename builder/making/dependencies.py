"""The layers of third-party distributions: uv installs what was never packed here."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

from builder.built import configuration_of
from builder.contents import Contents, ground
from builder.dependencies.environment import Environment, read_environment
from builder.dependencies.layers import Order, make_layers
from builder.dependencies.locked import find_locked, locked_keys
from builder.dependencies.segments import Packer
from builder.events import Caution, step
from builder.making.install import Uv
from builder.making.work import Work, sizes
from builder.plan import DEPENDENCIES
from builder.project.install import THIRD_PARTY, Installer, is_host
from builder.project.local_builds import built_here


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
    is_doubtful: bool


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
    configuration = configuration_of(app)
    told = (table, str(configuration.digest))
    # What a wheel was built of although the lock offers one looks like the one that is offered.
    is_doubtful = configuration.asks_for_builds or "no-binary" in str(app.pyproject.tool.get("uv"))
    foreseen = None if is_doubtful else uv.installer.foresee()
    locked = locked_keys(app.lock, foreseen or {}, target, packer, told)
    known = find_locked(locked, packer)
    venv = uv.installer.venv(THIRD_PARTY)
    if foreseen is None or known.keys() != foreseen.keys():
        uv.installer.sync(THIRD_PARTY, without=known)
    environment = read_environment(packer, venv, known)
    if environment.has_clash:
        environment = read_environment(packer, uv.installer.sync(THIRD_PARTY))
    if _settle(environment, uv.installer):
        environment = read_environment(packer, venv)
    here = built_here(app.lock, environment.staged)
    return _ThirdParty(
        packer=packer,
        environment=environment,
        locked={name: key for name, key in locked.items() if name not in here},
        built_here=here,
        is_doubtful=is_doubtful,
    )


def _settle(environment: Environment, installer: Installer) -> bool:
    """Let contested paths be the same distribution's every time; whether there are any.

    uv installs several at a time, and whoever comes last has the path.
    """
    for name in environment.contested:
        installer.reinstall(THIRD_PARTY, name)
    return bool(environment.contested)


def _mend(found: _ThirdParty, installer: Installer, changed: Mapping[str, str]) -> None:
    installer.mend(THIRD_PARTY, changed)
    environment = found.environment
    _settle(read_environment(found.packer, environment.staged, environment.known), installer)


def _dependencies(work: Work, uv: Uv, installed: Future[_ThirdParty]) -> Contents:
    app, events = work.planned.app, work.shop.events
    with step(events, "uv sync --frozen --no-dev") as done:
        found = uv.result(installed)
        if found.built_here:
            events(_made_here(found.built_here, work))
        elif found.is_doubtful:
            events(_made_here(["whatever no-binary names"], work))
        new = len(found.environment.installed)
        done.detail = f"{new} of {len(found.environment.members)} distributions"
    with step(events, DEPENDENCIES) as done:
        order = Order(
            choice=app.settings.layers,
            known=ground(app, work.base, work.place),
            mend=partial(_mend, found, uv.installer),
            finished=work.finished,
            locked=found.locked,
        )
        contents = make_layers(found.packer, found.environment, order)
        done.detail = sizes(contents)
    # What was built here rests on this machine, and what has no hash may be another thing tomorrow.
    is_repeatable = not (found.built_here or found.is_doubtful or app.lock.unhashed)
    return replace(contents, is_repeatable=contents.is_repeatable and is_repeatable)


def _made_here(names: Sequence[str], work: Work) -> Caution:
    # For another platform nothing is compiled.
    tools = "compilers" if is_host(work.planned.target) else "build tools"
    return Caution(
        f"built on this machine, not taken from a wheel: {', '.join(names)}",
        f"their bytes rest on the {tools} here; elsewhere the digest may differ",
    )
