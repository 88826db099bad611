"""What will be built, as pure data: it can be printed, compared and hashed before anything runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder import debian
from builder.errors import SettingsError
from builder.oci.document import canonical_json
from builder.oci.reference import Reference
from builder.project.uv import uv_version
from layers.digest import Digest
from layers.layer import FORMAT, Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.base.base import Base
    from builder.debian.package import Pin
    from builder.image_lock import ImageLock
    from builder.project.lock import Lock
    from builder.project.pyproject import Pyproject
    from builder.project.revision import Revision
    from builder.project.source import Source
    from builder.settings import Include, Settings
    from builder.target import Target
    from layers.compress import Codec

SYSTEM = "system"
"""The layer of Debian packages."""
ACCOUNT = "account"
"""The layer of the user whom the container runs as."""
DEPENDENCIES = "dependencies"
"""The layers of third-party distributions."""
PROJECT = "project"
"""The layer of the project's own files."""

_OWN_PREFIX = "org.opencontainers.image."
# Members of the base's config that are about the container it was once made from, and OnBuild,
# which is for whoever builds on it and is used up by that.
# https://github.com/moby/moby/blob/v27.0.0/api/types/container/config.go
_OF_A_CONTAINER = {
    *("Hostname", "Domainname", "MacAddress", "Image", "OnBuild"),
    *("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"),
}
# What [tool.uv] says about members, about groups that are never installed, and about how the
# project itself is built, which is a part of its source.
_NOT_INSTALLED = {"workspace", "dev-dependencies", "build-backend"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """One layer to be made.

    Attributes:
        name: what it is called in the output and the image's history.
        inputs: what its bytes depend on, as far as a plan can know, by name; digests and choices,
            never paths of this machine or times of its clock.
    """

    name: str
    inputs: Mapping[str, Any]

    @property
    def key(self) -> Digest:
        """The same inputs have the same key.

        The same bytes only where all that is installed are wheels of the lock: what is built here
        rests on this machine's compilers and Python too, and what uv finds on the user's index or
        in the user's own uv.toml is uv's. Whoever caches by this key has to leave those out.
        """
        return Digest.of(canonical_json({"name": self.name, **self.inputs}))


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeLayer:
    """A layer that was planned, finished; the dependencies may have become several.

    Attributes:
        name: the plan's.
        layer: what it became.
        holds: the distributions in it, for the image's history.
    """

    name: str
    layer: Layer
    holds: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """An image to be made.

    Attributes:
        base: name and digest of the base.
        target: what it will run on.
        layers: on top of the base's, from the bottom.
        codec: how layers are compressed.
        run: the config's ``config`` member, complete.
        created: RFC 3339.
        annotations: of the manifest; the config's labels hold them too.
        names: what the image will be called.
        cautions: what of the base is left out, and could be missed.
    """

    base: Mapping[str, str]
    target: Target
    layers: tuple[LayerPlan, ...]
    codec: Codec
    run: Mapping[str, Any]
    created: str
    annotations: Mapping[str, str]
    names: tuple[Reference, ...]
    cautions: tuple[str, ...] = ()

    @property
    def key(self) -> Digest:
        """The build key: the same for the same inputs, as far as those of the layers are."""
        members = self.to_json() | {"base": self.base["digest"]}
        del members["names"]
        return Digest.of(canonical_json(members))

    def layer(self, name: str) -> LayerPlan:
        """The layer of that name; there is one."""
        return next(layer for layer in self.layers if layer.name == name)

    def names_of(self, count: int) -> list[str]:
        """What that many made layers are called, from the bottom: dependencies may be several."""
        more = count - len(self.layers)
        times = {DEPENDENCIES: 1 + more}
        return [layer.name for layer in self.layers for _ in range(times.get(layer.name, 1))]

    def to_json(self) -> dict[str, Any]:
        """The plan as the dry run prints it."""
        return {
            "base": dict(self.base),
            "platform": str(self.target.platform),
            "python": self.target.python.minor,
            "libc": str(self.target.libc),
            "layers": [
                {"name": layer.name, "key": str(layer.key), "inputs": dict(layer.inputs)}
                for layer in self.layers
            ],
            "config": dict(self.run),
            "created": self.created,
            "annotations": dict(self.annotations),
            "names": [name.local for name in self.names],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What is known of an application before anything is installed."""

    pyproject: Pyproject
    settings: Settings
    lock: Lock
    source: Source
    revision: Revision
    image_lock: ImageLock | None = None


def make_plan(
    app: Application,
    base: Base,
    target: Target,
    source_digest: Digest,
    packages: Sequence[Pin] = (),
) -> BuildPlan:
    """Settings, lock and facts of the base become a plan.

    Args:
        app: the application.
        base: its base image.
        target: what the base is for.
        source_digest: of everything the project itself contributes.
        packages: of the system layer.

    Raises:
        SettingsError: the image would have nothing to run.
        ReferenceFormatError: a tag is not a reference.
    """
    settings = app.settings
    annotations = _annotations(app, base)
    names = settings.tags or (f"localhost/{app.pyproject.name}:latest",)
    return BuildPlan(
        base={"name": base.name, "digest": str(base.digest)},
        target=target,
        layers=_layers(app, base, target, source_digest, packages),
        codec=settings.compression,
        run=_run_config(app, base, annotations),
        created=app.revision.created,
        annotations=annotations,
        names=tuple(Reference.parse(name) for name in names),
        cautions=_cautions(base),
    )


def _cautions(base: Base) -> tuple[str, ...]:
    waiting = base.image.config.value.run.get("OnBuild") or ()
    if not waiting:
        return ()
    steps = "; ".join(map(str, waiting))
    return (f"the base's ONBUILD instructions are not executed: {steps}",)


def _layers(
    app: Application,
    base: Base,
    target: Target,
    source_digest: Digest,
    packages: Sequence[Pin],
) -> tuple[LayerPlan, ...]:
    settings = app.settings
    system = _system(settings, base, packages)
    account = {"user": settings.user.name, "owner": str(settings.user.owner)}
    # A layer repeats the directories that lead to its files, so what is below it counts.
    place = {
        "base": str(base.digest),
        **{layer.name: str(layer.key) for layer in system},
        "workdir": settings.workdir,
        "owner": str(settings.user.owner),
        "codec": settings.compression.identity,
        "format": FORMAT,
    }
    fit = {
        "python": target.python.minor,
        "interpreter": target.python.path,
        "platform": str(target.platform),
        "libc": str(target.libc),
        "uv": uv_version(),
        "tool.uv": str(_uv_table(app)),
    }
    chosen = {"extras": list(settings.extras), "groups": list(settings.groups)}
    third_party: dict[str, Any] = {"lock": str(app.lock.third_party)}
    # The time of a commit reaches what is built. Dependencies that are all wheels outlive commits.
    built = {"created": app.revision.created}
    if app.lock.without_wheels:
        third_party |= built
    spread = {"layers": _choice_json(settings)}
    taken = {
        "source": str(source_digest),
        "parts": list(app.source.parts),
        "include": [_include_json(include) for include in settings.include],
    }
    return (
        *system,
        LayerPlan(name=ACCOUNT, inputs={**place, **account}),
        LayerPlan(name=DEPENDENCIES, inputs={**place, **fit, **chosen, **third_party, **spread}),
        LayerPlan(name=PROJECT, inputs={**place, **fit, **chosen, **taken, **built}),
    )


def _system(settings: Settings, base: Base, packages: Sequence[Pin]) -> tuple[LayerPlan, ...]:
    """The layer of Debian packages; none when the base has all that was asked for."""
    if not packages:
        return ()
    inputs = {
        "base": str(base.digest),
        "packages": sorted(f"{pin} {pin.digest}" for pin in packages),
        "requested": sorted(settings.apt),
        "documentation": settings.apt_docs,
        "composition": debian.FORMAT,
        "codec": settings.compression.identity,
        "format": FORMAT,
    }
    return (LayerPlan(name=SYSTEM, inputs=inputs),)


def _uv_table(app: Application) -> Digest:
    """What pyproject tells uv beside the lock: default groups, what is built and with what."""
    table = app.pyproject.tool.get("uv", {})
    told = {key: value for key, value in table.items() if key not in _NOT_INSTALLED}
    # TOML has dates, JSON has none.
    return Digest.of(json.dumps(told, sort_keys=True, default=str).encode())


def _choice_json(settings: Settings) -> str | list[list[str]]:
    choice = settings.layers
    return str(choice) if isinstance(choice, str) else [list(names) for names in choice]


def _include_json(include: Include) -> dict[str, Any]:
    return {
        "source": include.source,
        "destination": include.destination,
        "mode": None if include.mode is None else f"{include.mode:04o}",
        "owner": None if include.owner is None else str(include.owner),
    }


def _run_config(app: Application, base: Base, labels: Mapping[str, str]) -> dict[str, Any]:
    """The base's ``config`` member with the settings laid over it, as a Dockerfile would."""
    settings, inherited = app.settings, base.image.config.value
    run = {key: value for key, value in inherited.run.items() if key not in _OF_A_CONTAINER}
    run["User"] = str(settings.user.owner)
    run["WorkingDir"] = settings.workdir
    run["Env"] = [f"{name}={value}" for name, value in _env(app, inherited.env).items()]
    run["ExposedPorts"] = {**(run.get("ExposedPorts") or {}), **{p: {} for p in settings.ports}}
    if settings.entrypoint is not None:
        # As with ENTRYPOINT in a Dockerfile, the base's Cmd meant the base's Entrypoint.
        run["Entrypoint"] = list(settings.entrypoint)
        run.pop("Cmd", None)
    if settings.command is not None:
        run["Cmd"] = list(settings.command)
    if not settings.command and not settings.entrypoint:
        raise SettingsError(
            f"{app.pyproject.path}: nothing says what the image runs",
            hint='add [tool.builder] with app = "package.module:app", or cmd = ["..."]',
        )
    # What the base says of itself (its title, its source) is not true of this image.
    own = {k: v for k, v in inherited.labels.items() if not k.startswith(_OWN_PREFIX)}
    run["Labels"] = {**own, **labels, **settings.labels}
    return run


def _env(app: Application, inherited: Mapping[str, str]) -> dict[str, str]:
    settings = app.settings
    path = inherited.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    env = {
        **inherited,
        "PATH": f"{settings.venv}/bin:{path}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if not app.pyproject.is_package and "src" in app.source.parts:
        # Nothing installs such a project into the venv; its packages are found where they lie.
        env["PYTHONPATH"] = f"{settings.workdir}/src"
    return {**env, **settings.env}


def _annotations(app: Application, base: Base) -> dict[str, str]:
    """The keys that the specification defines.

    https://github.com/opencontainers/image-spec/blob/main/annotations.md
    """
    metadata = app.pyproject.metadata
    urls = {key.lower(): str(url) for key, url in metadata.get("urls", {}).items()}
    licence = metadata.get("license")
    known = {
        "title": app.pyproject.name,
        "description": metadata.get("description"),
        "version": app.pyproject.version,
        "licenses": licence if isinstance(licence, str) else None,
        "source": urls.get("source") or urls.get("repository"),
        "revision": app.revision.commit,
        "created": app.revision.created,
        "base.name": base.name if base.is_published else None,
        "base.digest": str(base.digest),
    }
    own = {f"{_OWN_PREFIX}{key}": value for key, value in known.items() if value}
    # A label of the user's that has such a name is about the image as much as ours are.
    return own | {k: v for k, v in app.settings.labels.items() if k.startswith(_OWN_PREFIX)}
