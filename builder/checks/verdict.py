"""What is made of findings: what refuses an image, what is told, what somebody accepted."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from builder.checks.finding import Finding, Severity
from builder.errors import CheckError
from builder.events import Caution
from builder.settings import ALL_CHECKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from builder.settings import Acceptance, ChecksSettings

_PATHS_SHOWN = 3
_DIGEST_SHOWN = len("sha256:") + 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A finding that the settings accept, and why."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Findings, each once, sorted by check and place.

    Attributes:
        errors: because of them there is no image.
        warnings: they are told.
        accepted: the settings say why they may be.
        unused: what the settings accept and nothing found.
    """

    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    unused: tuple[Acceptance, ...] = ()


def judge(findings: Iterable[Finding], checks: ChecksSettings) -> Verdict:
    """Divide findings as the settings say.

    The first acceptance that fits a finding counts; one that fits only findings which an earlier
    one took is used all the same.
    """
    ordered = sorted(dict.fromkeys(findings), key=_place)
    fitting = {finding: [a for a in checks.accept if _fits(a, finding)] for finding in ordered}
    used = {acceptance for found in fitting.values() for acceptance in found}
    rest = [
        replace(finding, severity=_severity(finding, checks))
        for finding, found in fitting.items()
        if not found
    ]
    return Verdict(
        errors=tuple(finding for finding in rest if finding.severity is Severity.ERROR),
        warnings=tuple(finding for finding in rest if finding.severity is Severity.WARNING),
        accepted=tuple(
            Accepted(finding=finding, reason=found[0].reason)
            for finding, found in fitting.items()
            if found
        ),
        unused=tuple(acceptance for acceptance in checks.accept if acceptance not in used),
    )


def unused_in_all(verdicts: Sequence[Verdict]) -> tuple[Acceptance, ...]:
    """What the settings accept and no image of several needs."""
    first = verdicts[0].unused if verdicts else ()
    return tuple(a for a in first if all(a in verdict.unused for verdict in verdicts))


def refuse(verdict: Verdict, what: str = "the image") -> None:
    """Make sure that no error was found.

    Args:
        verdict: on an image.
        what: the image, as the message calls it.

    Raises:
        CheckError: the message lists all errors, and the hint says how one is accepted.
    """
    if not verdict.errors:
        return
    told = tell(verdict.errors)
    count = "one thing is wrong" if len(told) == 1 else f"{len(told)} things are wrong"
    lines = "".join(f"\n{text}" for text in told).replace("\n", "\n  ")
    raise CheckError(
        f"{what} is not made: {count} with it{lines}",
        hint=f"what is right all the same is accepted in [tool.builder.checks]: "
        f"accept = [{acceptance_of(verdict.errors[0])}]",
    )


def tell(findings: Iterable[Finding]) -> list[str]:
    """Findings in words, as ``describe``; those that differ in nothing but the path are one."""
    return [_with_fix(finding, paths) for finding, paths in _together(findings)]


def tell_accepted(verdict: Verdict) -> list[str]:
    """What the settings accept of what was found, and why."""
    return [
        f"accepted: {_worded(each.finding, [each.finding.path])}\n  reason: {_plain(each.reason)}"
        for each in verdict.accepted
    ]


def counted(verdict: Verdict) -> str:
    """How many findings of each kind there are, in words."""
    counts = {
        "error": len(verdict.errors),
        "warning": len(verdict.warnings),
        "accepted": len(verdict.accepted),
    }
    words = [
        f"{count} {name}{'s' if count != 1 and name != 'accepted' else ''}"
        for name, count in counts.items()
        if count
    ]
    return ", ".join(words) or "nothing found"


def cautions(findings: Iterable[Finding]) -> list[Caution]:
    """Findings as what a build tells of while it goes on, together as ``tell`` has them."""
    return [
        Caution(_worded(finding, paths), _plain(finding.fix) or None)
        for finding, paths in _together(findings)
    ]


