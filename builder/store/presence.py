"""Who is at work in a store: builds side by side, or one that removes things, alone.

The locks are those of ``flock``: the kernel drops them with their process, however that ends.
Everybody holds the file ``oci-layout`` as long as the process uses the store: shared, or alone.
Whoever wants to be alone holds the directory ``blobs`` meanwhile, so that new builds let him go
first: with builds that overlap all day, there would never be a moment without one.
"""

import contextlib
import errno
import fcntl
import os
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

from builder.errors import StoreError
from builder.events import Caution, EventSink, Notice

_UNABLE = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EINVAL})
"""What file systems say that have no such locks: some network ones, some of FUSE."""

_MANNERS_SECONDS = 30
"""How long a build lets go first who wants to be alone: he may wait for this build's parent."""
_PAUSE_SECONDS = 0.05

_presences: "weakref.WeakValueDictionary[tuple[int, int], Presence]" = weakref.WeakValueDictionary()
_meeting = threading.Lock()
_entering = threading.Lock()


class Presence:
    """That this process uses a store: as long as it lives, no other removes anything there.

    Attributes:
        root: the store's directory.
    """

    def __init__(self, root: Path, file: int | None) -> None:
        self.root = root
        self._file = file
        self._is_in = False
        if file is not None:
            # Closed, never unlocked: a child that was forked may still be at work.
            weakref.finalize(self, os.close, file).atexit = False

    @classmethod
    def of(cls, root: Path) -> "Presence":
        """The one of this process in a layout that is there; it may not have come in yet."""
        if (file := _open(root / "oci-layout", os.O_RDONLY)) is None:
            return cls(root, None)  # whoever may not even read that finds out soon enough
        with _meeting:
            identity = _identity(file)
            if known := _presences.get(identity):
                os.close(file)
                return known
            presence = _presences[identity] = cls(root, file)
            return presence

    def enter(self, events: EventSink) -> None:
        """Come in, after whoever is removing things.

        Args:
            events: told what is waited for.
        """
        with _entering:
            if not self._is_in:
                self._queue(events)
                self._is_in = True

    @contextlib.contextmanager
    def alone(self, events: EventSink, *, wait: bool = True) -> Iterator[bool]:
        """Be the only process in the store, after those that are at work.

        Inside, whether that is sure: on a file system without locks, nobody knows.

        Args:
            events: told what is waited for.
            wait: whether to wait at all.

        Raises:
            StoreError: others are at work, and nobody wants to wait.
        """
        self._lock(fcntl.LOCK_UN)
        try:
            with self._line() as line, self._door() as door:
                self._be_alone(line, door, events, wait=wait)
                if not (is_sure := _is_locked(door)):
                    text = f"{self.root}: its file system has no locks: nobody knows who uses it"
                    events(Caution(text, "make sure that no build runs meanwhile"))
                yield is_sure
        finally:
            # Given up, or done: either way nobody shall wait here once more.
            _try(self._file, fcntl.LOCK_SH)

    @contextlib.contextmanager
    def alone_at_once(self) -> Iterator[bool]:
        """Be the only process in the store, if it is just now: inside, whether it is."""
        self._lock(fcntl.LOCK_UN)
        try:
            with self._door() as door:
                is_alone = _try(door, fcntl.LOCK_EX) and _is_locked(door)
                if not is_alone:
                    self._lock(fcntl.LOCK_SH)
                yield is_alone
        finally:
            _try(self._file, fcntl.LOCK_SH)

    def _queue(self, events: EventSink) -> None:
        with self._line() as line:
            if not _try(line, fcntl.LOCK_SH):
                events(Notice(f"waiting for {self._others(line)} to prune {self.root}"))
                until = time.monotonic() + _MANNERS_SECONDS
                while not _try(line, fcntl.LOCK_SH) and time.monotonic() < until:
                    time.sleep(_PAUSE_SECONDS)
        if self._file is not None and not _try(self._file, fcntl.LOCK_SH):
            events(Notice(f"waiting for {self._others(self._file)} to prune {self.root}"))
            self._lock(fcntl.LOCK_SH)

    def _be_alone(
        self, line: int | None, door: int | None, events: EventSink, *, wait: bool
    ) -> None:
        for file, doing in ((line, "prune"), (door, "use")):
            # A build that comes in holds the line for a moment.
            if file is None or _try(file, fcntl.LOCK_EX, attempts=5):
                continue
            others = self._others(file)
            if not wait:
                hint = "try again when they are done, or let this wait: without --no-wait"
                raise StoreError(f"{self.root} is in use by {others}", hint=hint)
            events(Notice(f"waiting for {others} to {doing} {self.root} no more"))
            fcntl.flock(file, fcntl.LOCK_EX)

    def _line(self) -> contextlib.AbstractContextManager[int | None]:
        return _opened(self.root / "blobs", os.O_RDONLY | os.O_DIRECTORY)

    def _door(self) -> contextlib.AbstractContextManager[int | None]:
        # NFS locks alone only what may be written. Not for as long as the store is used: a disk
        # with such a file cannot be made read-only.
        return _opened(self.root / "oci-layout", os.O_RDWR, os.O_RDONLY)

    def _lock(self, how: int) -> bool:
        return self._file is not None and _lock(self._file, how)

    def _others(self, file: int | None) -> str:
        found = sorted(set(_holders(file)) - {os.getpid()}) if file is not None else []
        if not found:
            return "another process"
        return f"process{'es' if found[1:] else ''} {', '.join(map(str, found))}"


def _lock(file: int, how: int) -> bool:
    """Take a lock, or give it back; whether the file system has such locks."""
    try:
        fcntl.flock(file, how)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
        return False
    return True


def _try(file: int | None, how: int, *, attempts: int = 1) -> bool:
    """Take a lock when nobody is in the way; where there are no locks, nobody is."""
    if file is None:
        return True
    for attempt in range(attempts):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        with contextlib.suppress(BlockingIOError):
            _lock(file, how | fcntl.LOCK_NB)
            return True
    return False


@contextlib.contextmanager
def _opened(path: Path, *modes: int) -> Iterator[int | None]:
    file = _open(path, *modes)
    try:
        yield file
    finally:
        if file is not None:
            os.close(file)


def _open(path: Path, *modes: int) -> int | None:
    """A file in the first mode in which it can be opened."""
    for mode in modes:
        with contextlib.suppress(OSError):
            return os.open(path, mode | os.O_CLOEXEC)
    return None


def _is_locked(file: int | None) -> bool:
    """Whether what nobody refused is a lock, and not a file system without."""
    return file is not None and _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _identity(file: int) -> tuple[int, int]:
    found = os.fstat(file)
    return found.st_dev, found.st_ino


def _holders(file: int) -> Iterator[int]:
    """The processes that hold a lock on a file, as far as the kernel tells.

    https://man7.org/linux/man-pages/man5/proc_locks.5.html
    """
    device, inode = _identity(file)
    place = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            # A waiting one has an arrow in its second column; who is elsewhere has number 0.
            match line.split():
                case [_, "FLOCK", _, _, pid, where, *_] if where == place and int(pid) > 0:
                    yield int(pid)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """A short time in which nobody else of those who call this changes a directory.

    Raises:
        OSError: the directory cannot be opened.
    """
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
