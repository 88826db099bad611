"""uv, installing in the background."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

from builder.built import configuration_of
from builder.errors import InstallError
from builder.making.work import Work
from builder.plan import PROJECT
from builder.process import stop_children
from builder.project.compile import Compiler
from builder.project.install import Installation, Installer
from builder.project.lock_check import lock_question
from builder.store.layout import Store
from layers.digest import Digest

_LOCK_FITS = "lock-fits"
_NO_SPACE = os.strerror(errno.ENOSPC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """uv at work in the background, and the comparison of lock and project."""

    installer: Installer
    compiler: Compiler
    pool: ThreadPoolExecutor
    lock_fits: Future[None]

    def result[T](self, installed: Future[T]) -> T:
        """What was installed; a lock that does not fit is told before all else."""
        self.lock_fits.result()
        return installed.result()


@contextmanager
def installing(work: Work) -> Iterator[Uv]:
    """uv, with a private copy of the project; what it installed is gone afterwards.

    Raises:
        InstallError: uv or the compiler failed.
        ContentError: the project cannot be copied.
        StoreError: there is no room for it.
    """
    shop = work.shop
    with shop.store.staging() as staging, _roomy(shop.store), ThreadPoolExecutor(3) as pool:
        installer = Installer(_installation(work), into=staging, run=shop.run, events=shop.events)
        compiler = Compiler(
            shop.run,
            interpreter=work.interpreter.path,
            python=work.planned.target.python,
            scratch=staging / "bytecode",
        )
        lock_fits = pool.submit(_check_lock, work, installer)
        try:
            yield Uv(installer=installer, compiler=compiler, pool=pool, lock_fits=lock_fits)
        except BaseException:
            # Whoever failed does not wait for what the others would have installed.
            stop_children()
            raise


def _installation(work: Work) -> Installation:
    app = work.planned.app
    return Installation(
        pyproject=app.pyproject,
        lock=app.lock,
        source=app.source,
        settings=app.settings,
        target=work.planned.target,
        interpreter=work.interpreter.path,
        # Not before 1980, where zip and so every wheel begins.
        environ={"SOURCE_DATE_EPOCH": str(max(app.revision.seconds, 315_532_800))},
        uv_toml=configuration_of(app).above or "",
        planned=Digest(str(work.planned.plan.layer(PROJECT).inputs["source"])),
    )


def _check_lock(work: Work, installer: Installer) -> None:
    """Have uv compare lock and project, unless it did so with the same before."""
    app, store = work.planned.app, work.shop.store
    question = lock_question(
        replace(app.lock, path=installer.lock),
        replace(app.pyproject, path=installer.project / "pyproject.toml"),
        interpreter=work.interpreter.version,
        told=str(configuration_of(app).digest),
        environ=os.environ,
    )
    if question and store.fact(_LOCK_FITS, str(question)) is not None:
        return
    installer.check_lock()
    if question:
        store.remember(_LOCK_FITS, str(question), {})


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
