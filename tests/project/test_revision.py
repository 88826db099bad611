import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from builder.errors import SettingsError
from builder.process import Completed, run
from builder.project.revision import Revision, find_revision

MOMENT = 1_700_000_000
GIT = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
    "GIT_COMMITTER_DATE": f"{MOMENT} +0200",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}
NO_GIT = Revision(seconds=0, commit=None, origin="the epoch: no git commit here")


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-c", "safe.directory=*", "-C", str(directory), *arguments]
    done = subprocess.run(
        command, env={**os.environ, **GIT}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("no git on this machine")
    project = tmp_path / "repository" / "project"
    project.mkdir(parents=True)
    (project / "main.py").write_text("")
    (project / "pyproject.toml").write_text("")
    git(project.parent, "init", "--quiet")
    git(project.parent, "add", ".")
    git(project.parent, "commit", "--quiet", "--message", "first")
    return project


def revision_of(project: Path, **environ: str) -> Revision:
    return find_revision(project, environ=environ, run=run)


def test_the_time_and_id_of_git_s_head(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    found = revision_of(checkout)
    assert found == Revision(seconds=MOMENT, commit=commit, origin="git HEAD")
    assert found.created == "2023-11-14T22:13:20Z"


def test_source_date_epoch_wins_over_the_commit_s_time_and_keeps_its_id(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    found = revision_of(checkout, SOURCE_DATE_EPOCH="7")
    assert found == Revision(seconds=7, commit=commit, origin="SOURCE_DATE_EPOCH")
    assert found.created == "1970-01-01T00:00:07Z"


def test_an_empty_source_date_epoch_is_none(checkout: Path) -> None:
    assert revision_of(checkout, SOURCE_DATE_EPOCH="").seconds == MOMENT


def test_the_last_second_that_can_be_written(tmp_path: Path) -> None:
    found = revision_of(tmp_path, SOURCE_DATE_EPOCH="253402300799")
    assert found.created == "9999-12-31T23:59:59Z"


@pytest.mark.parametrize(
    "text", ["today", "-1", "1.5", " 1", "253402300800", "٣", "9" * 5000], ids=lambda t: t[:12]
)
def test_a_source_date_epoch_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        revision_of(tmp_path, SOURCE_DATE_EPOCH=text)
    assert caught.value.message == (
        f"environment variable SOURCE_DATE_EPOCH: got {text!r}; expected seconds since 1970"
    )


def test_changed_files_do_not_change_it(checkout: Path) -> None:
    before = revision_of(checkout)
    (checkout / "notes.txt").write_text("untracked")
    (checkout / "main.py").write_text("changed")
    (checkout / "pyproject.toml").write_text("changed")
    assert revision_of(checkout) == before


def test_a_repository_that_merely_lies_above_the_project_says_nothing(checkout: Path) -> None:
    other = checkout.parent / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text("")
    assert revision_of(other) == NO_GIT


@pytest.mark.parametrize("owner", [None, 12345])
def test_nothing_that_a_repository_names_is_run(
    owner: int | None, checkout: Path, tmp_path: Path
) -> None:
    if owner and os.getuid() != 0:
        pytest.skip("only root can give files away")
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho \"$0\" >>'{tmp_path}/ran'\nexit 1\n")
    script.chmod(0o755)
    hooks = checkout.parent / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "pre-commit"):
        shutil.copy(script, hooks / hook)
    (checkout.parent / ".gitattributes").write_text("* filter=evil diff=evil\n")
    for name in (
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.evil.command",
        "diff.external",
        "core.fsmonitor",
        "core.pager",
        "pager.log",
        "core.sshCommand",
        "gpg.program",
        "alias.log",
        "alias.ls-tree",
    ):
        git(checkout, "config", name, f"!{script}" if name.startswith("alias") else str(script))
    git(checkout, "config", "log.showSignature", "true")
    (checkout / "main.py").write_text("changed")
    if owner:
        for path in [checkout.parent, *checkout.parent.rglob("*")]:
            os.chown(path, owner, owner, follow_symlinks=False)
    assert revision_of(checkout).seconds == MOMENT
    assert not (tmp_path / "ran").exists()


def test_what_a_partial_clone_lacks_is_not_fetched(checkout: Path, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\nexit 1\n")
    script.chmod(0o755)
    tree = git(checkout, "rev-parse", "HEAD:project")
    (checkout.parent / ".git/objects" / tree[:2] / tree[2:]).unlink()
    for name, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": f"ext::{script}",
        "remote.origin.promisor": "true",
        "protocol.ext.allow": "always",
    }.items():
        git(checkout, "config", name, value)
    assert revision_of(checkout) == NO_GIT
    assert not (tmp_path / "ran").exists()


def test_without_git_it_is_the_epoch(tmp_path: Path) -> None:
    assert revision_of(tmp_path) == NO_GIT
    assert NO_GIT.created == "1970-01-01T00:00:00Z"


def test_a_repository_without_a_commit_is_as_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert revision_of(tmp_path) == NO_GIT


def test_without_the_program_git_it_is_the_epoch(tmp_path: Path) -> None:
    def missing(
        argv: Sequence[str],
        *,
        cwd: Path | None = None,  # noqa: ARG001
        environ: Mapping[str, str | None] | None = None,  # noqa: ARG001
        stdin: str = "",  # noqa: ARG001
    ) -> Completed:
        raise FileNotFoundError(2, "No such file or directory", argv[0])

    assert find_revision(tmp_path, environ={}, run=missing) == NO_GIT
    # Where it would have had something to say, that is worth a word.
    (tmp_path / ".git").mkdir()
    project = tmp_path / "project"
    project.mkdir()
    found = find_revision(project, environ={}, run=missing)
    assert found == Revision(seconds=0, commit=None, origin="the epoch: git is not installed")
    found = find_revision(project, environ={"SOURCE_DATE_EPOCH": "7"}, run=missing)
    assert found.origin == "SOURCE_DATE_EPOCH; git is not installed"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_checkout_of_another_user_is_read_all_the_same(checkout: Path) -> None:
    before = revision_of(checkout)
    for path in [checkout.parent, *checkout.parent.rglob("*")]:
        os.chown(path, 12345, 12345, follow_symlinks=False)
    assert before.commit
    assert revision_of(checkout) == before


def test_nothing_is_written_into_the_repository(checkout: Path) -> None:
    # A new time with the same bytes: git would refresh its index now, if it might.
    os.utime(checkout / "main.py", (MOMENT + 9, MOMENT + 9))
    database = checkout.parent / ".git"
    before = {path: path.stat().st_mtime_ns for path in [database, *database.rglob("*")]}
    assert revision_of(checkout).commit == git(checkout, "rev-parse", "HEAD")
    after = {path: path.stat().st_mtime_ns for path in [database, *database.rglob("*")]}
    assert after == before


def test_shown_signatures_are_no_part_of_the_answer(checkout: Path, tmp_path: Path) -> None:
    signer = tmp_path / "signer"
    signer.write_text(
        "#!/bin/sh\n"
        "case $* in *--verify*) echo '[GNUPG:] GOODSIG 1 me'; echo verified >&2; exit;; esac\n"
        "cat >/dev/null\n"
        "echo '[GNUPG:] SIG_CREATED ' >&2\n"
        "printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n-----END PGP SIGNATURE-----\\n'\n"
    )
    signer.chmod(0o755)
    git(checkout, "config", "gpg.program", str(signer))
    git(checkout, "config", "log.showSignature", "true")
    git(checkout, "commit", "--quiet", "--allow-empty", "--gpg-sign=me", "--message", "signed")
    assert "verified" in git(checkout, "log", "-1", "--format=%H")
    found = revision_of(checkout)
    assert found == Revision(
        seconds=MOMENT, commit=git(checkout, "rev-parse", "HEAD"), origin="git HEAD"
    )


def counted(project: Path, **environ: str) -> tuple[Revision, list[Sequence[str]]]:
    asked: list[Sequence[str]] = []

    def counting(argv: Sequence[str], **options: Any) -> Completed:
        asked.append(argv)
        return run(argv, **options)

    return find_revision(project, environ=environ, run=counting), asked


def test_git_is_started_once(checkout: Path) -> None:
    found, asked = counted(checkout)
    assert found.origin == "git HEAD"
    assert len(asked) == 1


def test_where_no_repository_is_git_is_not_started(tmp_path: Path) -> None:
    assert counted(tmp_path) == (NO_GIT, [])
