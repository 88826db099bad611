"""System accounts, as Debian's ``adduser`` and the shadow tools leave them.

https://manpages.debian.org/bookworm/adduser/adduser.8.en.html
"""

from collections.abc import Iterator
from dataclasses import dataclass

from builder.debian.effects.mutable_root import MutableRoot
from layers.entries import Owner

_FIRST, _LAST = 100, 999  # FIRST_SYSTEM_UID and the like of adduser.conf
_NO_GROUP = 65534
_NO_LOGIN = "/usr/sbin/nologin"
_PASSWD, _GROUP, _SHADOW, _GSHADOW = "etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A line of ``/etc/passwd``; numbers that are None are the next free ones."""

    name: str
    uid: int | None = None
    gid: int | None = None
    comment: str = ""
    home: str = "/nonexistent"
    shell: str = _NO_LOGIN


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of a root.

    The day of the last password change stays empty in ``/etc/shadow``: it would be the clock's.
    """

    files: MutableRoot

    def uid(self, name: str) -> int | None:
        """A user's number."""
        return self._number(_PASSWD, name)

    def gid(self, name: str) -> int | None:
        """A group's number."""
        return self._number(_GROUP, name)

    def line(self, database: str, name: str) -> str | None:
        """The line of a user in ``passwd``, or a group in ``group``, by name or number."""
        for line in self._lines(f"etc/{database}"):
            fields = line.split(":")
            if name == fields[0] or (name.isdecimal() and fields[2:3] == [name]):
                return line
        return None

    def name(self, database: str, number: int) -> str:
        """The name of a user in ``passwd``, or a group in ``group``; ``UNKNOWN`` without one."""
        for line in self._lines(f"etc/{database}"):
            if line.split(":")[2:3] == [str(number)]:
                return line.partition(":")[0]
        return "root" if not number else "UNKNOWN"

    def owner(self, text: str, before: Owner) -> Owner | None:
        """What ``chown`` makes of ``user``, ``user:group``, ``:group``; None for unknown names."""
        user, _, group = text.replace(".", ":", 1).partition(":")
        uid = self._id(_PASSWD, user) if user else before.uid
        gid = self._id(_GROUP, group) if group else before.gid
        return None if uid is None or gid is None else Owner(uid, gid)

    def add_group(self, name: str, gid: int | None = None) -> int:
        """Add a group, unless there is one of that name; its number."""
        existing = self.gid(name)
        if existing is not None:
            return existing
        number = self._free(_GROUP) if gid is None else gid
        self._append(_GROUP, f"{name}:x:{number}:")
        self._append(_GSHADOW, f"{name}:!::")
        return number

    def add_user(self, user: User, *, group: bool = False) -> None:
        """Add a user, unless there is one of that name.

        Args:
            user: without a group it is one of ``nogroup``.
            group: whether it gets a group of its own name.
        """
        if self.uid(user.name) is not None:
            return
        gid = self.add_group(user.name) if group else user.gid
        gid = _NO_GROUP if gid is None else gid
        uid = self._free(_PASSWD) if user.uid is None else user.uid
        fields = (user.name, "x", str(uid), str(gid), user.comment, user.home, user.shell)
        self._append(_PASSWD, ":".join(fields))
        self._append(_SHADOW, f"{user.name}:!:::::::")

    def add_member(self, name: str, group: str) -> None:
        """Put a user into a group."""
        for path, field_ in ((_GROUP, 3), (_GSHADOW, 3)):
            self._replace(
                path, [_with_member(line, name, group, field_) for line in self._lines(path)]
            )

    def hide_passwords(self) -> None:
        """Move passwords to ``shadow`` and ``gshadow``, as ``shadowconfig on`` does."""
        if self._lines(_PASSWD) and not self.files.is_file(_SHADOW):
            self._hide(_PASSWD, _SHADOW, "{0}:{1}::0:99999:7:::")
        if self._lines(_GROUP) and not self.files.is_file(_GSHADOW):
            self._hide(_GROUP, _GSHADOW, "{0}:{1}::")

    def _hide(self, path: str, shadow: str, form: str) -> None:
        lines = [line.split(":") for line in self._lines(path)]
        self._replace(shadow, [form.format(fields[0], fields[1]) for fields in lines], secret=True)
        self._replace(path, [":".join([fields[0], "x", *fields[2:]]) for fields in lines])

    def _id(self, path: str, name: str) -> int | None:
        return int(name) if name.isdecimal() else self._number(path, name)

    def _number(self, path: str, name: str) -> int | None:
        for line in self._lines(path):
            fields = line.split(":")
            if fields[0] == name and fields[2:] and fields[2].isdecimal():
                return int(fields[2])
        return None

    def _free(self, path: str) -> int:
        taken = {line.split(":")[2] for line in self._lines(path) if line.count(":") > 1}
        return next(n for n in _numbers() if str(n) not in taken)

    def _lines(self, path: str) -> list[str]:
        return [line for line in self.files.text(path).split("\n") if line]

    def _append(self, path: str, line: str) -> None:
        secret = path in {_SHADOW, _GSHADOW}
        if not secret or self.files.is_file(path):
            self._replace(path, [*self._lines(path), line], secret=secret)

    def _replace(self, path: str, lines: list[str], *, secret: bool | None = None) -> None:
        secret = path in {_SHADOW, _GSHADOW} if secret is None else secret
        owner = Owner(0, (self.gid("shadow") or 0) if secret else 0)
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        self.files.write(path, data, mode=0o640 if secret else 0o644, owner=owner)


def _numbers() -> Iterator[int]:
    yield from range(_FIRST, _LAST + 1)
    yield from range(_LAST + 1, _NO_GROUP)


def _with_member(line: str, name: str, group: str, index: int) -> str:
    fields = line.split(":")
    if fields[0] != group or len(fields) <= index:
        return line
    members = [member for member in fields[index].split(",") if member]
    fields[index] = ",".join([*members, *([] if name in members else [name])])
    return ":".join(fields)
