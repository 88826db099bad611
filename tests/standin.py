"""A stand-in for ``python:3.12-slim-bookworm`` where Docker Hub cannot be reached.

Debian's own packages below, CPython under ``/usr/local`` above, the official image's config: what
the builder reads of a base (accounts, files, modes, libraries, Debian's package list) is real.

``python -m tests.standin DIR`` leaves a copy of the OCI layout in ``DIR``.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zlib_ng import zlib_ng

from tests.cache import composed_once
from tests.interpreter import copy_cpython, cpython_key, cpython_version

TAG = "3.12-slim-bookworm"
# As Docker Hub names it.
NAME = "library/python"

_SUITE = "bookworm"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# What the official image installs, and the libraries that CPython's own extension modules load.
_PACKAGES = (
    "usr-is-merged",
    "ca-certificates",
    "netbase",
    "tzdata",
    "libbz2-1.0",
    "libcrypt1",
    "libffi8",
    "liblzma5",
    "libncursesw6",
    "libnsl2",
    "libreadline8",
    "libsqlite3-0",
    "libssl3",
    "libtirpc3",
    "libuuid1",
    "zlib1g",
)
_PROOF = "import bz2, ctypes, hashlib, lzma, readline, sqlite3, ssl, uuid, zlib"
# Files that no slim image has; licences stay.  Device nodes are the engine's to make.
_LEFT_OUT = ("dev/", "usr/share/doc/", "usr/share/info/", "usr/share/locale/", "usr/share/man/")
_LICENCE = "/copyright"
_OCI = "application/vnd.oci.image"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_ROOMY = 1 << 30
_CHUNK = 1 << 20

type _Json = Mapping[str, Any]


def standin_layout() -> Path:
    """The stand-in as an OCI layout with one image, tagged ``TAG``; composed once per machine."""
    ours = _sha256(Path(__file__).read_bytes())
    facts = f"{ours} {cpython_key()} {platform.machine()}"
    return composed_once(f"standin-{_sha256(facts.encode())[:12]}", compose)


def serve_standin(registry_url: str, credentials: str | None = None) -> str:
    """Copy the stand-in, unchanged, into a plain-HTTP registry; return its reference there."""
    host = registry_url.removeprefix("http://").rstrip("/")
    reference = f"{host}/{NAME}:{TAG}"
    copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests"]
    login = [f"--dest-creds={credentials}"] if credentials else []
    source = f"oci:{standin_layout()}:{TAG}"
    _run([*copy, "--dest-tls-verify=false", *login, source, f"docker://{reference}"])
    return reference


def compose(layout: Path) -> None:
    """Write the layout into an empty folder."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=layout.parent) as scratch:
        python, debian = Path(scratch) / "python.tar", Path(scratch) / "debian.tar"
        above = _pack_python(python)
        _bootstrap(debian, python)
        slim = Path(scratch) / "slim.tar"
        _pack_debian(slim, debian, above)
        layers = [_add_layer(blobs, slim), _add_layer(blobs, python)]
    _write_documents(layout, layers)


def _pack_python(archive: Path) -> set[str]:
    """Pack CPython as the upper layer; return the names of its files."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        copy_cpython(Path(scratch) / "usr" / "local")
        with tarfile.open(archive, "w") as tar:
            tar.add(Path(scratch) / "usr", "usr", filter=_normalised)
            return {member.name for member in tar.getmembers() if not member.isdir()}


def _normalised(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.mtime = 0
    member.uname = member.gname = "root"
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


def _bootstrap(archive: Path, python: Path) -> None:
    """Let Debian's own tool make the root, as root or in a user namespace, whichever it can."""
    sources = _sources()
    command = [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(_PACKAGES)}",
        # Without this hook /usr is merged by `usrmerge`, which brings 12 MB of perl.
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        f"--customize-hook=tar-in {python} /",
        '--customize-hook=chroot "$1" ldconfig',
        # A CPython that was built for a newer Debian fails here, with the reason.
        f'--customize-hook=chroot "$1" /usr/local/bin/python3 -Bc "{_PROOF}"',
        _SUITE,
        str(archive),
        *(["-"] if sources else []),
    ]
    _run(command, given=sources, environ={"TMPDIR": _fast_folder() or str(archive.parent)})


