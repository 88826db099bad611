"""Debian's real registry, ``docker-registry``, on a loopback port of its own."""

import ctypes
import http.client
import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
_ANSWERED = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d{3}) ')
_MARK = "end-of-list-"
_PATIENCE = 10.0
_SALT = b"$2b$05$abcdefghijklmnopqrstuu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request that the registry answered; ``path`` holds the query too."""

    method: str
    path: str
    status: int


class Registry:
    """A registry that keeps its blobs in ``storage`` and runs while its context is open.

    Without ``users`` (names and passwords) it is open to everyone, else it asks for Basic
    authentication.
    """

    def __init__(self, storage: Path, *, users: Mapping[str, str] | None = None) -> None:
        self.storage = storage
        self._users = users or {}
        self._access = storage / "access.log"
        self._log = storage / "registry.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._host = ""

    @property
    def host(self) -> str:
        """The address as references have it: ``127.0.0.1:PORT``."""
        return self._host

    @property
    def url(self) -> str:
        """The address as HTTP clients have it."""
        return f"http://{self.host}"

    def __enter__(self) -> Self:
        self.storage.mkdir(parents=True, exist_ok=True)
        config = self.storage / "config.json"  # YAML is a superset of JSON
        config.write_text(json.dumps(self._config()))
        # An environ of our own: REGISTRY_* variables would change the config.
        with self._access.open("wb") as access, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", config],
                stdin=subprocess.DEVNULL,
                stdout=access,
                stderr=log,
                env={"PATH": "/usr/bin:/bin"},
            )
        try:
            process = self._process
            self._host = _wait_for(lambda: self._address(process), self._log)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process; a test may do so early, to see what a dead registry looks like."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def requests(self) -> list[Request]:
        """What was asked since the start, in the order of the answers.

        A line is written just after its answer is sent, so a request of our own ends the list.
        """
        mark = f"/{_MARK}{uuid.uuid4()}"
        connection = http.client.HTTPConnection(self.host, timeout=_PATIENCE)
        with closing(connection):
            connection.request("GET", mark)
            connection.getresponse().read()
        lines = _wait_for(lambda: self._lines_up_to(mark), self._access)
        found = filter(None, map(_ANSWERED.search, lines))
        asked = [
            Request(method=m["method"], path=m["path"], status=int(m["status"])) for m in found
        ]
        return [request for request in asked if _MARK not in request.path]

    def _lines_up_to(self, mark: str) -> list[str] | None:
        lines = self._access.read_text().splitlines()
        return lines if any(mark in line for line in lines) else None

    def _config(self) -> dict[str, object]:
        config: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "info", "formatter": "text", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.storage / "data")},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            # Port 0: the kernel chooses, so no other process can take the port first.
            "http": {"addr": "127.0.0.1:0", "secret": "of no use to anyone"},
        }
        if self._users:
            passwords = self.storage / "htpasswd"
            lines = [f"{name}:{_bcrypt(password)}\n" for name, password in self._users.items()]
            passwords.write_text("".join(lines))
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(passwords)}}
        return config

    def _address(self, process: subprocess.Popen[bytes]) -> str | None:
        log = self._log.read_text()
        if process.poll() is not None:
            raise RuntimeError(f"docker-registry exited {process.returncode}\n{log}")
        listening = _LISTENING.search(log)
        return listening[1] if listening else None


def _wait_for[T](ask: Callable[[], T | None], log: Path) -> T:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if (answer := ask()) is not None:
            return answer
        time.sleep(0.01)
    raise TimeoutError(f"docker-registry: nothing for {_PATIENCE} s\n{log.read_text()}")


def _bcrypt(password: str) -> str:
    """The only hash that the registry takes; Python has none, the C library of the login does."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    hashed: bytes = library.crypt(password.encode(), _SALT)
    return hashed.decode()
