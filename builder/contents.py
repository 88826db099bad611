"""What the planned layers hold: from staged environments to entries at their places."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from builder.base.base import Base
from builder.checks.application import check_application
from builder.plan import Application
from builder.project.compile import Compiler
from builder.project.install import Staged
from builder.project.relocate import VenvPlace, relocated, skeleton
from builder.rootfs.settle import settle
from builder.store.layout import Store
from builder.store.packing import pack_layer
from layers.accounts import account_entries
from layers.compress import Codec
from layers.entries import ROOT, DirEntry, Entry, image_path
from layers.layer import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Entries by the name of their layer, and what of the project is no Python."""

    layers: Mapping[str, list[Entry]]
    not_python: tuple[str, ...]

    def __len__(self) -> int:
        return sum(map(len, self.layers.values()))


def gather(
    app: Application, base: Base, place: VenvPlace, staged: Staged, compiler: Compiler
) -> Contents:
    """Relocate what was staged, compile it, and add what is not installed.

    Raises:
        InstallError: something installed names the place it was staged in.
        ContentError: a file cannot go into an image, or the base has the account's name or number.
        CheckError: what the image shall run is not in it.
    """
    third_party = relocated(staged.third_party, place)
    own = relocated(staged.own, place, own=True)
    source = replace(app.source, project=staged.project).entries(app.settings)
    # An installed project is imported from the venv; one that is not, from where it lies.
    compiled = compiler.bytecode(own if app.pyproject.is_package else [*own, *source])
    layers = {
        "account": _account(app, base),
        "dependencies": [*third_party, *skeleton(place), *compiler.bytecode(third_party).entries],
        "project": [*own, *source, *compiled.entries],
    }
    everything = [entry for entries in layers.values() for entry in entries]
    check_application(app.settings, everything, place.site_packages)
    return Contents(layers=layers, not_python=compiled.not_python)


def pack(contents: Contents, base: Base, codec: Codec, store: Store) -> dict[str, Layer]:
    """Layers in the order of the plan; each repeats the directories below it as they are there.

    Raises:
        ContentError: a file changed while it was read, or would replace a directory of the base.
        StoreError: the store cannot be written.
    """
    known = dict(base.files.directories)
    layers = {}
    for name, unsettled in contents.layers.items():
        entries = settle(unsettled, base.files)
        layers[name] = pack_layer(entries, known=known, codec=codec, store=store)
        known |= {entry.path: entry for entry in entries if isinstance(entry, DirEntry)}
    return layers


def _account(app: Application, base: Base) -> list[Entry]:
    settings = app.settings
    owner = settings.user.owner
    home = DirEntry(path=image_path(settings.workdir), owner=owner)
    if owner == ROOT:
        return [home]
    account = settings.user.account(settings.workdir)
    return [home, *account_entries(account, passwd=base.files.passwd, group=base.files.group)]