def _sources() -> str:
    """The machine's own apt sources for the suite; elsewhere empty, and mmdebstrap has some."""
    fields = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    targets = _run(["apt-get", "indextargets", f"--format={fields}", "Created-By: Packages"])
    suites = (_SUITE, f"{_SUITE}-updates", f"{_SUITE}-security")
    wanted = tuple(f" {suite} main" for suite in suites)
    lines = sorted({line for line in targets.splitlines() if line.endswith(wanted)})
    return "".join(f"deb [signed-by={_KEYRING}] {line}\n" for line in lines)


def _fast_folder() -> str | None:
    """A folder in memory where programs may run: dpkg syncs each file, which on disk takes 8 s."""
    memory = "/dev/shm"  # noqa: S108 - mmdebstrap makes a folder of its own in it
    try:
        facts = os.statvfs(memory)
    except FileNotFoundError:
        return None
    if facts.f_flag & (os.ST_NOEXEC | os.ST_NODEV):
        return None
    return memory if facts.f_bavail * facts.f_frsize > _ROOMY else None


def _pack_debian(archive: Path, debian: Path, above: set[str]) -> None:
    """Pack what mmdebstrap made, without the layer above and what no slim image has."""
    with tarfile.open(debian) as source, tarfile.open(archive, "w") as tar:
        for member in source:
            member.name = member.name.removeprefix("./")
            if member.islnk():
                member.linkname = member.linkname.removeprefix("./")
            if member.name in {".", *above} or _is_left_out(member):
                continue
            tar.addfile(member, source.extractfile(member) if member.isreg() else None)


def _is_left_out(member: tarfile.TarInfo) -> bool:
    if member.isdir() or member.name.endswith(_LICENCE):
        return False
    return member.name.startswith(_LEFT_OUT)


def _add_layer(blobs: Path, archive: Path) -> tuple[_Json, str]:
    """Compress the archive into a blob; return its descriptor and its diff_id."""
    deflate = zlib_ng.compressobj(3, zlib_ng.DEFLATED, 31)
    written = blobs / "layer"
    with archive.open("rb") as source, written.open("wb") as blob:
        while chunk := source.read(_CHUNK):
            blob.write(deflate.compress(chunk))
        blob.write(deflate.flush())
    with archive.open("rb") as source:
        diff_id = hashlib.file_digest(source, "sha256").hexdigest()
    with written.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    written.rename(blobs / digest)
    size = (blobs / digest).stat().st_size
    descriptor = {"mediaType": f"{_OCI}.layer.v1.tar+gzip", "digest": f"sha256:{digest}"}
    return descriptor | {"size": size}, f"sha256:{diff_id}"


def _write_documents(layout: Path, layers: Sequence[tuple[_Json, str]]) -> None:
    config = {
        "created": "1970-01-01T00:00:00Z",
        "architecture": _ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {
            "Env": [
                "PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LANG=C.UTF-8",
                f"PYTHON_VERSION={cpython_version()}",
            ],
            "Cmd": ["python3"],
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
        "history": [
            {"created": "1970-01-01T00:00:00Z", "created_by": f"# {_SUITE}, by mmdebstrap"},
            {"created": "1970-01-01T00:00:00Z", "created_by": f"# CPython {cpython_version()}"},
        ],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_OCI}.manifest.v1+json",
        "config": _add_document(layout, f"{_OCI}.config.v1+json", config),
        "layers": [descriptor for descriptor, _ in layers],
    }
    described = _add_document(layout, f"{_OCI}.manifest.v1+json", manifest)
    tagged = {**described, "annotations": {"org.opencontainers.image.ref.name": TAG}}
    index = {
        "schemaVersion": 2,
        "mediaType": f"{_OCI}.index.v1+json",
        "manifests": [tagged],
    }
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))


def _add_document(layout: Path, media_type: str, document: _Json) -> _Json:
    content = json.dumps(document).encode()
    digest = _sha256(content)
    (layout / "blobs" / "sha256" / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _run(command: list[str], given: str = "", environ: Mapping[str, str] | None = None) -> str:
    environ = {**os.environ, **(environ or {})}
    done = subprocess.run(
        command, input=given, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command} exited {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    [target] = sys.argv[1:]
    shutil.copytree(standin_layout(), target)
    sys.stdout.write(f"{target}:{TAG}\n")
