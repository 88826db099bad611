from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.errors import ContentError
from layers.ignore import BUILT_IN, IgnoreRules, project_rules

HINT = r"A backslash makes the character after it literal: \[ \] \- \! \\"

NAMES = st.sampled_from(["a", "b", "ab", "a.py", "b.py", ".env", "tests", "é", "x-y", "[a]"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PARTS = st.sampled_from(
    ["a", "b", "ab", "tests", "*", "**", "?", "a*", "*.py", "a**", "**b", "[ab]", "[^a]*", r"\[a\]"]
)
PATTERNS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
LINES = st.tuples(st.sampled_from(["", "", "!"]), PATTERNS).map("".join)
FILES = st.lists(LINES, max_size=6).map("\n".join)


def decides(pattern: str, path: str) -> bool:
    return IgnoreRules.parse(pattern).ignores(path)


@pytest.mark.parametrize(
    ("pattern", "matched", "unmatched"),
    [
        ("a", "a a/b a/b/c", "b/a ab"),
        ("a/b", "a/b a/b/c", "a b/a/b a/bc"),
        ("*.py", "x.py .py a.py/b", "a/x.py x.pyc"),
        ("a?", "ab aé", "a abc a/b"),
        ("**", "a a/b .c", ""),
        ("**/a", "a b/a c/b/a a/b", "ba b/aa"),
        ("**/*.py", "x.py a/x.py a/b/x.py", "x.pyc"),
        ("a/**", "a/b a/b/c", "a ab"),
        ("a/**/c", "a/c a/b/c a/b/b/c", "ac b/a/c"),
        ("a**", "a ab a/b ab/c", "ba"),
        ("**.py", "x.py a/x.py .py", "x.pyc"),
        ("**x*", "x xa a/xb", "ax a/bx"),
        ("a**b", "ab ac/b a/b", "acb ac"),
        ("[a-c]x", "ax bx cx", "dx -x x"),
        ("[^a-c]x", "dx éx", "ax x"),
        ("[!a]", "! a", "b"),
        (r"[\-\]]", "- ]", "\\ a"),
        ("[[]a]", "[a]", "a]"),
        ("[*?.]", "* ? .", "a"),
        (r"\*", "*", "a \\*"),
        (r"\a\!", "a!", "!"),
        (r"a\\b", "a\\b", "ab"),
        ("a.b+(c)|{2}^$", "a.b+(c)|{2}^$", "a.bb(c) axb"),
        (".", "", "a a/b"),
        ("/", "", "a a/b"),
        ("../a", "", "a"),
    ],
)
def test_matches(pattern: str, matched: str, unmatched: str) -> None:
    rules = IgnoreRules.parse(pattern)
    assert [path for path in matched.split() if not rules.ignores(path)] == []
    assert [path for path in unmatched.split() if rules.ignores(path)] == []


def test_a_newline_in_a_name_hides_nothing() -> None:
    assert decides("**/*.key", "a\nb/c\n.key")
    assert not decides("a", "a\n")


def test_the_last_match_decides() -> None:
    rules = IgnoreRules.parse("docs\n!docs/api\ndocs/api/drafts\n!*.md")
    assert rules.ignores("docs/index.html")
    assert not rules.ignores("docs/api/index.html")
    assert rules.ignores("docs/api/drafts/index.html")
    assert not rules.ignores("a.md")
    assert not IgnoreRules.parse("").ignores("a")


@pytest.mark.parametrize(
    ("text", "pruned", "entered"),
    [
        ("a", "a a/b", "b"),
        ("*", "a a/b", ""),
        ("a\n!a/b/c", "a/c a/b/d", "a a/b a/b/c"),
        ("*\n!src", "a srcs", "src src/a"),
        ("*\n!*.py", "a a/b.py", "b.py b.py/a"),
        ("*\n!src/*/data", "a src/a/b", "src src/a src/a/data src/a/data/b"),
        ("*\n!src/**/x", "a", "src src/a src/a/b"),
        ("*\n!src[/]x", "", "src"),
        ("*\n!**/x\na", "a a/b", "b"),
        ("a/*", "a/b", "a"),
    ],
)
def test_prunes_where_nothing_can_come_back(text: str, pruned: str, entered: str) -> None:
    rules = IgnoreRules.parse(text)
    assert [path for path in pruned.split() if not rules.prunes(path)] == []
    assert [path for path in entered.split() if rules.prunes(path)] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n\n!", "! is not a pattern: no pattern comes after the !"),
        ("a\n\n ! ", "! is not a pattern: no pattern comes after the !"),
        ("#\n#\n!/", "!/ is not a pattern: no pattern comes after the !"),
        ("a\nb\nsrc/[a-z", "src/[a-z is not a pattern: the class [a-z is not closed"),
        ("\r\n\r\n[\r\n", "[ is not a pattern: the class [ is not closed"),
        ("\n\n*[]/b", "*[]/b is not a pattern: the class [] is not made of characters and ranges"),
        ("\n\n[^]", "[^] is not a pattern: the class [^] is not made of characters and ranges"),
        (
            "\n\n[^-a]",
            "[^-a] is not a pattern: the class [^-a] is not made of characters and ranges",
        ),
        ("\n\n[a-]", "[a-] is not a pattern: the class [a-] is not made of characters and ranges"),
        (
            "\n\n![-a]",
            "![-a] is not a pattern: the class [-a] is not made of characters and ranges",
        ),
        ("\n\n[az-x]", "[az-x] is not a pattern: the range z-x runs backwards"),
        ("\n\na\\", "a\\ is not a pattern: nothing comes after the last backslash"),
    ],
)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(ContentError) as caught:
        IgnoreRules.parse(text, origin="app/.dockerignore")
    assert str(caught.value) == f"app/.dockerignore, line 3: {message}"
    assert caught.value.hint == HINT


