"""Which packages want to be told of what others do; nothing is triggered here.

https://manpages.debian.org/deb-triggers.5, and dpkg's doc/triggers.txt for the files.
"""

import re
from collections.abc import Iterator, Sequence

from builder.debian.database.dpkg_files import DpkgFiles
from builder.debian.database.instances import is_replaced
from builder.debian.database.status import joined
from builder.debian.root import Root
from builder.debian.unpack.deb import Deb

TRIGGERS = "var/lib/dpkg/triggers"
_INTEREST = re.compile(r"interest(?:-(await|noawait))?[ \t]+(\S+)[ \t]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.+-]*")


def trigger_files(debs: Sequence[Deb], root: Root, before: DpkgFiles) -> dict[str, bytes]:
    """The files that name who is interested in what, as far as they change: path to content.

    Args:
        debs: the packages; what older versions of them wanted is forgotten.
        root: what they are laid on.
        before: the root's database.

    Raises:
        BaseError: symbolic links run in a circle.
    """
    architectures = {deb.name: deb.architecture for deb in debs}
    prefix = f"{root.files.resolve(TRIGGERS)}/"
    old = {path.removeprefix(prefix): _lines(data) for path, data in root.below(TRIGGERS).items()}
    new = {
        path: [
            line
            for line in lines
            if not is_replaced(before.instance(_package(line)), architectures)
        ]
        for path, lines in old.items()
    }
    for deb in debs:
        for trigger, who in _interests(deb):
            if trigger.startswith("/"):
                new.setdefault("File", []).append(f"{trigger} {who}")
            elif _NAME.fullmatch(trigger):
                new.setdefault(trigger, []).append(who)
    return {
        f"{TRIGGERS}/{name}": joined(lines)
        for name, lines in sorted(new.items())
        if lines != old.get(name)
    }


def _interests(deb: Deb) -> Iterator[tuple[str, str]]:
    for line in _lines(deb.members.get("triggers", b"")):
        if found := _INTEREST.fullmatch(line.partition("#")[0].strip()):
            name = deb.qualified_name
            yield found[2], f"{name}/noawait" if found[1] == "noawait" else name


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogateescape").split("\n")[:-1]


def _package(line: str) -> str:
    """The package that a line names: its last word, without a flag."""
    return line.rpartition(" ")[2].partition("/")[0]
