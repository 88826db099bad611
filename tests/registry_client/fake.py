"""A server for faults that a real registry cannot be made to have."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True, kw_only=True)
class Answer:
    """What to say to one request; ``promised`` more bytes are announced than are sent."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    promised: int = 0


def refused(status: int, code: str = "", message: str = "", **headers: str) -> Answer:
    """An answer in the specification's form of an error."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, body=body if code else b"", headers=named)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class FaultyServer:
    """Answers by path: in order, the last answer again and again; else 404."""

    host: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def on(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def take(self, path: str) -> Answer:
        answers = self.answers.get(path) or self.answers.get(path.partition("?")[0]) or []
        if not answers:
            return refused(404, "MANIFEST_UNKNOWN", "manifest unknown")
        return answers.pop(0) if len(answers) > 1 else answers[0]


@contextlib.contextmanager
def faulty_server() -> Iterator[FaultyServer]:
    """Run one on a loopback port."""

    def answer(asked: Asked) -> Answer:
        server.asked.append(asked)
        return server.take(asked.path)

    with answering(answer) as host:
        server = FaultyServer(host)
        yield server


@contextlib.contextmanager
def answering(answer: Callable[[Asked], Answer]) -> Iterator[str]:
    """Serve on a loopback port whatever ``answer`` gives; host and port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            self._say(answer(Asked(self.command, self.path, headers, body)))

        # The names that the base class looks for.
        do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815

        def _say(self, said: Answer) -> None:
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body) + said.promised))
            self.end_headers()
            self.wfile.write(said.body)
            self.close_connection = bool(said.promised)

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{http.server_address[1]}"
        finally:
            http.shutdown()
            thread.join()


def closed_port() -> str:
    """An address on this machine where nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as http:
        return f"127.0.0.1:{http.server_address[1]}"
