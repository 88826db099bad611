"""``/etc/passwd`` and ``/etc/group`` with one more account, as ``useradd`` would leave them.

https://man7.org/linux/man-pages/man5/passwd.5.html
"""

from dataclasses import dataclass

from layers.entries import ROOT, Entry, FileEntry, Owner
from layers.errors import ContentError

_NO_LOGIN = "/usr/sbin/nologin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who the container runs as; ``home`` is an absolute in-image path."""

    name: str
    owner: Owner
    home: str


def account_entries(account: Account, *, passwd: bytes, group: bytes) -> list[Entry]:
    """The files that change when the account is added to those of the base.

    Empty when the base has this very account already. A group of the base that has the number
    serves as it is, whatever its name: OpenShift runs everything in group 0.

    Raises:
        ContentError: the base gives the name to another number, or the number to another name.
    """
    uid, gid = account.owner.uid, account.owner.gid
    entries: list[Entry] = []
    if not _has(passwd, "user", account.name, uid):
        line = f"{account.name}:x:{uid}:{gid}::{account.home}:{_NO_LOGIN}\n"
        entries.append(FileEntry.of("etc/passwd", _with_line(passwd, line), owner=ROOT))
    if not _has_number(group, gid) and not _has(group, "group", account.name, gid):
        entries.append(FileEntry.of("etc/group", _with_line(group, f"{account.name}:x:{gid}:\n")))
    return entries


def _has_number(database: bytes, number: int) -> bool:
    return any(line.split(b":")[2:3] == [b"%d" % number] for line in database.split(b"\n"))


def _has(database: bytes, kind: str, name: str, number: int) -> bool:
    for line in database.decode("utf-8", "surrogateescape").split("\n"):
        fields = line.split(":")
        if len(fields) < 3:  # noqa: PLR2004 - name, password, number
            continue
        taken_name, taken_number = fields[0], fields[2]
        if (taken_name, taken_number) == (name, str(number)):
            return True
        if taken_name == name or taken_number == str(number):
            raise ContentError(
                f"the base has the {kind} {taken_name} with number {taken_number}; "
                f"wanted {name} with {number}",
                hint="choose another name or number in [tool.builder] user",
            )
    return False


def _with_line(database: bytes, line: str) -> bytes:
    separator = b"\n" if database and not database.endswith(b"\n") else b""
    return database + separator + line.encode()
