"""From a staged environment to the layers of its distributions."""

import os
import posixpath
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder.checks.inspect import inspect
from builder.checks.subject import Inspected, Origin
from builder.contents import Contents
from builder.dependencies.distribution import Distribution
from builder.dependencies.environment import Environment, read_environment
from builder.dependencies.grouping import Group, grouped
from builder.dependencies.locked import keep_locked
from builder.dependencies.segments import Packed, Packer, chunks
from builder.events import EventSink, Notice, span
from builder.oci.document import canonical_json
from builder.parallel import cores, in_parallel
from builder.plan import DEPENDENCIES, MadeLayer
from builder.project.install import not_as_published
from builder.project.relocate import relocated, skeleton
from builder.rootfs.settle import settle
from builder.settings import LayerPolicy
from builder.store.packing import find_layer, keep_layer, pack_layer
from layers.digest import Digest, HashingWriter
from layers.entries import DirEntry, Entry, image_path, parents
from layers.layer import FORMAT, Layer
from layers.tar import complete, write_tar


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What layers are wanted.

    Attributes:
        choice: the setting ``layers``.
        known: the directories of the layers below, by path.
        mend: installs distributions once more; it gets names, with a changed file of each.
        finished: told of every layer as soon as it is in the store, from any thread.
        locked: what distributions may be kept under, to be known by the lock alone, by name.
    """

    choice: LayerPolicy | tuple[tuple[str, ...], ...]
    known: Mapping[str, DirEntry]
    mend: Callable[[Mapping[str, str]], None]
    finished: Callable[[Layer], None]
    locked: Mapping[str, str]


def make_layers(packer: Packer, environment: Environment, order: Order) -> Contents:
    """Pack what was never packed before, and join everything into layers.

    Layers are joined as soon as all of their distributions are packed, while others are still
    under way; what they are made of and their order rest on the distributions alone.

    Args:
        packer: packs.
        environment: the distributions.
        order: what is wanted of them.

    Raises:
        InstallError: a distribution names the staging path, or the compiler failed.
        ContentError: a file cannot go into an image.
        StoreError: the store cannot be written.
    """
    _tell_absent(environment, order, packer.events)
    with span(packer.events, f"compare {len(environment.installed)} distributions with RECORD"):
        changed = liars = _changed(packer, environment)
    if changed:
        order.mend(changed)
        environment = read_environment(packer, environment.staged, environment.known)
        if liars := _changed(packer, environment):
            packer.events(not_as_published(liars))
            # What was packed under the same RECORD holds other files.
            honest = {name: p for name, p in environment.found.items() if name not in liars}
            environment = replace(environment, found=honest)
    work = _Work(packer, order, environment, liars)
    in_parallel(work.do, work.tasks(), stop=work.stop, workers=cores())
    if not liars and not environment.rest:
        for distribution in environment.installed:
            if distribution.name in order.locked and not distribution.lost:
                key = packer.key(distribution)
                keep_locked(order.locked[distribution.name], key, packer.store)
    return work.result()


def _tell_absent(environment: Environment, order: Order, events: EventSink) -> None:
    """A name that nothing is installed of may be of another platform, or misspelt."""
    named = order.choice if isinstance(order.choice, tuple) else ()
    there = {member.name for member in environment.members}
    if absent := [name for names in named for name in names if name not in there]:
        events(Notice(f"the setting layers names what is not installed: {', '.join(absent)}"))


def _changed(packer: Packer, environment: Environment) -> dict[str, str]:
    """Names of distributions that are not as RECORD says, with a path below ``site-packages``.

    Of two wheels with the same RECORD, as there may be for two platforms, one may lie.
    """
    installed = environment.installed
    stop = threading.Event()
    paths = in_parallel(Distribution.first_change, installed, stop=stop, workers=cores())
    site = image_path(packer.place.site_packages)
    return {
        distribution.name: posixpath.relpath(path, site)
        for distribution, path in zip(installed, paths, strict=True)
        if path is not None
    }


_Task = list[Distribution] | int
"""Distributions to pack together, or the number of a group to join."""


class _Work:
    """Packing and joining, divided into tasks that threads take."""

    def __init__(
        self, packer: Packer, order: Order, environment: Environment, liars: Collection[str]
    ) -> None:
        self.stop = threading.Event()
        self._packer = packer
        self._order = order
        self._environment = environment
        self._liars = liars
        self._groups = grouped(environment.members, order.choice)
        self._packed = dict(environment.packed)
        self._layers: dict[int, Layer] = {}
        self._lock = threading.Lock()
        self._waiting = {
            number: {member.name for member in group.members} - self._packed.keys()
            for number, group in enumerate(self._groups)
        }

    def tasks(self) -> list[_Task]:
        """What has to be packed, and the groups of which nothing has."""
        honest = [d for d in self._environment.missing if not self._is_lying(d)]
        lying = [[d] for d in self._environment.missing if self._is_lying(d)]
        ready = [number for number, names in self._waiting.items() if not names]
        return [*lying, *chunks(honest), *ready]

    def do(self, task: _Task) -> None:
        """Pack, and join the groups that nothing is missing of any more."""
        if self.stop.is_set():
            return
        if isinstance(task, int):
            self._join(task)
            return
        honest = not any(map(self._is_lying, task))
        published = self._order.locked if honest else ()
        packed = self._packer.pack(task, self._environment.staged, keep=honest, published=published)
        for number in self._settle(packed):
            self._join(number)

    def result(self) -> Contents:
        """What came of it, once all tasks are done."""
        found = [self._packed[name] for name in sorted(self._packed)]
        return Contents(
            layers=tuple(
                MadeLayer(
                    name=DEPENDENCIES,
                    layer=self._layers[number],
                    holds=", ".join(map(str, group.members)),
                )
                for number, group in enumerate(self._groups)
            ),
            paths=tuple(path for packed in found for path in packed.paths),
            path_files={path: text for each in found for path, text in each.path_files.items()},
            not_python=tuple(path for packed in found for path in packed.not_python),
            inspected=(*(packed.inspected for packed in found), self._inspected_rest()),
            is_repeatable=not self._liars,
        )

    def _is_lying(self, distribution: Distribution) -> bool:
        return distribution.name in self._liars

    def _settle(self, made: Sequence[Packed]) -> list[int]:
        """Take note of what was packed; the groups that only waited for it."""
        names = {packed.name for packed in made}
        with self._lock:
            self._packed.update((packed.name, packed) for packed in made)
            touched = [n for n, waiting in self._waiting.items() if waiting & names]
            for number in touched:
                self._waiting[number] -= names
            return [number for number in touched if not self._waiting[number]]

    def _join(self, number: int) -> None:
        group, packer = self._groups[number], self._packer
        packed = [self._packed[member.name] for member in group.members]
        what = f"{len(packed)} distributions" if len(packed) != 1 else str(group.members[0])
        with span(packer.events, f"join {what}"):
            frame = complete(self._frame(group, packed), self._order.known)
            segments = [each.segment for each in packed]
            key = _layer_key(frame, packer, [str(segment.digest) for segment in segments])
            layer = find_layer(key, packer.store)
            if layer is None:
                known = self._order.known
                layer = pack_layer(
                    frame, known=known, codec=packer.codec, store=packer.store, segments=segments
                )
                keep_layer(key, layer, packer.store)
        self._layers[number] = layer
        self._order.finished(layer)

    def _frame(self, group: Group[Packed | Distribution], packed: Sequence[Packed]) -> list[Entry]:
        """What of a layer is no distribution's: directories, and the environment itself."""
        packer, place = self._packer, self._packer.place
        entries: list[Entry] = []
        if group.is_frame:
            entries = [*skeleton(place), *self._rest()]
        paths = {path for each in packed for path in each.paths} | {e.path for e in entries}
        venv = image_path(place.path)
        above = {path.rpartition("/")[0] for path in paths}
        directories = above | {parent for path in above for parent in parents(path)}
        inside = [d for d in directories if d == venv or d.startswith(f"{venv}/")]
        return settle(
            [*(DirEntry(path=path, owner=place.owner) for path in sorted(inside)), *entries],
            packer.base,
        )

    def _inspected_rest(self) -> Inspected:
        rest = settle(self._environment.rest, self._packer.base)
        return inspect(rest, origin=Origin.DISTRIBUTION, layer=DEPENDENCIES)

    def _rest(self) -> list[Entry]:
        """What no distribution owns, with its bytecode."""
        environment = self._environment
        rest = relocated(environment.rest, environment.staged, self._packer.place)
        return [*rest, *self._packer.compiler.bytecode(rest).files.values()]


def _layer_key(frame: Sequence[Entry], packer: Packer, segments: Sequence[str]) -> str:
    """What a joined layer's bytes depend on: its frame as a tar, and its segments."""
    with Path(os.devnull).open("wb") as nowhere:
        total = HashingWriter(nowhere)
        write_tar(frame, total)
    inputs = {
        "frame": total.hexdigest,
        "segments": list(segments),
        "codec": packer.codec.identity,
        "format": FORMAT,
    }
    return str(Digest.of(canonical_json(inputs)))
