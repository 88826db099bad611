"""What the planned layers hold, and how it is kept for builds to come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from builder.base.base import Base
from builder.checks.inspect import inspect, inspected_from_fact, inspected_to_fact
from builder.checks.subject import Inspected, Origin
from builder.errors import BuilderError
from builder.plan import ACCOUNT, PROJECT, Application, MadeLayer
from builder.project.compile import Compiler
from builder.project.recorded import by_distribution
from builder.project.relocate import VenvPlace, relocated, staged_entries
from builder.rootfs.settle import settle
from builder.store.layout import Store
from builder.store.packing import layer_of_fact, layer_to_fact, pack_layer
from layers.accounts import account_entries
from layers.entries import ROOT, DirEntry, Entry, FileEntry, image_path, parents

_CONTENTS = "contents"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Finished layers of one kind, and what is asked about the files in them.

    Attributes:
        layers: from the bottom.
        paths: of the files, where they were installed.
        path_files: contents of the ``.pth`` files in ``site-packages``, by path.
        not_python: absolute in-image paths of ``.py`` files that are no Python.
        inspected: what checks have to know of the files.
        is_repeatable: whether the same inputs give the same again, so that it may be kept.
    """

    layers: tuple[MadeLayer, ...]
    paths: tuple[str, ...] = ()
    path_files: Mapping[str, str] = field(default_factory=dict)
    not_python: tuple[str, ...] = ()
    inspected: tuple[Inspected, ...] = ()
    is_repeatable: bool = True

    @property
    def entries(self) -> list[str | Entry]:
        """The files as checks ask for them: those that say something with what they say."""
        named = (path for path in self.paths if path not in self.path_files)
        files = (FileEntry.of(path, text.encode()) for path, text in self.path_files.items())
        return [*named, *files]


def find_contents(key: str, store: Store) -> Contents | None:
    """What was kept under a key, if all of its layers are still in the store."""
    fact = store.fact(_CONTENTS, key)
    try:
        return _from_fact(fact, store) if fact else None
    except (BuilderError, LookupError, TypeError, ValueError, AttributeError):
        # Damaged, or of another version of this program: it is made again.
        return None


def keep_contents(key: str, contents: Contents, store: Store) -> None:
    """Let contents be found by a key.

    Raises:
        StoreError: the store cannot be written.
    """
    layers = [
        {"name": made.name, "holds": made.holds, **layer_to_fact(made.layer)}
        for made in contents.layers
    ]
    fact: dict[str, object] = {
        "layers": layers,
        "paths": list(contents.paths),
        "path_files": dict(contents.path_files),
        "not_python": list(contents.not_python),
        "inspected": list(map(inspected_to_fact, contents.inspected)),
    }
    store.remember(_CONTENTS, key, fact)


def _from_fact(fact: Mapping[str, Any], store: Store) -> Contents | None:
    layers = []
    for kept in fact["layers"]:
        layer = layer_of_fact(kept, store)
        if layer is None:
            return None
        layers.append(MadeLayer(name=kept["name"], layer=layer, holds=kept["holds"]))
    return Contents(
        layers=tuple(layers),
        paths=tuple(map(str, fact["paths"])),
        path_files=dict(fact["path_files"]),
        not_python=tuple(map(str, fact["not_python"])),
        inspected=tuple(map(inspected_from_fact, fact["inspected"])),
    )


def ground(app: Application, base: Base, place: VenvPlace) -> dict[str, DirEntry]:
    """The directories that the layers of dependencies and project stand on, by path.

    Those of the base as they are there, the application's own, and the environment's.
    """
    owner = app.settings.user.owner
    site = image_path(place.site_packages)
    environment = [image_path(place.path), f"{image_path(place.path)}/bin", *parents(site), site]
    home = image_path(app.settings.workdir)
    inside = dict.fromkeys([home, *(path for path in environment if path.startswith(f"{home}/"))])
    added = settle([DirEntry(path=path, owner=owner) for path in inside], base.files)
    ours = {entry.path: entry for entry in added if isinstance(entry, DirEntry)}
    return {**base.files.directories, **ours}


def account_layer(app: Application, base: Base, store: Store) -> Contents:
    """The application's directory, and the account it runs as.

    Raises:
        ContentError: the base has the account's name or number.
        StoreError: the store cannot be written.
    """
    settings = app.settings
    owner = settings.user.owner
    entries: list[Entry] = [DirEntry(path=image_path(settings.workdir), owner=owner)]
    if owner != ROOT:
        entries += account_entries(
            settings.user.account(settings.workdir),
            passwd=base.files.passwd,
            group=base.files.group,
        )
    layer = pack_layer(
        settle(entries, base.files),
        known=base.files.directories,
        codec=settings.compression,
        store=store,
    )
    return Contents(layers=(MadeLayer(name=ACCOUNT, layer=layer),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What the project itself brings: its environment, and the private copy of its directory."""

    venv: Path
    project: Path


def project_layer(  # noqa: PLR0913 - what a layer is made from
    app: Application,
    base: Base,
    place: VenvPlace,
    own: Own,
    *,
    compiler: Compiler,
    store: Store,
) -> Contents:
    """The project's own distributions, its source, and their bytecode.

    Raises:
        InstallError: something installed names the place it was staged in.
        ContentError: a file cannot go into an image.
        StoreError: the store cannot be written.
    """
    installed = relocated(staged_entries(own.venv, place), own.venv, place, own=True)
    source = replace(app.source, project=own.project).entries(app.settings)
    # An installed project is imported from the venv; one that is not, from where it lies.
    compiled = compiler.bytecode(installed if app.pyproject.is_package else [*installed, *source])
    entries = [*installed, *source, *compiled.entries]
    layer = pack_layer(
        settle(entries, base.files),
        known=ground(app, base, place),
        codec=app.settings.compression,
        store=store,
    )
    return Contents(
        layers=(MadeLayer(name=PROJECT, layer=layer),),
        paths=tuple(entry.path for entry in entries if not isinstance(entry, DirEntry)),
        path_files=path_files(installed, place),
        not_python=compiled.not_python,
        inspected=(
            inspect(settle(source, base.files), origin=Origin.PROJECT, layer=PROJECT),
            *(
                inspect(
                    settle(own_files, base.files),
                    origin=Origin.PROJECT,
                    layer=PROJECT,
                    distribution=distribution,
                )
                for distribution, own_files in by_distribution(installed).items()
            ),
        ),
    )


def path_files(entries: Sequence[Entry], place: VenvPlace) -> dict[str, str]:
    """What the ``.pth`` files among entries say that Python reads, by path.

    https://docs.python.org/3/library/site.html
    """
    site = image_path(place.site_packages)
    found = {}
    for entry in entries:
        directory, _, name = entry.path.rpartition("/")
        if isinstance(entry, FileEntry) and directory == site and name.endswith(".pth"):
            with entry.content.open() as stream:
                found[entry.path] = stream.read().decode("utf-8", "replace")
    return found
