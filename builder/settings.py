"""The user's choices, as frozen types with the defaults of the house.

They are read from ``[tool.builder]``, the environment and the command line by
``builder.project.settings``; nothing here reads anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from layers.compress import GZIP, Codec
from layers.entries import Owner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layers.accounts import Account


class PullPolicy(StrEnum):
    """When a registry is asked for a base."""

    MISSING = "missing"
    """When the local store does not have it."""
    ALWAYS = "always"
    """Every time, for the manifest; blobs that are here are not fetched again."""
    NEVER = "never"
    """Not at all."""


class LayerPolicy(StrEnum):
    """How third-party distributions are spread over layers."""

    AUTO = "auto"
    """Large ones have layers of their own, small ones share a few."""
    SINGLE = "single"
    """All in one."""
    PER_PACKAGE = "per-package"
    """One each, as far as the number of layers allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who the container runs as; the numbers decide, the name is added to the base's accounts."""

    name: str = "app"
    uid: int = 1001
    gid: int = 1001

    @property
    def owner(self) -> Owner:
        """The numbers, as layers want them."""
        return Owner(self.uid, self.gid)

    def account(self, home: str) -> Account:
        """The account to add to the base's."""
        from layers.accounts import Account  # noqa: PLC0415 - of use to builds alone

        return Account(name=self.name, owner=self.owner, home=home)


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """Files beyond the application's source.

    Attributes:
        source: path in the project, of a file or directory; ``.`` is the project itself.
        destination: absolute in-image path; with a slash at its end, the directory for a file.
        mode: of files; their executable bit decides when None.
        owner: the application's user when None.
    """

    source: str
    destination: str
    mode: int | None = None
    owner: Owner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """How the started image is asked whether it is well.

    Attributes:
        path: of the HTTP endpoint.
        expect: the JSON object it must answer with; None: status 200 is enough.
        env: variables for the container under test only.
        timeout: seconds until the first healthy answer.
    """

    path: str = "/health"
    expect: Mapping[str, Any] | None = field(default_factory=lambda: {"status": "ok"})
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSourceSettings:
    """An archive of Debian packages, in place of those that the base names.

    Attributes:
        uri: its root, ``http`` or ``https``, without a slash at its end.
        suites: such as ``bookworm`` and ``bookworm-updates``; at least one.
        components: of every suite.
        keyring: file with the keys that its Release files are signed by: a path in the project,
            or an absolute one; None: the keys that the base trusts.
    """

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...] = ("main",)
    keyring: str | None = None


CHECKS = (
    *("wrong-machine", "wrong-libc", "python-tag", "missing-library", "glibc-too-old"),
    *("missing-symbol-version", "damaged-file"),
    *("executable-stack", "text-relocations", "stale-rpath"),
    *("missing-module", "missing-command", "missing-directory", "relative-path", "import"),
    *("root-user", "privileged-port", "world-writable", "setuid"),
    *("secret", "secret-in-env", "junk", "host-build", "large-file"),
    *("max-size", "max-layer-size", "max-layers", "max-growth"),
)
"""Names of the checks; ``docs/checks.md`` says what each finds and how it is repaired."""

