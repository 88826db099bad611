"""Ways to bring a project's image into a registry, with the same wheels and on the same base."""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import uv

from bench.engines import UV_CACHE, run
from bench.measure import Command
from tests.cache import REPOSITORY

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
CMD = ("uvicorn", "application.main:app", "--host", "0.0.0.0", "--port", "8000")  # noqa: S104
_OFFLINE = {"UV_OFFLINE": "1"}
"""Whether an index has something newer is asked by nobody while the clock runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An image to make and to push.

    Attributes:
        project: its directory.
        base: a reference in the registry that is pushed to.
        reference: where the image goes.
        label: scenario and situation.
        loads: whether it goes into podman instead.
    """

    project: Path
    base: str
    reference: str
    label: str
    loads: bool = False

    @property
    def local(self) -> str:
        """What the image is called on this machine."""
        return f"localhost/bench:{self.project.name}"


class Peer(Protocol):
    """One way to do it."""

    @property
    def name(self) -> str:
        """As the tables have it."""
        ...

    @property
    def environ(self) -> Mapping[str, str]:
        """What its commands need beside ours."""
        ...

    def forget(self, base: str) -> None:
        """Leave nothing but uv's cache and the base, as where many other things are built."""
        ...

    def commands(self, job: Job) -> Sequence[Command]:
        """What does the job: builds, where something changed, and brings the image there."""
        ...


@dataclass(frozen=True, kw_only=True)
class Ours:
    """``python -m builder push``, or ``build --load``.

    Attributes:
        home: its store is kept here.
        traces: where a trace of every situation goes; None for nowhere.
        platforms: with commas between them; empty for this machine's.
    """

    home: Path
    traces: Path | None = None
    name: str = "ours"
    platforms: str = ""

    @property
    def environ(self) -> Mapping[str, str]:
        return {**_OFFLINE, "BUILDER_STORE": str(self.home / "store")}

    def empty(self) -> None:
        """Leave not even the base."""
        shutil.rmtree(self.home / "store", ignore_errors=True)

    def forget(self, base: str) -> None:
        self.empty()
        nothing = self.home / "nothing"
        if not nothing.exists():
            nothing.mkdir(parents=True)
            (nothing / "pyproject.toml").write_text(_NOTHING)
            run(uv.find_uv_bin(), "lock", "--directory", nothing)
        argv = (*_BUILDER, "build", nothing, "--dry-run", "--base", base, *self._wanted)
        run(*argv, environ=self.environ)

    def commands(self, job: Job) -> Sequence[Command]:
        based = ("--base", job.base, *self._wanted, *self._traced(job))
        if job.loads:
            return [[*_BUILDER, "build", job.project, "--load", "--tag", job.local, *based]]
        return [[*_BUILDER, "push", job.project, job.reference, *based]]

    @property
    def _wanted(self) -> Command:
        return ("--platform", self.platforms) if self.platforms else ()

    def _traced(self, job: Job) -> Command:
        if self.traces is None:
            return ()
        return "--trace", self.traces / f"{re.sub('[^a-z]+', '-', job.label)}.json"


_BUILDER = (sys.executable, "-m", "builder")
_NOTHING = """\
[project]
name = "nothing"
version = "0"
requires-python = ">=3.12"

[tool.builder]
cmd = ["true"]
source = []
"""


@dataclass(frozen=True, kw_only=True)
class Shell:
    """``bench/shell/push.sh``: the formats by hand.

    Attributes:
        home: what it keeps is kept here.
    """

    home: Path
    name: str = "shell"

    @property
    def environ(self) -> Mapping[str, str]:
        path = f"{Path(uv.find_uv_bin()).parent}:{os.environ['PATH']}"
        return {**_OFFLINE, "STATE": str(self.home), "PATH": path}

    def forget(self, base: str) -> None:
        del base  # its manifest is asked for every time
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)

    def commands(self, job: Job) -> Sequence[Command]:
        script = REPOSITORY / "bench/shell/push.sh"
        push = (script, job.project, job.base, job.reference, *CMD)
        pull = ("podman", "pull", "--quiet", "--tls-verify=false", job.reference)
        return [push, pull] if job.loads else [push]


@dataclass(frozen=True, kw_only=True)
class Buildah:
    """``buildah bud --layers`` with the Dockerfile that uv's guide gives, and ``buildah push``."""

    name: str = "buildah"
    environ: Mapping[str, str] = field(default_factory=lambda: _OFFLINE)

    def forget(self, base: str) -> None:
        run("podman", "rmi", "--all", "--force")
        run("podman", "pull", "--quiet", "--tls-verify=false", base)

    def commands(self, job: Job) -> Sequence[Command]:
        dockerfile = REPOSITORY / "bench/dockerfile/Dockerfile"
        build = (
            *("buildah", "bud", "--quiet", "--layers", "--network=host", "--isolation=chroot"),
            *("--build-arg", f"BASE={job.base}", "--build-arg", f"SSL_CERT_FILE={CERTIFICATES}"),
            *("--build-context", f"uv={Path(uv.find_uv_bin()).parent}", "--tls-verify=false"),
            *("--volume", f"{UV_CACHE}:/root/.cache/uv"),
            *("--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"),
            *("--tag", job.local, "--file", dockerfile, job.project),
        )
        target = f"docker://{job.reference}"
        push = ("buildah", "push", "--quiet", "--tls-verify=false", job.local, target)
        return [build] if job.loads else [build, push]
