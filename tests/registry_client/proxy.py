"""A reverse proxy in front of a real registry, in which a plan of faults happens."""

import http.client
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.registry import Registry
from tests.registry_client.faults import Fault, FaultPlan, Kind, Operation, operation_of
from tests.registry_client.serving import Handler, Server, running

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date"}
_WRONG_DIGEST = f"sha256:{'0' * 64}"
_REFUSALS = {
    Kind.MOUNT_403: (403, "DENIED"),
    Kind.MOUNT_404: (404, "NAME_UNKNOWN"),
    Kind.MOUNT_405: (405, "UNSUPPORTED"),
    Kind.PUT_413: (413, "SIZE_INVALID"),
    Kind.REFERRERS_404: (404, "NOT_FOUND"),
    Kind.STATUS_408: (408, "UNAVAILABLE"),
    Kind.STATUS_429: (429, "TOOMANYREQUESTS"),
    Kind.STATUS_500: (500, "UNKNOWN"),
    Kind.STATUS_502: (502, "UNAVAILABLE"),
    Kind.STATUS_503: (503, "UNAVAILABLE"),
    Kind.STATUS_504: (504, "UNAVAILABLE"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request that came in.

    Attributes:
        path: with its query.
        headers: names in lower case.
        status: of the answer; 0 when there was none.
        sent: bytes of the request's body that were read.
        fault: what happened to it.
    """

    method: str
    path: str
    operation: Operation
    headers: Mapping[str, str]
    status: int
    sent: int
    fault: Kind | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True, kw_only=True)
class FaultProxy:
    """What a test knows of a running proxy.

    Attributes:
        registry: behind it.
        plan: may be exchanged between requests.
        stall_seconds: how long it is silent, at most, where a fault says so.
        pause_seconds: between two pieces of a slow answer.
        retry_after: what an answer 429 says, in seconds.
        host: the proxy's address, to be asked instead of the registry's.
        storage_host: where redirects lead.
    """

    registry: Registry
    plan: FaultPlan = field(default_factory=FaultPlan)
    stall_seconds: float = 5
    pause_seconds: float = 0.001
    retry_after: int = 1
    host: str = ""
    url: str = ""
    storage_host: str = ""
    storage_url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: list[Seen] = field(default_factory=list)
    _stored: list[Seen] = field(default_factory=list)
    _redirected: dict[str, tuple[str, str]] = field(default_factory=dict)

    def seen(self, *operations: Operation) -> list[Seen]:
        """What was asked of the proxy, of those operations or of all."""
        with self._lock:
            return [seen for seen in self._seen if not operations or seen.operation in operations]

    def seen_by_storage(self) -> list[Seen]:
        """What was asked of the host where redirects lead."""
        with self._lock:
            return list(self._stored)

    def note(self, seen: Seen, *, is_storage: bool) -> None:
        with self._lock:
            (self._stored if is_storage else self._seen).append(seen)

    def store(self, path: str, authorization: str) -> str:
        """The address at the other host of what is at ``path``."""
        name = str(uuid.uuid4())
        with self._lock:
            self._redirected[f"/{name}"] = (path, authorization)
        return f"{self.storage_url}/{name}"

    def stored(self, path: str) -> tuple[str, str] | None:
        with self._lock:
            return self._redirected.get(path)

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, promised: int
    ) -> _Answer | None:
        """The registry's answer; None when less was sent to it than promised, and it is let be."""
        with closing(self.registry.connect()) as connection:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if promised or method in {"PUT", "POST", "PATCH"}:
                connection.putheader("Content-Length", str(promised))
            connection.endheaders()
            # A registry that has heard enough answers, and may not listen any further.
            with suppress(ConnectionError):
                connection.send(body)
            if len(body) < promised:
                return None
            answer = connection.getresponse()
            return _Answer(
                status=answer.status, headers=dict(_passed_on(answer)), body=answer.read()
            )

    def challenge(self, path: str) -> str:
        """How the registry asks for credentials to push what ``path`` belongs to."""
        with closing(self.registry.connect()) as connection:
            connection.request("GET", "/v2/")
            answer = connection.getresponse()
            answer.read()
        field_ = answer.headers.get("WWW-Authenticate", 'Basic realm="tests"')
        if not field_.lower().startswith("bearer"):
            return field_
        name = path.removeprefix("/v2/").partition("/blobs/")[0].partition("/manifests/")[0]
        return f'{field_},scope="repository:{name}:pull,push",error="invalid_token"'


class _Front(Handler):
    """Answers as the registry does, but for the plan's faults."""

    proxy: FaultProxy

    def handle_any(self) -> None:
        operation = operation_of(self.command, self.path)
        length = self.headers.get("Content-Length", "0")
        fault = self.proxy.plan.take(
            operation,
            has_body=length != "0" or "Transfer-Encoding" in self.headers,
            has_range="Range" in self.headers,
        )
        kind = fault.kind if fault else None
        if kind is Kind.RESET_AFTER_HEAD:
            self._note(operation, 0, 0, kind)
            self.reset()
            return
        if fault and kind is Kind.RESET_UPLOAD:
            self._break_upload(operation, fault)
            return
        body = self.read_body()
        if fault and kind is Kind.CORRUPT_UPLOAD:
            body = _flipped(body, fault.tenth)
        answer = self._instead(fault) or _altered(self._forward(fault, body), fault, self)
        is_heard = kind not in {Kind.RESET_BEFORE_ANSWER, Kind.STALL_ANSWER}
        self._note(operation, answer.status if is_heard else 0, len(body), kind)
        if kind is Kind.STALL_ANSWER:
            self.stall(self.proxy.stall_seconds)
        if is_heard:
            self._send(answer, fault)
        else:
            self.reset()

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def _note(self, operation: Operation, status: int, sent: int, kind: Kind | None) -> None:
        seen = Seen(
            method=self.command,
            path=self.path,
            operation=operation,
            headers={name.lower(): value for name, value in self.headers.items()},
            status=status,
            sent=sent,
            fault=kind,
        )
        self.proxy.note(seen, is_storage=False)

    def _break_upload(self, operation: Operation, fault: Fault) -> None:
        body = self.read_body(fault.tenth / 10)
        if "Content-Length" in self.headers:
            promised = int(self.headers["Content-Length"])
        else:
            promised, body = len(body), body[: len(body) * fault.tenth // 10]
        self.proxy.ask(self.command, self.path, self._headers(), body, promised)
        self._note(operation, 0, len(body), fault.kind)
        self.reset()

    def _instead(self, fault: Fault | None) -> _Answer | None:
        """The answer to a request that the registry never hears of."""
        if fault is None:
            return None
        if fault.kind is Kind.EXPIRED_TOKEN:
            answer = _refusal(401, "UNAUTHORIZED")
            answer.headers["WWW-Authenticate"] = self.proxy.challenge(self.path)
            return answer
        if fault.kind is Kind.REDIRECT:
            where = self.proxy.store(self.path, self.headers.get("Authorization", ""))
            return _Answer(status=307, headers={"Location": where}, body=b"")
        if fault.kind not in _REFUSALS:
            return None
        answer = _refusal(*_REFUSALS[fault.kind])
        if fault.kind is Kind.STATUS_429:
            answer.headers["Retry-After"] = str(self.proxy.retry_after)
        return answer

    def _forward(self, fault: Fault | None, body: bytes) -> _Answer:
        path, headers = self.path, self._headers()
        if fault and fault.kind is Kind.MOUNT_202:
            path = path.partition("?")[0]
        if fault and fault.kind is Kind.RANGE_IGNORED:
            headers.pop("Range", None)
        answer = self.proxy.ask(self.command, path, headers, body, len(body))
        return answer or _refusal(502, "UNAVAILABLE")

    def _headers(self) -> dict[str, str]:
        return {n: v for n, v in self.headers.items() if n.lower() not in _HOP_BY_HOP}

    def _send(self, answer: _Answer, fault: Fault | None) -> None:
        kind = fault.kind if fault else None
        part = len(answer.body) * fault.tenth // 10 if fault else 0
        if kind is Kind.SLOW_ANSWER:
            self._dribble(answer)
        elif kind in {Kind.RESET_DOWNLOAD, Kind.TRUNCATED_BODY, Kind.STALL_BODY}:
            self.send_head(answer.status, answer.headers, answer.body)
            self.wfile.write(answer.body[:part])
            if kind is Kind.STALL_BODY:
                self.stall(self.proxy.stall_seconds)
            if kind is Kind.TRUNCATED_BODY:
                self.close_connection = True
            else:
                self.reset()
        else:
            body = answer.body[:part] if kind is Kind.SHORT_BODY else answer.body
            self.answer(answer.status, answer.headers, body)

    def _dribble(self, answer: _Answer) -> None:
        self.send_head(answer.status, answer.headers, answer.body)
        size = max(1, len(answer.body) // 20)
        body = answer.body if self.command != "HEAD" else b""
        for start in range(0, len(body), size):
            self.server.ending.wait(self.proxy.pause_seconds)
            self.wfile.write(body[start : start + size])


class _Storage(Handler):
    """The other host: gives what it was told of, to whoever knows the address."""

    proxy: FaultProxy

    def do_GET(self) -> None:  # noqa: N802 - http.server's word
        found = self.proxy.stored(self.path)
        answer = _refusal(404, "NOT_FOUND")
        if found:
            path, authorization = found
            wanted = {"Authorization": authorization, "Range": self.headers.get("Range", "")}
            given = {name: value for name, value in wanted.items() if value}
            answer = self.proxy.ask("GET", path, given, b"", 0) or answer
        seen = Seen(
            method=self.command,
            path=self.path,
            operation=Operation.OTHER,
            headers={name.lower(): value for name, value in self.headers.items()},
            status=answer.status,
            sent=0,
            fault=None,
        )
        self.proxy.note(seen, is_storage=True)
        self.answer(answer.status, answer.headers, answer.body)


@contextmanager
def faulty(
    registry: Registry, plan: FaultPlan | None = None, **settings: Any
) -> Iterator[FaultProxy]:
    """A running proxy in front of ``registry``; it speaks TLS as the registry does.

    In front of a registry with certificates it wants the same client certificate, and is entered
    in the registry's ``certs_dir`` beside it. ``settings`` are those of ``FaultProxy``.
    """
    proxy = FaultProxy(registry=registry, plan=plan or FaultPlan(), **settings)
    signed = registry.certificates
    front = Server(
        type("_BoundFront", (_Front,), {"proxy": proxy}),
        signed.server_context(wants_client=True) if signed else None,
    )
    storage = Server(
        type("_BoundStorage", (_Storage,), {"proxy": proxy}),
        signed.server_context(wants_client=False) if signed else None,
    )
    proxy.host, proxy.url = front.host, front.url
    proxy.storage_host, proxy.storage_url = storage.host, storage.url
    if signed and registry.certs_dir:
        signed.write_certs_d(registry.certs_dir, proxy.host)
    with running(storage), running(front):
        yield proxy


def _passed_on(answer: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
    has_no_body = answer.length == 0 or answer.status == 204
    for name, value in answer.getheaders():
        # The length of what is not sent, in answer to HEAD, is nowhere else.
        if name.lower() not in _HOP_BY_HOP or (has_no_body and name.lower() == "content-length"):
            yield name, value


def _altered(answer: _Answer, fault: Fault | None, front: _Front) -> _Answer:
    """The registry's answer with its addresses turned to the proxy, and a fault's lies in it."""
    headers, body, proxy = dict(answer.headers), answer.body, front.proxy
    if location := headers.get("Location"):
        place = urlsplit(location)
        headers["Location"] = place._replace(scheme="", netloc="").geturl()
        if not (fault and fault.kind is Kind.LOCATION_RELATIVE):
            headers["Location"] = proxy.url + headers["Location"]
    match fault.kind if fault else None:
        case Kind.LOCATION_MISSING:
            headers.pop("Location", None)
        case Kind.DIGEST_MISSING:
            headers.pop("Docker-Content-Digest", None)
        case Kind.DIGEST_WRONG if "Docker-Content-Digest" in headers:
            headers["Docker-Content-Digest"] = _WRONG_DIGEST
        case Kind.RANGE_WRONG if "Range" in headers:
            headers["Range"] = _wrong_range(headers["Range"])
        case Kind.CORRUPT_BODY if fault:
            body = _flipped(body, fault.tenth)
        case _:
            pass
    return _Answer(status=answer.status, headers=headers, body=body)


def _wrong_range(range_: str) -> str:
    first, _, last = range_.rpartition("-")
    return f"{first}-{int(last) // 2 + 1}"


def _flipped(body: bytes, tenth: int) -> bytes:
    if not body:
        return body
    changed = bytearray(body)
    changed[min(len(body) * tenth // 10, len(body) - 1)] ^= 1
    return bytes(changed)


def _refusal(status: int, code: str) -> _Answer:
    message = "a fault of the tests' own"
    body = f'{{"errors":[{{"code":"{code}","message":"{message}"}}]}}'.encode()
    return _Answer(status=status, headers={"Content-Type": "application/json"}, body=body)
