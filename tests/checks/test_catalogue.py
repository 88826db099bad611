"""Names of checks: the settings know them, the page explains them, the code uses them."""

import re

import pytest

from builder.checks.finding import Severity
from builder.project.check_values import _FIELDS
from builder.settings import CHECKS
from tests.cache import REPOSITORY

PAGE = (REPOSITORY / "docs" / "checks.md").read_text()
CODE = "".join(
    path.read_text()
    for room in ("checks", "making")
    for path in sorted((REPOSITORY / "builder" / room).rglob("*.py"))
)


def test_each_check_is_on_the_page_once() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(CHECKS)
    assert {severity for _, severity in rows} == {severity.value for severity in Severity}


def test_each_setting_is_on_the_page_once() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (?:`[^`]*`)? ?\| [^|]+ \|$", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(_FIELDS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_that_has_a_name_is_made(name: str) -> None:
    assert f'"{name}"' in CODE


def test_a_check_that_is_made_has_a_name() -> None:
    used = set(re.findall(r'check="([\w-]+)"', CODE)) | set(
        re.findall(r'_CHECK = "([\w-]+)"', CODE)
    )
    assert len(used) > 5
    assert used <= set(CHECKS)
