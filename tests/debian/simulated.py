"""What the real apt would install, in Debian roots made for the purpose.

A root is made once per machine, together with the lists of packages that it was asked with and
apt's answers: apt takes a second for each.
"""

import gzip
import hashlib
import json
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from builder.debian.archive.package_index import PackagesFile
from tests import standin
from tests.cache import composed_once

_INSTALLED = re.compile(r"^Inst (\S+) (?:\[[^]]*\] )?\((\S+)", re.MULTILINE)
_REMOVED = re.compile(r"^Remv (\S+)", re.MULTILINE)
_MACHINE_SUITE = "bookworm"
_FORMAT = 1
"""Raised when roots, lists or questions are made otherwise than before."""

type Answer = dict[str, str] | None
"""Versions by name; None when apt cannot, or would remove something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A root, the lists it was asked with, and what apt said to each of the package sets."""

    status: bytes
    lists: tuple[PackagesFile, ...]
    answers: Mapping[tuple[str, ...], Answer]


def simulate(suite: str, sets: Sequence[tuple[str, ...]], *, empty: bool) -> Simulation:
    """Ask apt for package sets, in Debian's minimal root or one without any package."""
    key = hashlib.sha256(f"{_FORMAT} {sets}".encode()).hexdigest()[:12]
    name = f"simulated-{suite}{'-empty' if empty else ''}-{key}"
    folder = composed_once(name, lambda into: _compose(into, suite, sets, empty=empty))
    answers = json.loads((folder / "answers.json").read_bytes())
    return Simulation(
        status=(folder / "status").read_bytes(),
        lists=tuple(
            PackagesFile(
                data=gzip.decompress(path.read_bytes()), place=path.name, suite=suite, priority=500
            )
            for path in sorted(folder.glob("*.gz"))
        ),
        answers={tuple(wanted.split()): answer for wanted, answer in answers.items()},
    )


def _compose(folder: Path, suite: str, sets: Sequence[tuple[str, ...]], *, empty: bool) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        root = Path(scratch) / "root"
        status = root / "var/lib/dpkg/status"
        if empty:
            _write(root / "etc/apt/sources.list", _sources(suite))
            _write(status, "")
        else:
            _bootstrap(root, suite)
        for name in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
            (root / name).mkdir(parents=True)
        _apt(root, "apt-get", "update")
        _apt(root, "apt-cache", "gencaches")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            answers = dict(
                zip(sets, pool.map(lambda wanted: _answer(root, wanted), sets), strict=True)
            )
        for number, path in enumerate(_lists(root)):
            shown = ["/usr/lib/apt/apt-helper", "cat-file", path]
            packages = subprocess.run(shown, check=True, capture_output=True).stdout
            packed = folder / f"{number}-{Path(path).name}.gz"
            packed.write_bytes(gzip.compress(packages, 1, mtime=0))
        (folder / "status").write_bytes(status.read_bytes())
    text = json.dumps({" ".join(wanted): answer for wanted, answer in answers.items()}, indent=1)
    (folder / "answers.json").write_text(text)


def _bootstrap(root: Path, suite: str) -> None:
    """A minimal Debian, as far as apt looks at it to simulate."""
    archive = root.with_suffix(".tar")
    hooks = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
    command = ["mmdebstrap", "--variant=minbase", "--include=apt", hooks, suite, str(archive)]
    fast = standin._fast_folder() or str(root.parent)  # noqa: SLF001
    subprocess.run(
        [*command, "-"],
        input=_sources(suite),
        env={**os.environ, "TMPDIR": fast},
        capture_output=True,
        text=True,
        check=True,
    )
    with tarfile.open(archive) as tar:
        wanted = [
            member
            for member in tar
            if member.name.startswith(("./etc/apt/", "./var/lib/dpkg/status"))
        ]
        tar.extractall(root, wanted, filter="data")


def _sources(suite: str) -> str:
    """The machine's own mirrors, which have every suite."""
    sources = standin._sources().replace(_MACHINE_SUITE, suite)  # noqa: SLF001
    if not sources:
        raise RuntimeError(f"this machine's apt has no sources for {_MACHINE_SUITE}")
    return sources


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _lists(root: Path) -> list[str]:
    """The Packages files, in the order of their sources."""
    listed = _apt(root, "apt-get", "indextargets", "--format=$(FILENAME)", "Created-By: Packages")
    return listed.stdout.split()


def _answer(root: Path, wanted: Sequence[str]) -> Answer:
    done = _apt(root, "apt-get", "--simulate", "--yes", "install", *wanted, check=False)
    if done.returncode or _REMOVED.search(done.stdout):
        return None
    return dict(_INSTALLED.findall(done.stdout))


def _apt(
    root: Path, program: str, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    options = {
        "Dir": root,
        "Dir::State::status": root / "var/lib/dpkg/status",
        "Dir::Cache::pkgcache": "pkgcache.bin",
        "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
        "Dir::Bin::dpkg": "/usr/bin/dpkg",
        "Dir::Bin::methods": "/usr/lib/apt/methods",
        "Dir::Etc::trusted": "/etc/apt/trusted.gpg",
        "Acquire::Languages": "none",
        "APT::Architectures": "amd64",
        "APT::Architecture": "amd64",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "APT::Solver": "internal",
    }
    settings = [f"--option={name}={value}" for name, value in options.items()]
    done = subprocess.run(
        [program, *settings, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    if check and done.returncode:
        raise RuntimeError(f"{program} {arguments} exited {done.returncode}\n{done.stderr}")
    return done