@given(patterns=st.lists(PATTERNS, max_size=5), data=st.data())
def test_dress_does_not_matter(patterns: list[str], data: st.DataObject) -> None:
    def draw(*choices: str) -> str:
        return data.draw(st.sampled_from(choices))

    def dressed(pattern: str) -> str:
        before = draw("", "# comment\n", "\n", " \t\r\n") + draw("", "  ", "\t")
        return (
            before + draw("", "/", "./", "//", "x/../") + pattern + draw("", "/", "/.", " ", "\r")
        )

    text = draw("", "\ufeff") + "\n".join(map(dressed, patterns)) + draw("", "\n")
    assert IgnoreRules.parse(text) == IgnoreRules.parse("\n".join(patterns))


@given(
    name=st.text(st.characters(exclude_characters="/", exclude_categories=["Z", "C"]), min_size=1)
)
def test_an_escaped_name_matches_itself_alone(name: str) -> None:
    escaped = "".join(f"\\{character}" for character in name)
    assert decides(escaped, name)
    assert not decides(escaped, name + "x")
    assert not decides(escaped, "x" + name)


@given(text=FILES, path=PATHS)
def test_ignores_as_if_each_pattern_were_tried_in_turn(text: str, path: str) -> None:
    above = [str(parent) for parent in PurePosixPath(path).parents][:-1]
    ignored = False
    for line in text.splitlines():
        if any(decides(line.removeprefix("!"), tried) for tried in (path, *above)):
            ignored = not line.startswith("!")
    assert IgnoreRules.parse(text).ignores(path) == ignored


@given(text=FILES, directory=PATHS, below=PATHS)
def test_whatever_is_below_a_pruned_directory_is_ignored(
    text: str, directory: str, below: str
) -> None:
    for rules in (IgnoreRules.parse(text), project_rules(text)):
        if rules.prunes(directory):
            assert rules.ignores(directory)
            assert rules.ignores(f"{directory}/{below}")
            assert rules.prunes(f"{directory}/{below}")


@given(text=FILES.filter(lambda text: "!" not in text), directory=PATHS)
def test_prunes_all_it_ignores_when_there_is_no_exception(text: str, directory: str) -> None:
    rules = IgnoreRules.parse(text)
    assert rules.prunes(directory) == rules.ignores(directory)


SAMPLES = {
    "secrets": ".env .env.local a/.env .envrc a/.env-prod .envs/production .git-credentials .netrc"
    " .npmrc .pypirc .aws/credentials .docker/config.json a/.gnupg/trustdb .kube/config"
    " a/.ssh/config id_rsa a/id_ed25519 id_ecdsa id_dsa tls.key a/b.p12 b.pfx a/b.pem b.jks"
    " a/b.keystore",
    "tests": "test/a.py tests/a.py src/pkg/tests/a.py",
    "leftovers": "dist/demo.tar .venv/bin/python a/.venv/x .tox/x .nox/x a/__pycache__/x.nbi a.pyc"
    " .pytest_cache/x .ruff_cache/x .mypy_cache/x .hypothesis/x .coverage htmlcov/index.html",
    "tools": ".git/HEAD sub/.git .hg/x .svn/x .idea/x .vscode/x a/.a.py.swp a/.DS_Store",
}


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("dockerignore", [None, "", "!**\n", "!src\n!a\n!*\n!*/*"])
def test_what_never_ships(kind: str, dockerignore: str | None) -> None:
    rules = project_rules(dockerignore)
    assert [path for path in SAMPLES[kind].split() if not rules.ignores(path)] == []


