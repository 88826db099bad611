"""Build arguments stand in the history of an image, and so do commands."""

from pathlib import Path

import pytest

from builder.checks.finding import Finding
from builder.examine.history import check_history
from builder.store.layout import Layout
from tests.checks.leaks.secret_samples import GITHUB
from tests.examine.looking import RUN, annotated, image_of, with_history


def history(tmp_path: Path, *commands: str) -> list[Finding]:
    image = with_history(image_of(Layout(tmp_path), []), *commands)
    return list(check_history(image))


@pytest.mark.parametrize(
    "command",
    [
        f"|1 TOKEN={GITHUB} /bin/sh -c pip install .",
        f"RUN |2 A=b TOKEN={GITHUB} /bin/bash -ec pip install . # buildkit",
        f"ARG TOKEN={GITHUB}",
        f"/bin/sh -c #(nop)  ARG TOKEN={GITHUB}",
        f"/bin/sh -c curl -H 'Authorization: token {GITHUB}' api.github.com",
    ],
)
def test_a_token_is_an_error_that_does_not_repeat_it(command: str, tmp_path: Path) -> None:
    [finding] = history(tmp_path, command)
    assert (finding.check, finding.severity) == ("secret-in-env", "error")
    assert "GitHub token" in finding.message
    assert GITHUB not in f"{finding.message}{finding.fix}"


def test_a_name_is_a_warning(tmp_path: Path) -> None:
    [finding] = history(tmp_path, "|1 DB_PASSWORD=correcthorse /bin/sh -c true")
    assert finding.severity == "warning"
    assert finding.message.startswith("the build argument DB_PASSWORD has the name of a secret")


def test_an_argument_that_many_steps_have_is_told_once(tmp_path: Path) -> None:
    argument = f"|1 TOKEN={GITHUB} /bin/sh -c"
    assert len(history(tmp_path, f"{argument} a", f"{argument} b")) == 1


@pytest.mark.parametrize(
    "command",
    [
        "",
        "/bin/sh -c #(nop) ADD file:0123456789abcdef in / ",
        "ARG TOKEN",
        "|1 TOKEN= /bin/sh -c true",
        '/bin/sh -c echo "$TOKEN" > /run/secrets/token',
        "ENV PYTHON_SHA256=7220835d9f90b37c006e9842a8dff4580aaca4318674f947302b8d28f3f81112",
    ],
)
def test_nothing_to_tell(command: str, tmp_path: Path) -> None:
    assert history(tmp_path, command) == []


@pytest.mark.parametrize("step", ["ENV", "/bin/sh -c #(nop)  ENV"])
def test_a_variable_that_the_config_does_not_hold_is_told(step: str, tmp_path: Path) -> None:
    [finding] = history(tmp_path, f"{step} A=b TOKEN={GITHUB} C=d")
    assert finding.message.startswith("in its history, the variable TOKEN holds")
    layout = Layout(tmp_path / "same")
    image = image_of(layout, [], run={**RUN, "Env": [f"TOKEN={GITHUB}"]})
    assert list(check_history(with_history(image, f"{step} TOKEN={GITHUB}"))) == []


def test_annotations_are_told(tmp_path: Path) -> None:
    image = annotated(image_of(Layout(tmp_path), []), {"note": GITHUB})
    [finding] = check_history(image)
    assert finding.message.startswith("annotations note in the manifest holds")
    assert GITHUB not in f"{finding.message}{finding.fix}"
