"""Which distributions cannot be had for a target, all of them in one error.

uv stops at the first that it cannot install. It is asked again without that one, until it would
install the rest. What it would build is then built, each alone: for another platform only what
holds no compiled code will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from builder.errors import InstallError
from builder.project.local_builds import native_builds
from builder.project.offers import Offer
from builder.project.uv import python_platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from builder.project.lock import Lock
    from builder.project.uv import Uv
    from builder.target import Target

_FOREIGN = "is not compatible with the target"
_NO_BUILD = "--no-build"
_TOLD = {
    _NO_BUILD: "uv is told not to build it",
    "--no-binary": "uv is told to take no wheel of it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A distribution that cannot be had.

    Attributes:
        name: as the lock has it.
        version: empty when the lock has none.
        reason: why what the lock offers does not do, in few words; empty when none of it fits.
        last_words: of uv, when a build failed.
    """

    name: str
    version: str
    reason: str = ""
    last_words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Asks uv what cannot be had.

    Attributes:
        uv: for the project.
        lock: says what there is.
        target: what it is wanted for.
        venv: where an environment may be made and changed; nobody else uses it.
        environ: for builds.
        is_foreign: whether what is compiled here does not run there.
    """

    uv: Uv
    lock: Lock
    target: Target
    venv: Path
    environ: Mapping[str, str]
    is_foreign: bool

    def error(self, seen: Mapping[str, str]) -> InstallError | None:
        """What to tell the user; None when uv's own words say as much.

        Args:
            seen: of what is installed for another platform already, and holds compiled code, what
                shows it, by name.

        Raises:
            InstallError: uv could not make an environment.
        """
        found = self._refusals()
        there = {refusal.name for refusal in found}
        found += [_seen(name, seen[name], self.lock) for name in seen if name not in there]
        found.sort(key=lambda refusal: refusal.name)
        return self._error(found) if found else None

    def _refusals(self) -> list[Refusal]:
        absent = self.uv.refused(self.venv, (), self.target)
        found = [_refusal(name, version, words) for name, (version, words) in absent.items()]
        if self.is_foreign:
            wanted = self.uv.foresee(self.venv, _without(absent), self.target) or {}
            if not self.venv.exists():
                self.uv.make_venv(self.venv)
            built = (
                self._built(name, wanted[name] or _version(name, self.lock))
                for name in self._to_build(absent, wanted)
            )
            found += filter(None, built)
        return found

    def _to_build(self, absent: Mapping[str, object], wanted: Mapping[str, str]) -> list[str]:
        """What uv would build; the project and its workspace it builds whatever it is told."""
        flags = (_NO_BUILD, *_without(absent))
        refused = self.uv.refused(self.venv, flags, self.target)
        local = {
            name
            for entry in self.lock.packages
            if "editable" in entry["source"] or "directory" in entry["source"]
            if (name := entry["name"]) in wanted
        }
        return sorted({*refused, *local} & wanted.keys())

    def _built(self, name: str, version: str) -> Refusal | None:
        only = (f"--only-install-package={name}",)
        done = self.uv.try_sync(self.venv, only, self.target, self.environ)
        if done.code and _FOREIGN in done.stderr:
            return Refusal(name=name, version=version, reason="its build is for this machine")
        if done.code:
            words = done.last_words
            return Refusal(name=name, version=version, reason="its build fails", last_words=words)
        evidence = native_builds(self.venv, {canonicalize_name(name)})
        return next(
            (Refusal(name=name, version=version, reason=why) for why in evidence.values()), None
        )

    def _error(self, refusals: Sequence[Refusal]) -> InstallError:
        lock, target = self.lock, self.target
        offers = {refusal.name: _offer(refusal, lock) for refusal in refusals}
        lines = [_line(refusal, offers[refusal.name].words(target)) for refusal in refusals]
        words = [f"{r.name}: uv says:\n{r.last_words}" for r in refusals if r.last_words]
        count = f"{len(refusals)} distribution{'s' if len(refusals) > 1 else ''}"
        where = f"{target.platform} ({python_platform(target)}, Python {target.python.minor})"
        summary = f"{count} of {lock.path.name} cannot be had for {where}:"
        hint = _hint(offers, target, is_foreign=self.is_foreign)
        return InstallError("\n".join([summary, *lines, *words]), hint=hint)


def _without(names: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(f"--no-install-package={name}" for name in names)


def _refusal(name: str, version: str, words: str) -> Refusal:
    told = [reason for flag, reason in _TOLD.items() if flag in words]
    return Refusal(name=name, version=version, reason=", ".join(told))


def _seen(name: str, evidence: str, lock: Lock) -> Refusal:
    return Refusal(name=name, version=_version(name, lock), reason=evidence)


def _version(name: str, lock: Lock) -> str:
    versions = (str(entry.get("version", "")) for entry in lock.packages if entry["name"] == name)
    return next(versions, "")


def _line(refusal: Refusal, offered: str) -> str:
    name = f"{refusal.name} {refusal.version}".rstrip()
    return f"  {name}: " + "; ".join(filter(None, [f"the lock offers {offered}", refusal.reason]))


def _offer(refusal: Refusal, lock: Lock) -> Offer:
    return Offer.of(
        entry
        for entry in lock.packages
        if entry["name"] == refusal.name and entry.get("version", "") in {refusal.version, ""}
    )


def _hint(offers: Mapping[str, Offer], target: Target, *, is_foreign: bool) -> str:
    bases: dict[str, list[str]] = {}
    for name, offer in offers.items():
        if base := offer.helps(target):
            bases.setdefault(base, []).append(name)
    ways = [f"{base} (for {', '.join(names)})" for base, names in bases.items()]
    ways.append("a version, or an index, with wheels that fit")
    if is_foreign:
        ways.append(
            f"wheels that were built on a {target.platform} machine, in a directory that "
            "tool.uv.find-links names"
        )
        ways.append(f"an image without {target.platform}")
    return f"what helps: {'; '.join(ways)}"
