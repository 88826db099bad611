import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from builder.errors import TransportError
from builder.retry import Retry, Transient, retry_after


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("12") == 12
    assert retry_after(None) is None
    assert retry_after("soon") is None
    later = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert later is not None
    assert 57 < later < 61
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_a_slow_failure_uses_up_the_patience() -> None:
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        time.sleep(0.02)
        raise Transient(TransportError("no"))

    with pytest.raises(TransportError, match="no"):
        Retry(patience_seconds=0.01, sleep=lambda _: None).run(fail)
    assert len(tries) == 1


def test_what_is_not_transient_is_not_tried_again() -> None:
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise TransportError("certificate")

    with pytest.raises(TransportError, match="certificate"):
        Retry(sleep=lambda _: None).run(fail)
    assert len(tries) == 1
