from pathlib import Path
from typing import Any

import pytest

from tests.project.pyprojects import refused

SIZE = 'expected a size, such as "500MB" or "2GiB"'
LEAST = 'expected at least "100kB": of smaller files no size is noted'
GROWTH = 'expected a size such as "50MB", or a part of it such as "10%"'
ACCEPT = (
    "expected a list of tables, such as "
    '[{check = "missing-library", distribution = "demo", reason = "it is never loaded"}]'
)
REASON = "expected why it is accepted, for those who read it later"
NAMES = 'expected a list of checks, such as ["root-user"]'
BOTH = "expected a check in one of warn and refuse"


def accepting(rest: str) -> str:
    return f'accept = [{{ check = "junk", {rest} }}]'


@pytest.mark.parametrize(
    ("line", "place", "got", "expectation"),
    [
        ("max-size = 500", ".max-size", 500, SIZE),
        ('max-size = "500"', ".max-size", "500", SIZE),
        ('max-layer-size = "0"', ".max-layer-size", "0", SIZE),
        ('max-file-size = ""', ".max-file-size", "", SIZE),
        ('max-file-size = "99kB"', ".max-file-size", "99kB", LEAST),
        ("max-layers = true", ".max-layers", True, "expected a number of layers"),
        ("max-layers = 0", ".max-layers", 0, "expected a number of layers"),
        ('max-growth = "much"', ".max-growth", "much", GROWTH),
        ('max-growth = "-5%"', ".max-growth", "-5%", GROWTH),
        ('max-growth = "1000001%"', ".max-growth", "1000001%", "expected at most 1000000%"),
        ("max-growth = 0.1", ".max-growth", 0.1, GROWTH),
        ('imports = "yes"', ".imports", "yes", "expected true or false"),
        ('warn = "junk"', ".warn", "junk", NAMES),
        ("refuse = [1]", ".refuse[0]", 1, "expected a string that is not empty"),
        ('warn = ["junk"]\nrefuse = ["secret", "junk"]', ".warn", "junk", BOTH),
        ('accept = ["junk"]', ".accept", ["junk"], ACCEPT),
        (
            'accept = [{ check = "junk" }]',
            ".accept[0]",
            {"check": "junk"},
            "expected both check and reason",
        ),
        (accepting('reason = " "'), ".accept[0].reason", " ", REASON),
        (
            accepting('reason = "x", path = "src/a"'),
            ".accept[0].path",
            "src/a",
            'expected an absolute path in the image, such as "/app/src/*.pem"',
        ),
        (
            accepting('reason = "x", distribution = ""'),
            ".accept[0].distribution",
            "",
            "expected a string that is not empty",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_place_value_and_expectation(
    line: str, place: str, got: Any, expectation: str, tmp_path: Path
) -> None:
    message, _ = refused(tmp_path, f"[tool.builder.checks]\n{line}\n")
    assert message == f"pyproject.toml: tool.builder.checks{place}: got {got!r}; {expectation}"


def test_checks_are_a_table(tmp_path: Path) -> None:
    message, _ = refused(tmp_path, "[tool.builder]\nchecks = false\n")
    assert message == "pyproject.toml: tool.builder.checks: got False; expected a table"


@pytest.mark.parametrize(
    ("line", "place", "hint"),
    [
        ('warn = ["junk", "secrets"]', "warn[1]: 'secrets'", "did you mean secret?"),
        (
            'accept = [{ check = "missing-lib", reason = "x" }]',
            "accept[0].check: 'missing-lib'",
            "did you mean missing-library?",
        ),
        ("max_size = 1", "max_size", "did you mean max-size?"),
        ('accept = [{ checks = "junk" }]', "accept[0].checks", "did you mean check?"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    line: str, place: str, hint: str, tmp_path: Path
) -> None:
    message, found = refused(tmp_path, f"[tool.builder.checks]\n{line}\n")
    assert message == f"pyproject.toml: tool.builder.checks.{place} is unknown"
    assert found == hint
