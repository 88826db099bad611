"""Which C library an image has, told from the bytes of the library itself."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from builder.elf import MAGIC
from builder.target import Libc

LIBC_FILE = re.compile(r"(?:.*/)?(?:libc\.so\.6|libc-2\.\d+\.so|ld-musl-\w+\.so\.1)")
"""Full match: paths of files that may be a C library."""

MAX_LIBC = 32 << 20
"""Bytes; what is longer is no C library."""

APK_DATABASES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
"""Alpine's list of packages, before and after it merged /usr."""

_GLIBC = re.compile(rb"GNU C Library [^\n]{0,200}release version (\d+)\.(\d+)")
_MUSL = re.compile(rb"\0(1)\.([12])\.\d+[^\0]{0,40}\0")
_APK_MUSL = re.compile(rb"^P:musl\nV:(\d+)\.(\d+)", re.MULTILINE)

# e_machine of the ELF header: https://www.sco.com/developers/gabi/latest/ch4.eheader.html
_MACHINES = {
    "386": 3,
    "ppc64le": 21,
    "s390x": 22,
    "arm": 40,
    "amd64": 62,
    "arm64": 183,
    "riscv64": 243,
}


@dataclass(frozen=True, slots=True)
class LibcFile:
    """A C library that was found, and the ELF number of the machine that it is for."""

    libc: Libc
    machine: int


def recognise(path: str, data: bytes) -> LibcFile | None:
    """What C library a file's bytes are; None when they are none.

    Args:
        path: its name tells the two kinds apart.
        data: the whole file.
    """
    if not data.startswith(MAGIC):
        return None
    is_musl = path.rpartition("/")[2].startswith("ld-musl-")
    found = (_MUSL if is_musl else _GLIBC).search(data)
    if found is None:
        return None
    libc = Libc(name="musl" if is_musl else "glibc", version=(int(found[1]), int(found[2])))
    little = data[5:6] == b"\x01"
    return LibcFile(libc, int.from_bytes(data[18:20], "little" if little else "big"))


def choose_libc(files: Iterable[LibcFile], architecture: str, apk: bytes) -> Libc | None:
    """The C library that programs of the image's own architecture meet.

    glibc wins over musl: distributions of either kind can have the other installed beside their
    own, but only those of the first kind ship both under the names looked for. Of several
    versions the oldest counts, because it promises the least.

    Args:
        files: what was found.
        architecture: the image's, as its config names it; libraries for others do not count.
        apk: Alpine's list of packages, or nothing; its word on musl is exact.
    """
    machine = _MACHINES.get(architecture)
    own = {f.libc for f in files if machine is None or f.machine == machine}
    found = min(own, key=lambda libc: (libc.name != "glibc", libc.version), default=None)
    if (found is None or found.name == "musl") and (musl := _APK_MUSL.search(apk)):
        return Libc(name="musl", version=(int(musl[1]), int(musl[2])))
    return found
