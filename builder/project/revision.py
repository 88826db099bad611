"""When the application was made, and from what: the source of ``created`` and ``revision``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from builder.errors import SettingsError
from builder.process import CommandRunner

_EPOCH_VARIABLE = "SOURCE_DATE_EPOCH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """Where the sources stand.

    Attributes:
        seconds: since 1970, of ``created``; never from the clock.
        commit: the commit's id, with ``-dirty`` when tracked files differ; None outside of git.
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
    commit, commit_seconds = _git(project, run)
    if chosen := environ.get(_EPOCH_VARIABLE):
        return Revision(seconds=_seconds(chosen), commit=commit, origin=_EPOCH_VARIABLE)
    if commit_seconds is not None:
        return Revision(seconds=commit_seconds, commit=commit, origin="git HEAD")
    return Revision(seconds=0, commit=None, origin="the epoch: no git commit here")


def _seconds(text: str) -> int:
    # The upper bound is the last second of the year 9999, where RFC 3339 ends.
    if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) > 253_402_300_799:  # noqa: PLR2004
        raise SettingsError(
            f"environment variable {_EPOCH_VARIABLE}: got {text!r}; expected seconds since 1970"
        )
    return int(text)


def _git(project: Path, run: CommandRunner) -> tuple[str | None, int | None]:
    head = _ask_git(project, run, "log", "-1", "--format=%H %ct")
    if not head:
        return None, None
    commit, _, seconds = head.partition(" ")
    changed = _ask_git(project, run, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{commit}-dirty" if changed else commit, int(seconds)


def _ask_git(project: Path, run: CommandRunner, *arguments: str) -> str | None:
    # A checkout may belong to another user (a container's volume); reading it is harmless, and
    # the digest must not depend on who builds. Optional locks would write into the project.
    # Signatures would be shown among the answers.
    choices = ("safe.directory=*", "core.fsmonitor=false", "log.showSignature=false")
    argv = ["git", *(part for choice in choices for part in ("-c", choice)), "-C", str(project)]
    # A git hook's variables are about the hook's repository.
    foreign = dict.fromkeys(("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"))
    environ = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **foreign}
    try:
        done = run([*argv, *arguments], environ=environ)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.code == 0 else None
