"""``make demo``: when it composes a stand-in, and when it does not."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from tests import demo
from tests.standin import TAG


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    monkeypatch.setattr(demo, "standin_layout", lambda: "LAYOUT")
    return []


def answer(
    monkeypatch: pytest.MonkeyPatch, commands: list[list[str]], *, probe: int, build: int
) -> int:
    def fake(command: Sequence[str], **_: object) -> SimpleNamespace:
        commands.append(list(command[3:]))
        return SimpleNamespace(returncode=probe if "--dry-run" in command else build)

    monkeypatch.setattr("subprocess.run", fake)
    return demo.main()


def test_podmans_failure_is_not_the_registrys(
    monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    assert answer(monkeypatch, commands, probe=0, build=3) == 3
    assert len(commands) == 2
    assert "--base" not in commands[1]


def test_without_the_registry_a_stand_in_takes_its_place(
    monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    assert answer(monkeypatch, commands, probe=3, build=0) == 0
    assert commands[1][-2:] == ["--base", f"oci:LAYOUT:{TAG}"]
    assert "--no-load" not in commands[1]