def test_every_built_in_pattern_is_needed_and_shown() -> None:
    samples = [path for paths in SAMPLES.values() for path in paths.split()]
    for pattern in BUILT_IN:
        others = IgnoreRules.parse("\n".join(other for other in BUILT_IN if other != pattern))
        alone = [path for path in samples if decides(pattern, path) and not others.ignores(path)]
        assert alone, pattern


@pytest.mark.parametrize(
    "path",
    [
        "src/pkg/test/__init__.py",
        "src/pkg/testing.py",
        "src/pkg/test_data.py",
        "src/pkg/environment.py",
        "src/pkg/env",
        "certs/ca-bundle.crt",
        "src/pkg/dist/a.py",
        "id_rsa.pub",
        ".gitignore",
        ".dockerignore",
        "a.env",
        "venv/readme",
        "keys.json",
    ],
)
def test_what_the_built_in_patterns_leave_alone(path: str) -> None:
    assert not project_rules(None).ignores(path)


@pytest.mark.parametrize(
    ("dockerignore", "back", "still_out"),
    [
        ("!.env.example", ".env.example", ".env .env.local a/.env.example"),
        ("!**/.env.example", ".env.example a/.env.example", ".env"),
        ("!tests", "tests/a.py tests/b/c", "src/tests/a.py tests/id_rsa tests/__pycache__/x"),
        ("!tests/data", "tests/data/a", "tests/a.py tests/data/.env"),
        ("!src/lab/tests", "src/lab/tests/a.py", "tests/a.py src/lab/tests/a.pyc"),
        ("!**/tests", "tests/a src/tests/a", "test/a tests/.git/HEAD"),
        ("!test", "test/a", "tests/a"),
        ("!*.key", "tls.key", "a/tls.key .env"),
        ("!tests/id_rsa", "tests/id_rsa", "tests/a id_rsa"),
        ("!tests\ntests/big", "tests/a", "tests/big/a"),
        ("*\n!tests", "tests/a", "src/a tests/a.pyc"),
        ("!.env*", ".env .env.example", "a/.env"),
        ("!.e*", "", ".env .env.example"),
        ("!certs/ca.pem", "certs/ca.pem", "certs/server.pem ca.pem"),
        ("!dist", "dist/a.tar", "dist/.env"),
        ("!t*s", "", "tests/a"),
    ],
)
def test_lifts_only_what_is_named(dockerignore: str, back: str, still_out: str) -> None:
    rules = project_rules(dockerignore)
    assert [path for path in back.split() if rules.ignores(path)] == []
    assert [path for path in still_out.split() if not rules.ignores(path)] == []


def test_prunes_built_in_directories() -> None:
    rules = project_rules("docs\n!src/lab/tests\n!*.md")
    assert all(map(rules.prunes, [".git", ".venv", "a/.venv/lib", "tests", "src/tests", "docs/a"]))
    assert not any(map(rules.prunes, ["src", "src/lab", "src/lab/tests", "a"]))


def test_refuses_in_the_name_of_the_file() -> None:
    with pytest.raises(ContentError) as caught:
        project_rules("[", origin="app/.dockerignore")
    message = "app/.dockerignore, line 1: [ is not a pattern: the class [ is not closed"
    assert str(caught.value) == message


@given(text=FILES, away=PATHS, path=PATHS)
def test_paths_that_are_taken_out_stay_out_with_all_below_them(
    text: str, away: str, path: str
) -> None:
    rules = project_rules(text)
    less = rules.without([away])
    below = path == away or path.startswith(f"{away}/")
    assert less.ignores(path) == (below or rules.ignores(path))
    assert less.prunes(away)


def test_rules_beyond_a_path_lack_the_patterns_that_leave_it_out() -> None:
    rules = IgnoreRules.parse("*\n!src\npackages\n**/secrets.json\npackages/a/data")
    beyond = rules.beyond("packages/a")
    assert beyond.ignores("packages/a/b/secrets.json")
    assert beyond.ignores("packages/a/data/x")
    assert not beyond.ignores("packages/a/main.py")