ALL_CHECKS = "*"
LEAST_FILE_SIZE = 100_000
"""Bytes; the sizes of smaller files of a project are not kept for a check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What may be in an image although a check finds it.

    Attributes:
        check: its name.
        reason: why, for those who read it later.
        path: glob of absolute in-image paths, whose ``*`` takes slashes too; any when empty.
        distribution: normalised name of the package that the file is of; any when empty.
    """

    check: str
    reason: str
    path: str = ""
    distribution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How much larger than the one before an image may be.

    Attributes:
        size: bytes.
        percent: hundredths of the size before, on top.
    """

    size: int = 0
    percent: float = 0.0

    def beyond(self, previous: int) -> int:
        """How many bytes an image may have, when the one before had ``previous``."""
        return previous + self.size + int(previous * self.percent / 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksSettings:
    """What an image must be before there is one.

    Attributes:
        accept: what may be although a check finds it.
        warn: checks whose errors are warnings; ``*`` is every check that ``refuse`` does not name.
        refuse: checks whose warnings are errors; ``*`` is every check that ``warn`` does not name.
        imports: whether the app's module is imported on this machine, where that can be done.
        max_size: compressed bytes of all layers; no bound when None, as for those that follow.
        max_layer_size: compressed bytes of each layer.
        max_layers: number of layers, those of the base among them.
        max_growth: compressed, against the image that had the name before.
        max_file_size: bytes of one of the project's files.
    """

    accept: tuple[Acceptance, ...] = ()
    warn: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    imports: bool = False
    max_size: int | None = None
    max_layer_size: int | None = None
    max_layers: int | None = None
    max_growth: Growth | None = None
    max_file_size: int = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """How registries are spoken with, beside what this machine's container tools say of it.

    Attributes:
        insecure: hosts, each ``host[:port]`` or a network such as ``10.0.0.0/8``, whose
            certificates are not verified and that may speak plain http.
        certs: a directory with one directory of certificates for every ``host[:port]``.
        conf: a ``registries.conf`` in place of the user's or the system's.
    """

    insecure: tuple[str, ...] = ()
    certs: str | None = None
    conf: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a user may choose about an image.

    Attributes:
        app: the ASGI application, ``module:attribute``; gives the default command.
        base: where the base image comes from; the next one is for when the registry of the one
            before cannot be reached.
        base_mirror: URL of a registry to ask instead of the base's own.
        pull: whether a registry is asked when the local store has the base.
        platform: each ``os/architecture``, no two the same; this machine's when empty.
        workdir: absolute in-image path of the application, and of ``.venv`` in it.
        user: who the container runs as.
        ports: such as ``8000/tcp``; the first one is the application's.
        cmd: the command; uvicorn with ``app`` when None.
        entrypoint: the base's when None.
        env: variables on top of the base's.
        labels: on top of the base's and the builder's own.
        source: files and directories of the project that are copied to ``workdir``, ``.`` for all
            of it; ``src``, or the app's own package, when None.
        include: further files.
        extras: optional dependencies of the project to install.
        groups: dependency groups to install.
        compression: of the layers.
        layers: how third-party distributions are spread over layers; or the groups, by normalised
            name, that have a layer each, before one for the rest.
        tags: names for the image; ``localhost/NAME:latest`` when empty.
        outputs: destinations beside the local store.
        health: how the image is tested.
        apt: Debian packages to add to the base, each ``name`` or ``name=version``.
        apt_mirror: URL of a server that is asked instead of those that apt's sources name.
        apt_sources: archives in place of the base's own; those count when there are none.
        apt_snapshot: the moment whose archive counts, as ``20250520T000000Z``; now when None.
        apt_docs: whether documentation, man pages and locales of those packages are kept.
        apt_accept: packages that may come without what their maintainer scripts would have done.
        checks: what the image must be before there is one.
        insecure_registries: as in ``RegistrySettings``, like the two that follow.
        registry_certs: a directory.
        registries_conf: a file.
    """

    app: str | None = None
    base: tuple[str, ...] = ("python:3.12-slim-bookworm",)
    base_mirror: str | None = None
    pull: PullPolicy = PullPolicy.MISSING
    platform: tuple[str, ...] = ()
    workdir: str = "/app"
    user: User = field(default_factory=User)
    ports: tuple[str, ...] = ("8000/tcp",)
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    source: tuple[str, ...] | None = None
    include: tuple[Include, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    compression: Codec = GZIP
    layers: LayerPolicy | tuple[tuple[str, ...], ...] = LayerPolicy.AUTO
    tags: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    health: HealthSettings = field(default_factory=HealthSettings)
    apt: tuple[str, ...] = ()
    apt_mirror: str | None = None
    apt_sources: tuple[AptSourceSettings, ...] = ()
    apt_snapshot: str | None = None
    apt_docs: bool = False
    apt_accept: tuple[str, ...] = ()
    checks: ChecksSettings = field(default_factory=ChecksSettings)
    insecure_registries: tuple[str, ...] = ()
    registry_certs: str | None = None
    registries_conf: str | None = None

    @property
    def registries(self) -> RegistrySettings:
        """How registries are spoken with."""
        return RegistrySettings(
            insecure=self.insecure_registries, certs=self.registry_certs, conf=self.registries_conf
        )

    @property
    def venv(self) -> str:
        """Absolute in-image path of the virtual environment."""
        return f"{self.workdir.rstrip('/')}/.venv"

    @property
    def port(self) -> int:
        """The application's own port."""
        return int(self.ports[0].partition("/")[0])

    @property
    def command(self) -> tuple[str, ...] | None:
        """What the container runs; None leaves the base's command."""
        if self.cmd is not None or self.app is None:
            return self.cmd
        return ("uvicorn", self.app, "--host", "0.0.0.0", "--port", str(self.port))  # noqa: S104
