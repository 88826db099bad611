"""``.deb`` files made by hand: also those that no packaging tool would make."""

import gzip
import io
import lzma
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import md5

from backports import zstd

_COMPRESS = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}
_SCRIPTS = {"preinst", "postinst", "prerm", "postrm", "config"}


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member of ``data.tar``, written as it is said here, however wrong that may be.

    ``link`` is the target of a link; ``size`` is what the header claims.
    """

    path: str
    data: bytes = b""
    kind: bytes = tarfile.REGTYPE
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    user: str = "root"
    group: str = "root"
    link: str = ""
    size: int | None = None
    pax: Mapping[str, str] = field(default_factory=dict)


def file(path: str, data: bytes = b"", *, mode: int = 0o644) -> Member:
    return Member(path=path, data=data, mode=mode)


def directory(path: str, *, mode: int = 0o755) -> Member:
    return Member(path=path, kind=tarfile.DIRTYPE, mode=mode)


def symlink(path: str, target: str) -> Member:
    return Member(path=path, kind=tarfile.SYMTYPE, link=target, mode=0o777)


def hard_link(path: str, target: str) -> Member:
    return Member(path=path, kind=tarfile.LNKTYPE, link=target)


def make_deb(
    control: Mapping[str, str],
    files: Sequence[Member] = (),
    *,
    scripts: Mapping[str, bytes | str] | None = None,
    conffiles: Sequence[str] = (),
    compression: str = "xz",
) -> bytes:
    """A package with these members, and their directories, in ``data.tar``.

    Args:
        control: fields; ``Package``, ``Version``, ``Architecture``, ``Maintainer`` and
            ``Description`` have defaults.
        files: paths as ``usr/bin/x``, which are written ``./usr/bin/x``; others as they are.
        scripts: what else stands in ``control.tar``: maintainer scripts, ``triggers``, ...
        conffiles: absolute paths.
        compression: ``xz``, ``gz``, ``zst`` or ``none``.
    """
    suffix = "" if compression == "none" else f".{compression}"
    known = {
        "Package": "test",
        "Version": "1.0-1",
        "Architecture": "amd64",
        "Maintainer": "Nobody <nobody@example.com>",
        "Description": "made by a test",
    }
    more = {name: _bytes(text) for name, text in (scripts or {}).items()}
    if conffiles:
        more["conffiles"] = _bytes("".join(f"{path}\n" for path in conffiles))
    more.setdefault("md5sums", _md5sums(files, conffiles))
    paragraph = "".join(f"{name}: {value}\n" for name, value in {**known, **control}.items())
    return make_ar(
        {
            "debian-binary": b"2.0\n",
            f"control.tar{suffix}": _COMPRESS[suffix](control_tar(_bytes(paragraph), more)),
            f"data.tar{suffix}": _COMPRESS[suffix](data_tar(files)),
        }
    )


def make_ar(members: Mapping[str, bytes]) -> bytes:
    """https://manpages.debian.org/deb.5: the common ar format, with 16 characters for a name."""
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return out


def control_tar(control: bytes, more: Mapping[str, bytes] | None = None) -> bytes:
    members = [file("control", control)]
    for name, data in (more or {}).items():
        members.append(file(name, data, mode=0o755 if name in _SCRIPTS else 0o644))
    return data_tar(members)


def data_tar(files: Sequence[Member]) -> bytes:
    """A tar as dpkg-deb writes it: ``./`` first, every directory before what is in it."""
    out = io.BytesIO()
    pax = any(member.pax for member in files)
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT
    ) as tar:
        for member in _with_directories(files):
            info = tarfile.TarInfo(_written(member.path))
            info.type, info.mode, info.linkname = member.kind, member.mode, member.link
            info.uid, info.gid, info.uname, info.gname = _owner(member)
            info.size = len(member.data) if member.size is None else member.size
            info.pax_headers = dict(member.pax)
            tar.addfile(info)
            out.write(member.data + bytes(-len(member.data) % 512))
            tar.offset = out.tell()
    return out.getvalue()


def _owner(member: Member) -> tuple[int, int, str, str]:
    return member.uid, member.gid, member.user, member.group


def _with_directories(files: Sequence[Member]) -> list[Member]:
    given = {member.path for member in files}
    whole = [directory("./")]
    for member in files:
        if not member.path.startswith((".", "/")):
            parts = member.path.split("/")[:-1]
            for end in range(1, len(parts) + 1):
                path = "/".join(parts[:end])
                if path not in given:
                    given.add(path)
                    whole.append(directory(path))
        whole.append(member)
    return whole


def _written(path: str) -> str:
    return path if path.startswith((".", "/")) else f"./{path}"


def _md5sums(files: Sequence[Member], conffiles: Sequence[str]) -> bytes:
    lines = [
        f"{md5(member.data, usedforsecurity=False).hexdigest()}  {member.path}\n"
        for member in files
        if member.kind == tarfile.REGTYPE and f"/{member.path}" not in conffiles
    ]
    return _bytes("".join(lines))


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
