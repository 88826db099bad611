"""The container under test: started, watched, stopped, and always removed."""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from builder.engine import ask, engine_hint
from builder.errors import EngineError
from builder.events import Caution, EventSink, Notice
from builder.health.check import HealthCheck
from builder.process import CommandRunner

LABEL = "io.image-builder.health-test"
"""On every container of ours, so that one left by a killed process can be found."""

_LOG_LINES = 50
_LOG_BYTES = 64 << 10
_PORT_IN_USE = re.compile(r"address already in use|port is already allocated")
# What podman says where a network for the container cannot be made: rootless without slirp4netns
# or pasta, or without /dev/net/tun; as root without the right to change the firewall.
_NO_NETWORK = re.compile(
    r"slirp4netns|pasta|/dev/net/tun|netavark|aardvark|iptables|nftables|\bcni\b|network namespace"
    r"|rootlessport|rootless-cni",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Container:
    """A started container.

    Attributes:
        handle: podman-py's.
        host_port: where its port is on 127.0.0.1; None when it has no network.
    """

    handle: Any
    host_port: int | None

    def state(self) -> dict[str, Any]:
        """Podman's ``State``: ``Status``, ``Pid``, ``ExitCode``, ``OOMKilled`` and so on."""
        state: dict[str, Any] = self._inspect()["State"]
        return state

    def has_ended(self) -> bool:
        """Whether its main process is gone."""
        return self.state()["Status"] in {"exited", "stopped", "dead"}

    def execute(self, *argv: str) -> tuple[int, str]:
        """Run a program in the container, as its user: the exit code, and what it printed.

        A program that is not there is exit code 127, as a shell has it.
        """
        from podman.errors import APIError  # noqa: PLC0415 - loaded by whoever made the handle

        try:
            # Without demux the output is mixed with the frames' headers.
            code, output = self.handle.exec_run(list(argv), demux=True)
        except APIError as error:
            return 127, str(error)
        stdout, stderr = (part or b"" for part in output)
        return code, (stdout or stderr).decode(errors="replace").strip()

    def stop(self, seconds: int) -> float:
        """SIGTERM (or the image's own stop signal), and SIGKILL after ``seconds``.

        Returns:
            Seconds until it ended.
        """
        started = time.perf_counter()
        self.handle.stop(timeout=seconds)
        return time.perf_counter() - started

    def log(self) -> str:
        """The last lines of what it printed."""
        from podman.errors import APIError  # noqa: PLC0415 - loaded by whoever made the handle

        try:
            # Cut here: podman's own tail loses the beginning of a line that was written in pieces.
            said = bytearray()
            for piece in self.handle.logs(stdout=True, stderr=True):
                said += piece
                del said[:-_LOG_BYTES]
        except APIError as error:
            return f"(its log cannot be read: {error})"
        lines = said.decode(errors="replace").splitlines()[-_LOG_LINES:]
        return "\n".join(lines) or "(it printed nothing)"

    def ending(self) -> str:
        """How it ended, in words."""
        state = self.state()
        code = state["ExitCode"]
        if state.get("OOMKilled"):
            return "was killed: out of memory"
        signal = f", signal {code - 128}" if code > 128 else ""  # noqa: PLR2004 - as shells count
        said = f" ({state['Error']})" if state.get("Error") else ""
        return f"ended with exit code {code}{signal}{said}"

    def _inspect(self) -> dict[str, Any]:
        self.handle.reload()
        attrs: dict[str, Any] = self.handle.attrs
        return attrs


@contextmanager
def removed_afterwards(run: CommandRunner, events: EventSink) -> Iterator[str]:
    """A new name; when the block is left, however, no container has it.

    Podman's service has to end inside the block: whoever is interrupted does not see the end of
    a request that creates the container.

    Args:
        run: starts podman.
        events: told of a container that cannot be removed when another error is under way.

    Raises:
        EngineError: podman cannot remove the container, and nothing else went wrong.
    """
    name = f"builder-test-{secrets.token_hex(6)}"
    try:
        yield name
    except BaseException:
        # The first thing that went wrong is the one to tell; this comes from it, as a rule.
        try:
            _remove(name, run)
        except EngineError as left:
            events(Caution(left.message, left.hint))
        raise
    _remove(name, run)


def start(
    client: Any, check: HealthCheck, name: str, *, run: CommandRunner, events: EventSink
) -> Container:
    """A running container of the image.

    Raises:
        EngineError: podman cannot start it, or the port to publish is in use.
    """
    published = {f"{check.port}/tcp": ("127.0.0.1", check.publish or 0)}
    try:
        handle = _create(client, check, name, ports=published)
    except EngineError as error:
        if not _NO_NETWORK.search(error.message) or _PORT_IN_USE.search(error.message):
            raise
        _remove(name, run)
        reason = error.message.splitlines()[-1]
        events(
            Notice(f"no port can be published here, so the image is asked from inside ({reason})")
        )
        return Container(_create(client, check, name, network_mode="none"), None)
    handle.reload()
    bindings = handle.ports[f"{check.port}/tcp"]
    return Container(handle, int(bindings[0]["HostPort"]))


def _create(client: Any, check: HealthCheck, name: str, **network: Any) -> Any:
    def start() -> Any:
        handle = client.containers.create(
            check.image,
            name=name,
            labels={LABEL: check.image},
            environment=dict(check.env),
            **network,
        )
        handle.start()
        return handle

    return _in_plain_words(start, check)


def _in_plain_words(start: Callable[[], Any], check: HealthCheck) -> Any:
    from podman.errors import APIError  # noqa: PLC0415 - loaded by whoever made the client

    try:
        return start()
    except APIError as error:
        words = str(error.explanation or error)
        if _PORT_IN_USE.search(words):
            raise EngineError(
                f"podman cannot publish port {check.port} of {check.image} on 127.0.0.1:"
                f"{check.publish}: the port is in use. podman says: {words}",
                hint="choose another port, or none: a free one is found then",
            ) from error
        raise EngineError(
            f"podman cannot start {check.image}: {words}", hint=engine_hint(words)
        ) from error


def _remove(name: str, run: CommandRunner) -> None:
    """By the command line: it works when the service is what failed, and it need not wait.

    podman-py cannot say ``--time 0``; podman would give a container that ignores SIGTERM ten
    seconds more.
    """
    done = ask(run, "podman", "rm", "--force", "--ignore", "--time=0", "--volumes", name)
    if done.code:
        raise EngineError(
            f"podman cannot remove the container {name}: {done.last_words}",
            hint=f"podman rm --force {name}",
        )
