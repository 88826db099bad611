"""podman's API on a socket of our own, for as long as it is needed.

No service runs on most machines, and one that does may be another user's or another version's.
The library costs 120 ms to import, so it is imported here and late.
https://podman-py.readthedocs.io/
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from builder.engine import engine_hint
from builder.errors import EngineError
from builder.process import service

_START_SECONDS = 20
_POLL_SECONDS = 0.02
# A socket's path has at most 107 bytes, and a build server's temporary directory may use them up.
_LONGEST = 80


@contextmanager
def podman_service() -> Iterator[Any]:
    """A ``podman.PodmanClient``; the service behind it has stopped when the block is left.

    Raises:
        EngineError: podman is missing, its service does not start, or it refused something in
            the block that the block does not handle itself.
    """
    from podman import PodmanClient  # noqa: PLC0415 - see above
    from podman.errors import PodmanError  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415 - what podman-py speaks HTTP with

    usual = tempfile.gettempdir()
    place = usual if len(usual) < _LONGEST else "/tmp"  # noqa: S108 - a directory of ours in it
    with tempfile.TemporaryDirectory(prefix="builder-", dir=place) as directory:
        socket, log = Path(directory) / "podman.sock", Path(directory) / "log"
        argv = ("podman", "system", "service", "--time=0", f"unix://{socket}")
        try:
            with service(argv, log=log), PodmanClient(base_url=f"unix://{socket}") as client:
                _wait(socket, client, log)
                yield client
        except FileNotFoundError as error:
            raise EngineError("podman is not installed, or not on PATH") from error
        except (PodmanError, RequestException) as error:
            raise EngineError(f"podman: {error}", hint=engine_hint(str(error))) from error


def _wait(socket: Path, client: Any, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not (socket.exists() and _answers(client)):
        if time.monotonic() > deadline:
            words = log.read_text(errors="replace").strip() or "without a word"
            raise EngineError(
                f"podman system service did not start within {_START_SECONDS} s: {words}",
                hint=engine_hint(words),
            )
        time.sleep(_POLL_SECONDS)


def _answers(client: Any) -> bool:
    from podman.errors import PodmanError  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415

    try:
        return bool(client.ping())
    except (PodmanError, RequestException, OSError):
        return False
