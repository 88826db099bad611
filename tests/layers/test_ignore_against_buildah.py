"""Our reading of ``.dockerignore`` against that of a real builder.

One file tree, many ignore files: buildah builds ``COPY . /`` from scratch for each, and what got in
must be what we let in. buildah 1.28 matches with an older copy of Docker's code and enters excluded
directories by a rule of its own. ``DEVIATIONS`` holds the cases in which it departs from us, what
the difference is, and why; unless the reason says otherwise, current Docker does what we do.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from layers.errors import ContentError
from layers.ignore import IgnoreRules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.engine

TREE = """\
!bang
#hash
.env
.env.local
.git/HEAD
.git/objects/pack/a.pack
.venv/bin/python
Makefile
README.md
[a].txt
a b.txt
a*c
a.txt
a/b/c/d.txt
a/b/c/e.py
a/b/f.txt
a/x.py
ab.txt
abc
back\\slash
docs/api/index.md
docs/guide/README.md
docs/index.md
lib/foo/foo.py
lib/foobar/x.py
lib/xfoo
lib/xfoo2/y.py
node_modules/m/index.js
node_modules/m/node_modules/n/index.js
src/pkg/__init__.py
src/pkg/__pycache__/__init__.cpython-312.pyc
src/pkg/app.py
src/pkg/data/a.json
src/pkg/data/b.csv
src/pkg/data/keep.json
src/pkg/sub/__init__.py
src/pkg/sub/mod.py
src/pkg/tests/test_app.py
tests/data/big.bin
tests/test_a.py
x-y/z
x.y/z
xzy/z
é/ü.txt
ünï.txt
""".splitlines()

CASES = {
    "nothing": "",
    "blank lines and comments": "\n  \n# a.txt\n\t\na.txt\n",
    "byte order mark": "\ufeffa.txt\n",
    "byte order mark before a comment": "\ufeff# a.txt\nREADME.md\n",
    "carriage returns": "a.txt\r\nREADME.md\r\n",
    "no newline at the end": "README.md\na.txt",
    "white space around": "  a.txt \t\n\tREADME.md\n",
    "hash after white space is no comment": " #hash\n",
    "escaped hash": "\\#hash\n",
    "escaped exclamation mark": "\\!bang\n",
    "two exclamation marks": "*\n!!bang\n",
    "exception with a slash": "*\n!/docs/index.md\n",
    "exception of nothing excluded": "!a.txt\n",
    "plain file": "a.txt",
    "plain directory": "docs",
    "directory with a slash": "docs/",
    "directory from the root": "/docs",
    "several slashes": "///docs//api///",
    "dot in front": "./docs/./api",
    "dot dot inside": "src/../docs/guide/../api",
    "dot dot in front": "../docs",
    "space inside": "a b.txt",
    "star stays in one name": "*.txt",
    "star in the middle": "a*c",
    "star for a directory": "*/foo",
    "two stars in names": "*/*/*.py",
    "star matches leading dots": "*env*",
    "star at the end of a path": "docs/*",
    "question mark": "a?.txt",
    "question mark is no slash": "src?pkg",
    "question mark is one letter beyond ASCII": "?/?.txt",
    "escaped star": "a\\*c",
    "escaped brackets": "\\[a\\].txt",
    "escaped backslash": "back\\\\slash",
    "escaped letter beyond the special ones": "a\\.txt",
    "class": "[a-c]*.txt",
    "negated class": "[^a-z]*",
    "exclamation mark in a class is a member": "[!a]*",
    "class with an escaped member": "[\\[x].*",
    "class with a hyphen": "x[\\-.]y",
    "class beyond ASCII": "[é-ü]*",
    "class that ends with an escape": "*[\\]c]*",
    "lone closing bracket": "[[]a].txt",
    "a dot is a dot": "x.y",
    "deep name": "**/README.md",
    "deep name at the root too": "**/a.txt",
    "deep star": "**/*.py",
    "deep directory": "**/node_modules",
    "deep directory's content": "**/data/**",
    "deep in the middle": "a/**/d.txt",
    "deep in the middle spans nothing": "a/**/x.py",
    "deep at the end": "docs/**",
    "deep at the end after a star": "d*/**",
    "deep twice": "**/pkg/**/*.json",
    "deep after deep": "**/**/foo",
    "deep with a slash at the end": "src/**/",
    "glued stars in the middle": "a**.py",
    "glued stars at the end": "lib/foo**",
    "three stars": "***.txt",
    "match of a parent": "src/pkg/d*",
    "the ignore file itself": ".dockerignore",
    "dot does nothing": ".",
    "slash does nothing": "/",
    "exception for a file": "docs\n!docs/index.md",
    "exception for a directory": "src\n!src/pkg/sub",
    "exception by a star": "*.txt\n!a*.txt",
    "exception below a star": "*\n!src",
    "exception two levels down": "*\n!src/pkg/data",
    "excluded again": "src\n!src/pkg\nsrc/pkg/data",
    "excluded and back twice": "docs\n!docs/api\ndocs\n!docs/guide",
    "the last line wins": "!a.txt\na.txt",
    "allow list": "*\n!src\n!README.md\n**/__pycache__\n**/tests",
    "allow list with deep excludes first": "**/__pycache__\n*\n!src",
    "exception with a star in a directory": "src/pkg/data/*\n!src/pkg/data/*.json",
    "exception for part of a tree, deep": "**/data\n!src/pkg/data/keep.json",
    "exception for everything": "*\n!**",
    "exception for what is not there": "*\n!nothere",
    "exception for files of one directory": "*\n!docs/*",
    "exception above what is excluded": "**/tests\n!src/**",
    "exclamation mark after the slash": "*\n/!a.txt",
    "dot dot after stars": "src/**/../docs",
    "negated class spans a slash": "a[^x]b",
    "glued stars in front of a suffix, nested": "**x.py",
    "typical": ".git\n.venv\n**/__pycache__\n**/*.pyc\n.env*\n!.env.local\ntests\nnode_modules\n",
}


# BuildKit lets docs/index.md in here: below a directory it does not return to a pattern which made
# no difference to the directory. Docker's documentation says that the last line which matches
# decides; so do Docker's matcher taken by itself, buildah, and we.
CASES["excluded again in the same words"] = "docs\n!docs/index.md\ndocs"

REFUSED = {
    "mark alone": "*\n!",
    "mark and slash": "!/",
    "class not closed": "src/[a",
    "class not closed behind a star": "a*[b",
    "class without members": "[]",
    "class that ends with a hyphen": "[a-]",
    "class that starts with a hyphen": "[-a]",
    "range backwards": "[b-a]*",
    "backslash at the end": "src\\",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    text: str
    reason: str
    only_ours: str = ""
    only_theirs: str = ""


PRUNED = (
    "buildah does not enter an excluded directory unless the text of an exception starts with the "
    "directory's path: it does not see that an exception with a wildcard can match below"
)
GLUED = "Docker takes two stars before plain text for the end of a path, buildah for directories"
LEAKED = "buildah does not quote all that is special in the regular expressions it makes"
LEAKED_BY_BOTH = (
    "Docker and buildah let syntax of their regular expressions through; documented, and ours, is "
    "that of Go's filepath.Match"
)
BELOW = """
    a/b/c/e.py a/x.py lib/foo/foo.py lib/foobar/x.py lib/xfoo2/y.py src/pkg/__init__.py
    src/pkg/app.py src/pkg/sub/__init__.py src/pkg/sub/mod.py src/pkg/tests/test_app.py
    tests/test_a.py
