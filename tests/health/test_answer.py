"""What counts as a healthy answer."""

import pytest

from builder.health.probe import Answer

OK = {"status": "ok"}


@pytest.mark.parametrize("text", ['{"status":"ok"}', ' {"status" : "ok"}\n'])
def test_the_expected_json_is_healthy_however_it_is_written(text: str) -> None:
    assert Answer(200, text).falls_short(OK) is None


def test_any_answer_is_healthy_when_none_is_expected() -> None:
    assert Answer(200, "fine").falls_short(None) is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(200, '{"status":"ok","more":1}'), 'it answers {"status":"ok","more":1}; expected'),
        (Answer(200, "<html>"), "it answers 200, but no JSON: <html>"),
        (Answer(200, ""), "it answers 200, but no JSON: "),
        (Answer(404, "Not Found"), "it answers 404: Not Found"),
        (Answer(503, "x" * 5000), f"it answers 503: {'x' * 300}..."),
        (Answer(None, "connection refused"), "nothing answers: connection refused"),
    ],
)
def test_anything_else_is_told(answer: Answer, said: str) -> None:
    assert (answer.falls_short(OK) or "").startswith(said)
