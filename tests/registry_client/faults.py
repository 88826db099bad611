"""What may go wrong between a client and a registry, and a plan of when it does."""

import random
import re
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Self
from urllib.parse import parse_qs

FOR_EVER = 1 << 30


class Operation(StrEnum):
    """What a request is, in the words of the distribution specification."""

    PING = auto()
    TAGS = auto()
    MANIFEST_HEAD = auto()
    MANIFEST_GET = auto()
    MANIFEST_PUT = auto()
    BLOB_HEAD = auto()
    BLOB_GET = auto()
    MOUNT = auto()
    START = auto()
    CHUNK = auto()
    FINISH = auto()
    STATUS = auto()
    CANCEL = auto()
    REFERRERS = auto()
    OTHER = auto()


_PATHS = (
    (re.compile(r"/v2/"), {"GET": Operation.PING}),
    (re.compile(r"/v2/.+/tags/list"), {"GET": Operation.TAGS}),
    (re.compile(r"/v2/.+/referrers/[^/]+"), {"GET": Operation.REFERRERS}),
    (re.compile(r"/v2/.+/blobs/uploads/"), {"POST": Operation.START}),
    (
        re.compile(r"/v2/.+/blobs/uploads/[^/]+"),
        {
            "PATCH": Operation.CHUNK,
            "PUT": Operation.FINISH,
            "GET": Operation.STATUS,
            "DELETE": Operation.CANCEL,
        },
    ),
    (
        re.compile(r"/v2/.+/blobs/[^/]+"),
        {"HEAD": Operation.BLOB_HEAD, "GET": Operation.BLOB_GET},
    ),
    (
        re.compile(r"/v2/.+/manifests/[^/]+"),
        {
            "HEAD": Operation.MANIFEST_HEAD,
            "GET": Operation.MANIFEST_GET,
            "PUT": Operation.MANIFEST_PUT,
        },
    ),
)
_ALL = frozenset(Operation) - {Operation.CANCEL}
_UPLOADS = frozenset({Operation.CHUNK, Operation.FINISH})
_STARTS = frozenset({Operation.START, Operation.MOUNT, Operation.CHUNK})
_READS = frozenset({Operation.BLOB_GET, Operation.MANIFEST_GET})
_BLOB = frozenset({Operation.BLOB_GET})
_MOUNT = frozenset({Operation.MOUNT})
_DIGESTS = frozenset(
    {
        Operation.MANIFEST_HEAD,
        Operation.MANIFEST_GET,
        Operation.MANIFEST_PUT,
        Operation.BLOB_HEAD,
        Operation.FINISH,
    }
)


def operation_of(method: str, target: str) -> Operation:
    path, _, query = target.partition("?")
    for pattern, methods in _PATHS:
        if pattern.fullmatch(path):
            found = methods.get(method, Operation.OTHER)
            if found is Operation.START and "mount" in parse_qs(query):
                return Operation.MOUNT
            return found
    return Operation.OTHER


class Kind(StrEnum):
    """One way to go wrong; ``KINDS`` says which requests it can happen to."""

    STATUS_408 = auto()
    STATUS_429 = auto()  # with Retry-After
    STATUS_500 = auto()
    STATUS_502 = auto()
    STATUS_503 = auto()
    STATUS_504 = auto()
    RESET_AFTER_HEAD = auto()  # the request's body is not read
    RESET_BEFORE_ANSWER = auto()  # the registry did what was asked, and nobody hears of it
    RESET_UPLOAD = auto()  # after some tenths of the request's body, which the registry gets
    RESET_DOWNLOAD = auto()  # after some tenths of the answer's body
    SLOW_ANSWER = auto()  # by and by, and whole in the end
    STALL_ANSWER = auto()  # nothing comes
    STALL_BODY = auto()  # some tenths of the answer's body, then nothing
    SHORT_BODY = auto()  # some tenths of it, announced as that
    TRUNCATED_BODY = auto()  # some tenths of it, announced as all, and an orderly end
    CORRUPT_BODY = auto()  # one byte of the answer's body is another
    CORRUPT_UPLOAD = auto()  # one byte of the request's body is another
    EXPIRED_TOKEN = auto()
    LOCATION_RELATIVE = auto()
    LOCATION_ABSOLUTE = auto()
    LOCATION_MISSING = auto()
    REDIRECT = auto()  # 307 to another host
    DIGEST_MISSING = auto()
    DIGEST_WRONG = auto()
    MOUNT_202 = auto()
    MOUNT_403 = auto()
    MOUNT_404 = auto()
    MOUNT_405 = auto()
    PUT_413 = auto()  # of a blob in one piece
    REFERRERS_404 = auto()
    RANGE_IGNORED = auto()  # 200 and all of it
    RANGE_WRONG = auto()  # a status that has less than there is


