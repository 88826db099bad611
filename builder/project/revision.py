"""When the application was made, and from what: the source of ``created`` and ``revision``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from builder.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from builder.process import CommandRunner

_EPOCH_VARIABLE = "SOURCE_DATE_EPOCH"

# A checkout may belong to another user (a container's volume), and the digest must not depend on
# who builds; so its configuration is not to be trusted, and nothing that it names may run. The
# commands here start no filters, and these choices take the rest away: monitors, hooks, the program
# that shows signatures, pagers, and what fetches an object that a partial clone lacks. A bare
# repository is no checkout.
_CHOICES = (
    "safe.directory=*",
    "safe.bareRepository=explicit",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "log.showSignature=false",
)
_ENVIRON: Mapping[str, str | None] = {
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
    # A git hook's variables are about the hook's repository.
    **dict.fromkeys(
        ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """Where the sources stand.

    Attributes:
        seconds: since 1970, of ``created``; never from the clock.
        commit: the id of git's HEAD; None outside of git. Whether files differ from it is not said:
            git would run the repository's own filters to know.
        origin: what ``seconds`` was taken from, for people.
    """

    seconds: int
    commit: str | None
    origin: str

    @property
    def created(self) -> str:
        """RFC 3339, as documents have it."""
        return datetime.fromtimestamp(self.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def find_revision(project: Path, *, environ: Mapping[str, str], run: CommandRunner) -> Revision:
    """``SOURCE_DATE_EPOCH``, else the time of git's HEAD, else the epoch.

    https://reproducible-builds.org/specs/source-date-epoch/

    Raises:
        SettingsError: ``SOURCE_DATE_EPOCH`` is not a number of seconds.
    """
    head, missing = None, ""
    # Without a repository git has nothing to say, so nobody need start it.
    if any(os.path.lexists(place / ".git") for place in (project, *project.parents)):
        try:
            head = _head(project, run)
        except FileNotFoundError:
            missing = "git is not installed"
    if chosen := environ.get(_EPOCH_VARIABLE):
        commit = head[0] if head else None
        origin = f"{_EPOCH_VARIABLE}; {missing}" if missing else _EPOCH_VARIABLE
        return Revision(seconds=_seconds(chosen), commit=commit, origin=origin)
    if head is None:
        origin = f"the epoch: {missing or 'no git commit here'}"
        return Revision(seconds=0, commit=None, origin=origin)
    return Revision(seconds=head[1], commit=head[0], origin="git HEAD")


def _seconds(text: str) -> int:
    # The upper bound is the last second of the year 9999, where RFC 3339 ends.
    if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) > 253_402_300_799:  # noqa: PLR2004
        raise SettingsError(
            f"environment variable {_EPOCH_VARIABLE}: got {text!r}; expected seconds since 1970"
        )
    return int(text)


def _head(project: Path, run: CommandRunner) -> tuple[str, int] | None:
    """The id and time of HEAD, when the project is in it and does not merely lie below it.

    Raises:
        FileNotFoundError: git is not installed.
    """
    # A dotfiles repository in a home, or a stray /tmp/.git, says nothing about the project: git
    # refuses to speak of a file that is not in the commit. One question starts git once.
    question = ("log", "-1", "--format=%H %ct", "HEAD", "HEAD:./pyproject.toml", "--")
    argv = ["git", *(part for choice in _CHOICES for part in ("-c", choice)), "-C", str(project)]
    done = run([*argv, *question], environ=_ENVIRON)
    commit, _, seconds = done.stdout.strip().partition(" ")
    return (commit, int(seconds)) if done.code == 0 and seconds else None