"""

DEVIATIONS = {
    "deep star and deep exception": Deviation(
        text="**/*\n!**/*.py", only_ours=BELOW, reason=PRUNED
    ),
    "star and deep exception": Deviation(text="*\n!**/*.py", only_ours=BELOW, reason=PRUNED),
    "stars and deep exception": Deviation(text="**\n!**/*.py", only_ours=BELOW, reason=PRUNED),
    "star and glued exception": Deviation(text="*\n!**.py", only_ours=BELOW, reason=PRUNED),
    "star and exception three levels down": Deviation(
        text="*\n!*/*/*.py",
        only_ours="""
            lib/foo/foo.py lib/foobar/x.py lib/xfoo2/y.py src/pkg/__init__.py src/pkg/app.py
        """,
        reason=PRUNED,
    ),
    "directory and exception with a star for a directory": Deviation(
        text="src\n!src/*/data",
        only_ours="src/pkg/data/a.json src/pkg/data/b.csv src/pkg/data/keep.json",
        reason=PRUNED,
    ),
    "directory and deep exception": Deviation(
        text="src\n!src/**/*.json",
        only_ours="src/pkg/data/a.json src/pkg/data/keep.json",
        reason=PRUNED,
    ),
    "star and deep exception in a directory": Deviation(
        text="*\n!docs/**/*.md",
        only_ours="docs/api/index.md docs/guide/README.md",
        reason=PRUNED,
    ),
    "directory and exception with a star in a name": Deviation(
        text="lib\n!lib/foo*/x.py", only_ours="lib/foobar/x.py", reason=PRUNED
    ),
    "glued stars in front of a suffix": Deviation(text="**.py", only_theirs=BELOW, reason=GLUED),
    "glued stars in front of a name": Deviation(text="**foo", only_theirs="lib/xfoo", reason=GLUED),
    "exception with a space after the mark": Deviation(
        text="*\n! a.txt", only_ours="a.txt", reason="buildah keeps the space, Docker does not"
    ),
    "dot dot from the root": Deviation(
        text="/../docs",
        only_theirs="docs/api/index.md docs/guide/README.md docs/index.md",
        reason="buildah takes the slash off before it resolves the dots, Docker afterwards",
    ),
    "bar": Deviation(
        text="Makefile|README.md",
        only_ours="Makefile README.md docs/guide/README.md",
        reason=LEAKED,
    ),
    "caret": Deviation(text="^a.txt", only_ours="a.txt", reason=LEAKED),
    "parentheses": Deviation(
        text="(a)", only_ours="a/b/c/d.txt a/b/c/e.py a/b/f.txt a/x.py", reason=LEAKED
    ),
    "star in a class": Deviation(text="a[*]c", only_theirs="a*c", reason=LEAKED_BY_BOTH),
    "name of a class": Deviation(
        text="[[:alpha:]]b.txt", only_ours="ab.txt", reason=LEAKED_BY_BOTH
    ),
    "escaped letter": Deviation(
        text="a\\b.txt", only_ours="a.txt", only_theirs="ab.txt", reason=LEAKED_BY_BOTH
    ),
}


# buildah copies in a process of its own, which ends as soon as it refuses a pattern. When buildah
# is still writing to it then, all it reports is its broken pipe, and the reason is lost: that
# answer says nothing about the pattern, so it is asked for another.
_RACED = re.compile(r"copier subprocess: write .*broken pipe")
_TRIES = 5


class RefusedError(Exception):
    pass


type Build = Callable[[str], set[str]]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    home = tmp_path_factory.mktemp("buildah")
    context = home / "context"
    for path in TREE:
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).touch()
    (home / "Containerfile").write_text("FROM scratch\nCOPY . /\n")
    buildah = ("buildah", "--storage-driver=vfs", f"--root={home}/root", f"--runroot={home}/run")

    def run(text: str) -> set[str]:
        (context / ".dockerignore").write_text(text)
        out = home / "out"
        options = ("--quiet", f"--output=type=local,dest={out}", f"--file={home}/Containerfile")
        for _ in range(_TRIES):
            shutil.rmtree(out, ignore_errors=True)
            done = subprocess.run(
                [*buildah, "build", *options, context], capture_output=True, text=True, check=False
            )
            if not done.returncode:
                return _files(out)
            if not _RACED.search(done.stderr):
                raise RefusedError(done.stderr)
        raise AssertionError(f"buildah said {_TRIES} times nothing but that its pipe broke")

    return run


def _files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def _kept(text: str) -> set[str]:
    rules = IgnoreRules.parse(text)
    return {path for path in (*TREE, ".dockerignore") if not _left_out(rules, path)}


def _left_out(rules: IgnoreRules, path: str) -> bool:
    above = [str(parent) for parent in PurePosixPath(path).parents][:-1]
    return any(map(rules.prunes, above)) or rules.ignores(path)


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_lets_in_what_buildah_lets_in(build: Build, text: str) -> None:
    assert _kept(text) == build(text)


@pytest.mark.parametrize("case", DEVIATIONS.values(), ids=DEVIATIONS)
def test_departs_from_buildah_only_as_recorded(build: Build, case: Deviation) -> None:
    ours, theirs = _kept(case.text), build(case.text)
    assert ours - theirs == set(case.only_ours.split()), case.reason
    assert theirs - ours == set(case.only_theirs.split()), case.reason


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_refuses_what_buildah_refuses(build: Build, text: str) -> None:
    with pytest.raises(RefusedError, match=r"syntax error in pattern|illegal exclusion pattern"):
        build(text)
    with pytest.raises(ContentError):
        IgnoreRules.parse(text)
