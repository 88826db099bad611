import itertools
import json
import tomllib
from typing import Any

import pytest

from builder.checks.finding import Finding, Severity
from builder.checks.verdict import (
    Accepted,
    Verdict,
    acceptance_of,
    cautions,
    describe,
    describe_unused,
    finding_to_json,
    judge,
    refuse,
    tell,
    unused_in_all,
    verdict_to_json,
)
from builder.errors import CheckError, exit_code
from builder.events import Caution
from builder.settings import Acceptance, ChecksSettings

LIBRARY = Finding(
    check="missing-library",
    severity=Severity.ERROR,
    message="libpq.so.5 is nowhere",
    fix='apt = ["libpq5"]',
    path="/app/.venv/a.so",
    distribution="Psycopg_2 2.9",
    layer="dependencies-1",
)
KEY = Finding(
    check="secret",
    severity=Severity.ERROR,
    message="holds a private key",
    fix="leave it out",
    path="/app/src/key.pem",
    layer="project",
)
ROOT = Finding(check="root-user", severity=Severity.WARNING, message="runs as root", fix="user")


def changed(finding: Finding, **values: Any) -> Finding:
    fields = {name: getattr(finding, name) for name in Finding.__slots__}
    return Finding(**(fields | values))


def accepting(check: str, **where: str) -> ChecksSettings:
    return ChecksSettings(accept=(Acceptance(check=check, reason="known", **where),))


def test_findings_are_divided_once_and_in_one_order() -> None:
    wanted = Verdict(errors=(LIBRARY, KEY), warnings=(ROOT,))
    for order in itertools.permutations([LIBRARY, KEY, ROOT, LIBRARY]):
        assert judge(order, ChecksSettings()) == wanted


@pytest.mark.parametrize(
    ("warn", "refuse_", "errors", "warnings"),
    [
        (("secret",), (), ["missing-library"], ["root-user", "secret"]),
        ((), ("root-user",), ["missing-library", "root-user", "secret"], []),
        (("*",), (), [], ["missing-library", "root-user", "secret"]),
        (("*",), ("secret",), ["secret"], ["missing-library", "root-user"]),
        (("secret",), ("*",), ["missing-library", "root-user"], ["secret"]),
    ],
)
def test_settings_decide_what_is_an_error(
    warn: tuple[str, ...], refuse_: tuple[str, ...], errors: list[str], warnings: list[str]
) -> None:
    verdict = judge([LIBRARY, KEY, ROOT], ChecksSettings(warn=warn, refuse=refuse_))
    assert [finding.check for finding in verdict.errors] == errors
    assert [finding.check for finding in verdict.warnings] == warnings
    assert {finding.severity for finding in verdict.errors} <= {Severity.ERROR}
    assert {finding.severity for finding in verdict.warnings} <= {Severity.WARNING}


@pytest.mark.parametrize(
    "checks",
    [
        accepting("missing-library"),
        accepting("missing-library", distribution="psycopg-2"),
        accepting("missing-library", path="/app/*.so"),
        accepting("missing-library", path="/app/.venv/a.so", distribution="psycopg-2"),
        accepting("missing-library", path="*"),
    ],
)
def test_what_is_accepted_is_no_error(checks: ChecksSettings) -> None:
    verdict = judge([LIBRARY, KEY], checks)
    assert verdict.errors == (KEY,)
    assert verdict.accepted == (Accepted(finding=LIBRARY, reason="known"),)
    assert verdict.unused == ()


@pytest.mark.parametrize(
    "checks",
    [
        accepting("secret", path="/app/src/other.pem"),
        accepting("missing-library", distribution="psycopg"),
        accepting("missing-library", path="/app/.venv/a.so", distribution="numpy"),
        accepting("missing-library", path="/APP/*"),
        accepting("root-user", path="/*"),
    ],
)
def test_an_acceptance_that_fits_nothing_is_told(checks: ChecksSettings) -> None:
    verdict = judge([LIBRARY, KEY, ROOT], checks)
    assert verdict == Verdict(errors=(LIBRARY, KEY), warnings=(ROOT,), unused=checks.accept)


