"""Programs of an image, run on this machine whatever machine they are for: QEMU in a chroot.

Nothing of the machine changes: no handler is registered with the kernel, so only what a test starts
here runs by emulation, and not what that starts in its turn.
"""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.oci.platform import Platform
from layers.compress import decompressed
from layers.layer import Layer
from tests.platforms import HOST, MACHINES


@dataclass(frozen=True, slots=True)
class Root:
    """An image's filesystem as a directory in which its programs run.

    Attributes:
        directory: as it lies on this machine.
        start: what stands before a program's path and arguments, to run it in there.
    """

    directory: Path
    start: tuple[str, ...]

    def run(
        self, *argv: str, environ: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a program, given by its absolute path in the image, with this environ and no other.

        Raises:
            AssertionError: it failed; the message holds what it printed.
        """
        done = subprocess.run(
            [*self.start, *argv],
            env=dict(environ or {}),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done


def root_of(layers: Iterable[Layer], platform: Platform, directory: Path) -> Root:
    """Unpack an image's layers so that its programs run; skips the test where they cannot.

    Args:
        layers: from the lowest on.
        platform: what the programs are for.
        directory: where to; it is made.
    """
    start = [*_chroot(), str(directory)]
    emulator = None if platform == HOST else qemu(platform)
    directory.mkdir(parents=True, exist_ok=True)
    for layer in layers:
        _unpack(layer, directory)
    if emulator:
        shutil.copy(emulator, directory / emulator.name)
        start.append(f"/{emulator.name}")
    return Root(directory, tuple(start))


def qemu(platform: Platform) -> Path:
    """Debian's static emulator of a platform; skips the test where it is missing."""
    name = f"qemu-{MACHINES[platform.architecture]}-static"
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (.ci/setup installs it where it can)")
    return Path(found)


def _chroot() -> tuple[str, ...]:
    """How this user gives a program another root; skips the test where nobody lets them."""
    ways = (("chroot",), ("unshare", "--map-root-user", "chroot"))
    for way in ways if os.getuid() == 0 else ways[1:]:
        program = shutil.which(way[0], path=f"{os.environ['PATH']}:/usr/sbin")
        argv = (program or way[0], *way[1:])
        if program and subprocess.run([*argv, "/", "true"], check=False).returncode == 0:
            return argv
    pytest.skip("this machine allows neither chroot nor user namespaces")


def _unpack(layer: Layer, directory: Path) -> None:
    """Lay a layer over what is there; nothing is ever written outside, whatever links say."""
    with (
        layer.source.open() as blob,
        decompressed(blob, layer.media_type) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        tar.extractall(directory, filter=_without_removals)  # noqa: S202 - with a filter


def _without_removals(member: tarfile.TarInfo, directory: str) -> tarfile.TarInfo | None:
    assert "/.wh." not in f"/{member.name}", f"{member.name}: removals are not understood here"
    return tarfile.tar_filter(member, directory)