KINDS: dict[Kind, frozenset[Operation]] = {
    **dict.fromkeys((k for k in Kind if k.startswith("status_")), _ALL),
    Kind.RESET_AFTER_HEAD: _ALL,
    Kind.RESET_BEFORE_ANSWER: _ALL,
    Kind.RESET_UPLOAD: _UPLOADS,
    Kind.RESET_DOWNLOAD: _BLOB,
    Kind.SLOW_ANSWER: _ALL,
    Kind.STALL_ANSWER: _ALL,
    Kind.STALL_BODY: _READS,
    Kind.SHORT_BODY: _BLOB,
    Kind.TRUNCATED_BODY: _BLOB,
    Kind.CORRUPT_BODY: _READS,
    # Not to what is put by tag, unless a test says so: whatever comes, a registry names it. A
    # client sees that and sends it again, but after its last try it has no way left to mend it.
    Kind.CORRUPT_UPLOAD: _UPLOADS,
    Kind.EXPIRED_TOKEN: _UPLOADS | {Operation.MANIFEST_PUT},
    Kind.LOCATION_RELATIVE: _STARTS,
    Kind.LOCATION_ABSOLUTE: _STARTS,
    Kind.LOCATION_MISSING: _STARTS,
    Kind.REDIRECT: _BLOB,
    Kind.DIGEST_MISSING: _DIGESTS,
    Kind.DIGEST_WRONG: _DIGESTS,
    **dict.fromkeys((k for k in Kind if k.startswith("mount_")), _MOUNT),
    Kind.PUT_413: frozenset({Operation.FINISH}),
    Kind.REFERRERS_404: frozenset({Operation.REFERRERS}),
    Kind.RANGE_IGNORED: _BLOB,
    Kind.RANGE_WRONG: frozenset({Operation.STATUS}),
}

HABITS = frozenset(
    {
        Kind.LOCATION_RELATIVE,
        Kind.LOCATION_ABSOLUTE,
        Kind.REDIRECT,
        Kind.DIGEST_MISSING,
        Kind.MOUNT_202,
        Kind.MOUNT_403,
        Kind.MOUNT_404,
        Kind.MOUNT_405,
        Kind.PUT_413,
        Kind.REFERRERS_404,
        Kind.RANGE_IGNORED,
    }
)
"""What a registry does every time, if it does it at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: what.
        skip: so many of the requests that it can happen to pass first.
        times: and to so many it happens then.
        tenth: where in the body, for the kinds that have a place: 0 to 10.
        at: the requests it can happen to; those of ``KINDS`` when empty.
    """

    kind: Kind
    skip: int = 0
    times: int = 1
    tenth: int = 5
    at: frozenset[Operation] = frozenset()

    def fits(self, operation: Operation, *, has_body: bool, has_range: bool) -> bool:
        if operation not in (self.at or KINDS[self.kind]):
            return False
        if self.kind is Kind.RANGE_IGNORED:
            return has_range
        # An upload of chunks ends with an empty body, in which nothing can go wrong halfway.
        needs_body = self.kind in {Kind.PUT_413, Kind.RESET_UPLOAD, Kind.CORRUPT_UPLOAD}
        return has_body or not needs_body


class FaultPlan:
    """Hands each fault to the requests that it is meant for; threads may share it."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._met = [0] * len(self.faults)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"FaultPlan({list(self.faults)})"

    @classmethod
    def random(cls, seed: int, kinds: Collection[Kind] = tuple(Kind)) -> Self:
        """One to four faults, the same ones for the same seed."""
        dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        ordered = sorted(kinds)
        return cls(_random_fault(dice, dice.choice(ordered)) for _ in range(dice.randint(1, 4)))

    def take(self, operation: Operation, *, has_body: bool, has_range: bool) -> Fault | None:
        """The fault that happens to a request: the first of those whose turn it is."""
        chosen: Fault | None = None
        with self._lock:
            for place, fault in enumerate(self.faults):
                if not fault.fits(operation, has_body=has_body, has_range=has_range):
                    continue
                met, self._met[place] = self._met[place], self._met[place] + 1
                if chosen is None and fault.skip <= met < fault.skip + fault.times:
                    chosen = fault
        return chosen


def _random_fault(dice: random.Random, kind: Kind) -> Fault:
    if kind in HABITS:
        return Fault(kind=kind, times=FOR_EVER)
    # Half of those that may happen to any request happen to one that sends something.
    anywhere = KINDS[kind] == _ALL and dice.random() < 0.5
    return Fault(
        kind=kind,
        skip=dice.randint(0, 4),
        times=dice.choice((1, 1, 1, 1, 2, 3, 6)),
        tenth=dice.randint(0, 10),
        at=_UPLOADS | {Operation.MANIFEST_PUT} if anywhere else frozenset(),
    )