def test_the_first_of_two_acceptances_gives_the_reason_and_both_are_used() -> None:
    narrow = Acceptance(check="secret", path="/app/*", reason="a sample")
    wide = Acceptance(check="secret", reason="all of them")
    verdict = judge([KEY], ChecksSettings(accept=(narrow, wide)))
    assert verdict == Verdict(accepted=(Accepted(finding=KEY, reason="a sample"),))


def test_of_several_images_one_that_needs_it_is_enough() -> None:
    one, other = Acceptance(check="secret", reason="a"), Acceptance(check="junk", reason="b")
    verdicts = [Verdict(unused=(one, other)), Verdict(unused=(other,))]
    assert unused_in_all(verdicts) == (other,)
    assert unused_in_all([]) == ()
    assert describe_unused(one) == "nothing is found any more that is accepted as secret"
    assert describe_unused(Acceptance(check="junk", reason="b", path="/a*", distribution="x")) == (
        "nothing is found any more that is accepted as junk of /a*, x"
    )


def test_one_error_lists_all_that_is_wrong() -> None:
    more = [changed(LIBRARY, path=f"/app/.venv/{name}.so") for name in "bcde"]
    digest = f"sha256:{'0123456789abcdef' * 4}"
    verdict = judge([*more, ROOT, LIBRARY, changed(KEY, layer=digest)], ChecksSettings())
    with pytest.raises(CheckError) as caught:
        refuse(verdict, "linux/arm64")
    assert caught.value.message == (
        "linux/arm64 is not made: 2 things are wrong with it\n"
        "  missing-library: /app/.venv/a.so, /app/.venv/b.so, /app/.venv/c.so and 2 more "
        "(Psycopg_2 2.9, layer dependencies-1): libpq.so.5 is nowhere\n"
        '    fix: apt = ["libpq5"]\n'
        "  secret: /app/src/key.pem (layer sha256:0123456789ab): holds a private key\n"
        "    fix: leave it out"
    )
    assert caught.value.hint == (
        "what is right all the same is accepted in [tool.builder.checks]: accept = "
        '[{ check = "missing-library", distribution = "Psycopg_2", reason = "..." }]'
    )
    assert exit_code(caught.value) == 1


def test_one_thing_is_one_thing_and_nothing_is_no_error() -> None:
    with pytest.raises(CheckError, match=r"\Athe image is not made: one thing is wrong with it\n"):
        refuse(Verdict(errors=(KEY,), warnings=(ROOT,)))
    refuse(Verdict(warnings=(ROOT,)))


def test_a_finding_says_where_what_and_what_to_do() -> None:
    assert describe(ROOT) == "root-user: runs as root\n  fix: user"
    assert describe(changed(ROOT, fix="", layer="base")) == "root-user: (layer base): runs as root"
    assert tell([KEY, ROOT]) == [describe(KEY), describe(ROOT)]
    assert cautions(
        [changed(ROOT, fix=""), changed(ROOT, path="/a"), changed(ROOT, path="/b")]
    ) == [
        Caution("root-user: runs as root"),
        Caution("root-user: /a, /b: runs as root", "user"),
    ]


@pytest.mark.parametrize("finding", [LIBRARY, KEY, ROOT, changed(KEY, path='/app/[a]*"\\\n?é')])
def test_the_proposed_acceptance_fits(finding: Finding) -> None:
    table = tomllib.loads(f"accept = [{acceptance_of(finding)}]")["accept"][0]
    table["distribution"] = table.get("distribution", "").lower().replace("_", "-")
    checks = ChecksSettings(accept=(Acceptance(**table),))
    assert judge([finding], checks) == Verdict(accepted=(Accepted(finding=finding, reason="..."),))


def test_findings_are_json() -> None:
    assert finding_to_json(ROOT) == {
        "check": "root-user",
        "severity": "warning",
        "message": "runs as root",
        "fix": "user",
        "path": None,
        "distribution": None,
        "layer": None,
    }
    verdict = judge([LIBRARY, ROOT, KEY], accepting("secret"))
    assert json.loads(json.dumps(verdict_to_json(verdict))) == {
        "errors": [finding_to_json(LIBRARY)],
        "warnings": [finding_to_json(ROOT)],
        "accepted": [finding_to_json(KEY) | {"reason": "known"}],
    }
