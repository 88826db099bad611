"""What apt and dpkg make of a large set of packages, to compare with: made once per machine."""

import hashlib
import json
import shutil
import tarfile
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from tests.cache import composed_once
from tests.standin import _fast_folder, _run, _sources

# One consistent set, of many that real applications ask for.
REQUESTED = (
    *("libpq5", "libgl1", "libglib2.0-0", "libsm6", "libxext6", "libxrender1", "libgomp1"),
    *("ffmpeg", "libmagic1", "libxml2", "libxslt1.1", "libjpeg62-turbo", "libwebp7", "libtiff6"),
    # weasyprint
    *("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "libcairo2"),
    *("libgdk-pixbuf-2.0-0", "shared-mime-info"),
    # chromium, as playwright has it
    *("libnss3", "libnspr4", "libatk1.0-0", "libatk-bridge2.0-0", "libcups2", "libdrm2"),
    *("libdbus-1-3", "libxkbcommon0", "libxcomposite1", "libxdamage1", "libxfixes3"),
    *("libxrandr2", "libgbm1", "libasound2", "libatspi2.0-0"),
    *("fonts-liberation", "fonts-dejavu-core", "fontconfig", "locales", "tzdata", "curl", "wget"),
    *("ca-certificates", "openssl", "git", "graphviz", "poppler-utils", "tesseract-ocr", "gosu"),
    *("default-mysql-client", "postgresql-client", "openssh-client", "gnupg", "build-essential"),
    *("vim-tiny", "nano", "less", "procps", "iproute2", "iputils-ping", "netcat-openbsd", "jq"),
    *("unzip", "zip", "xz-utils", "zstd", "rsync", "tini", "supervisor", "nginx-light", "redis"),
    *("libldap-2.5-0", "libsasl2-2", "libodbc1", "unixodbc", "libmariadb3", "libgeos-c1v5"),
    *("gettext", "libenchant-2-2", "hunspell-en-us", "bsdextrautils", "tree", "telnet"),
    *("mime-support", "media-types", "file", "man-db", "cron", "libsnappy1v5", "librdkafka1"),
)

_SUITE = "bookworm"
_INSTALL = "apt-get install --yes --no-install-recommends --option=Dpkg::Use-Pty=0"

# Of what is there already, mmdebstrap has thrown the packages away.
_DOWNLOAD = 'cd /var/cache/apt/archives && apt-get download $(dpkg-query -Wf "\\${Package} ")'
# Kernel filesystems are the machine's, and what apt keeps of the archive is large.
_LEFT_OUT = ("dev", "proc", "sys", "tmp", "var/cache/apt", "var/lib/apt/lists")
_PACK = " ".join(
    ["tar", "--create", "--directory=$1", *(f"--exclude=./{path}/*" for path in _LEFT_OUT)]
)


class Node(NamedTuple):
    """What ``find`` would show of a path.

    ``detail`` is a file's sha256, a link's target, and of a hard link the file's sha256 too.
    """

    kind: str
    mode: int
    uid: int
    gid: int
    detail: str


class Installation(NamedTuple):
    """A minimal root, and what apt and dpkg made of it.

    ``before`` is a tar of the root, ``debs`` has the packages of both roots, ``database`` the
    files of dpkg and apt about the later one, by path.
    """

    before: Path
    debs: Path
    after: Mapping[str, Node]
    database: Mapping[str, bytes]


def real_install() -> Installation:
    ours = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    folder = composed_once(f"real-install-{ours}", _install)
    found = json.loads((folder / "after.json").read_bytes())
    return Installation(
        before=folder / "before.tar",
        debs=folder / "debs",
        after={path: Node(*node) for path, node in found["nodes"].items()},
        database={path: b64decode(data) for path, data in found["database"].items()},
    )


def _install(folder: Path) -> None:
    sources = _sources()
    with tempfile.TemporaryDirectory(dir=_fast_folder() or folder.parent) as scratch:
        debs = Path(scratch) / "debs"
        debs.mkdir()
        after = Path(scratch) / "after.tar"
        command = _command(folder / "before.tar", debs, after)
        _run([*command, *(["-"] if sources else [])], given=sources, environ={"TMPDIR": scratch})
        shutil.copytree(debs, folder / "debs")
        found = {"nodes": nodes_of(after), "database": _database(after)}
        (folder / "after.json").write_text(json.dumps(found))


def _command(before: Path, debs: Path, after: Path) -> list[str]:
    names = " ".join(REQUESTED)
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--include=usr-is-merged",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        "--skip=cleanup/apt",
        f"--customize-hook={_PACK} --file={before} .",
        f"--customize-hook=chroot $1 sh -c '{_DOWNLOAD}'",
        f'--customize-hook=chroot "$1" {_INSTALL} --download-only {names}',
        f'--customize-hook=cp "$1"/var/cache/apt/archives/*.deb {debs}',
        f'--customize-hook=chroot "$1" env DEBIAN_FRONTEND=noninteractive {_INSTALL} {names}',
        f"--customize-hook={_PACK} --file={after} .",
        _SUITE,
        "/dev/null",
    ]


def _database(tar: Path) -> dict[str, str]:
    found = {}
    with tarfile.open(tar) as archive:
        for member in archive:
            path = member.name.removeprefix("./")
            if path.startswith(("var/lib/dpkg/", "var/lib/apt/")) and member.isreg():
                stream = cast("BinaryIO", archive.extractfile(member))
                found[path] = b64encode(stream.read()).decode()
    return found


def nodes_of(tar: Path) -> dict[str, Node]:
    """Every path of a root, without the leading ``./``."""
    found: dict[str, Node] = {}
    with tarfile.open(tar) as archive:
        for member in archive:
            path = member.name.removeprefix("./")
            if path != ".":
                found[path] = _node(archive, member, found)
    return found


def _node(archive: tarfile.TarFile, member: tarfile.TarInfo, found: Mapping[str, Node]) -> Node:
    if member.islnk():
        return found[member.linkname.removeprefix("./")]
    detail = member.linkname
    if stream := archive.extractfile(member) if member.isreg() else None:
        detail = hashlib.sha256(stream.read()).hexdigest()
    kind = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "link"}
    name = kind.get(member.type, f"type {member.type!r}")
    return Node(name, member.mode & 0o7777, member.uid, member.gid, detail)