def describe(finding: Finding) -> str:
    """A finding in words: what it is and where, and on a second line what to do about it."""
    return _with_fix(finding, [finding.path])


def acceptance_of(finding: Finding) -> str:
    """The inline table of TOML that accepts a finding; the reason is for the user to write."""
    members = {"check": finding.check}
    if finding.distribution:
        members["distribution"] = finding.distribution.partition(" ")[0]
    elif finding.path:
        # A name may hold what a glob means otherwise.
        members["path"] = re.sub(r"[\[*?]", r"[\g<0>]", finding.path)
    members["reason"] = "..."
    # JSON leaves DEL as it is, TOML does not.
    written = {
        key: json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
        for key, text in members.items()
    }
    return f"{{ {', '.join(f'{key} = {text}' for key, text in written.items())} }}"


def describe_unused(acceptance: Acceptance) -> str:
    """An acceptance that nothing needs, in words."""
    of = ", ".join(filter(None, (acceptance.path, acceptance.distribution)))
    return f"nothing is found any more that is accepted as {acceptance.check}{of and f' of {of}'}"


def finding_to_json(finding: Finding) -> dict[str, str | None]:
    """A finding for scripts; what it is not about is null."""
    return {
        "check": finding.check,
        "severity": finding.severity.value,
        "message": finding.message,
        "fix": finding.fix,
        "path": finding.path or None,
        "distribution": finding.distribution or None,
        "layer": finding.layer or None,
    }


def verdict_to_json(verdict: Verdict) -> dict[str, list[dict[str, str | None]]]:
    """A verdict for scripts: lists of findings; accepted ones have a ``reason``."""
    return {
        "errors": list(map(finding_to_json, verdict.errors)),
        "warnings": list(map(finding_to_json, verdict.warnings)),
        "accepted": [
            {**finding_to_json(accepted.finding), "reason": accepted.reason}
            for accepted in verdict.accepted
        ],
    }


def _place(finding: Finding) -> tuple[str, ...]:
    return (finding.check, finding.distribution, finding.path, finding.layer, finding.message)


def _fits(acceptance: Acceptance, finding: Finding) -> bool:
    if acceptance.check != finding.check:
        return False
    if acceptance.path and not fnmatchcase(finding.path, acceptance.path):
        return False
    name = re.sub(r"[-_.]+", "-", finding.distribution.partition(" ")[0]).lower()
    return acceptance.distribution in {"", name}


def _severity(finding: Finding, checks: ChecksSettings) -> Severity:
    """As the settings have it; what names the check counts before what means all of them."""
    for name in (finding.check, ALL_CHECKS):
        if name in checks.warn:
            return Severity.WARNING
        if name in checks.refuse:
            return Severity.ERROR
    return finding.severity


def _together(findings: Iterable[Finding]) -> Iterable[tuple[Finding, list[str]]]:
    found: dict[Finding, list[str]] = {}
    for finding in findings:
        found.setdefault(replace(finding, path=""), []).append(finding.path)
    return found.items()


def _with_fix(finding: Finding, paths: Sequence[str]) -> str:
    told = _worded(finding, paths)
    return f"{told}\n  fix: {_plain(finding.fix)}" if finding.fix else told


def _worded(finding: Finding, paths: Sequence[str]) -> str:
    where = " ".join(filter(None, (_shown_paths(paths), _shown_origin(finding))))
    return _plain(": ".join(filter(None, (finding.check, where, finding.message))))


def _plain(text: str) -> str:
    """Names come from anybody: none of them moves the cursor, or writes a line of its own."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _shown_paths(paths: Sequence[str]) -> str:
    shown = ", ".join(path for path in paths[:_PATHS_SHOWN] if path)
    more = len(paths) - _PATHS_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _shown_origin(finding: Finding) -> str:
    layer = finding.layer[:_DIGEST_SHOWN] if ":" in finding.layer else finding.layer
    of = ", ".join(filter(None, (finding.distribution, layer and f"layer {layer}")))
    return f"({of})" if of else ""
