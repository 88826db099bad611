"""What is asked of a started image, and what it proved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How an image shows that it works.

    Attributes:
        image: its name or id in podman.
        port: that its server listens on, TCP.
        path: of the HTTP endpoint, with its slash.
        expect: the JSON that the endpoint answers, compared as a whole; None: status 200 is
            enough.
        env: variables for this container only.
        uid: who its processes run as; None: that is not looked at.
        account: the name of that user; None: that is not looked at.
        start_seconds: until the first healthy answer.
        stop_seconds: from SIGTERM to the end.
        publish: the port on this machine, on 127.0.0.1; a free one when None.
    """

    image: str
    port: int = 8000
    path: str = "/health"
    expect: Any = field(default_factory=lambda: {"status": "ok"})
    env: Mapping[str, str] = field(default_factory=dict)
    uid: int | None = 1001
    account: str | None = "app"
    start_seconds: float = 30
    stop_seconds: int = 10
    publish: int | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was looked at and found right."""

    name: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What a healthy image proved.

    Attributes:
        healthy_seconds: from the container's start to its first healthy answer.
        stop_seconds: from SIGTERM to its end.
        proofs: in the order in which they were made.
    """

    healthy_seconds: float
    stop_seconds: float
    proofs: tuple[Proof, ...]
