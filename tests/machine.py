"""What this machine needs before engines run on it, and the ordinary user of the rootless tests."""

import os
import pwd
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cache import REPOSITORY, cache_root, locked
from tests.interpreter import world_cpython

CONTAINERS_CONF = REPOSITORY / "tests" / "containers.conf"

# How a process reaches the package index from behind a proxy or a private authority.
_NETWORK = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
)
_ACCOUNT = "image-builder-tests"
# Where /dev/fuse is closed podman chooses vfs, a copy of the image for every container; the
# kernel's own overlay serves users since Linux 5.13. In a file, so that a shell of theirs agrees.
_STORAGE_CONF = '[storage]\ndriver = "overlay"\n'
_SUBORDINATE_IDS = (Path("/etc/subuid"), Path("/etc/subgid"))
_CAP_SYS_RESOURCE = 1 << 24
# The most that podman asks for on its own account, as root.
_PODMAN_NOFILE = 1 << 20


def engine_environ() -> dict[str, str]:
    """What podman, buildah and skopeo need in their environ on this machine; often nothing."""
    if "CONTAINERS_CONF" in os.environ or not (_old_cgroups() or _limits_are_fixed()):
        return {}
    return {"CONTAINERS_CONF": str(CONTAINERS_CONF)}


def _old_cgroups() -> bool:
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def _limits_are_fixed() -> bool:
    """Whether podman, as root, cannot raise limits; for other users it stays within theirs."""
    if os.getuid() != 0:
        return False
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return not int(effective, 16) & _CAP_SYS_RESOURCE and hard < _PODMAN_NOFILE


class NoRootlessUserError(Exception):
    """This machine has no user who may map others, and none can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootlessUser:
    """An ordinary user with subordinate ids: ourselves, or one of the tests' own if we are root."""

    name: str
    uid: int
    gid: int
    home: Path
    runtime: Path
    python: Path

    def environ(self) -> dict[str, str]:
        """The whole environ of a login, and nothing of ours except how to reach the network."""
        kept = {name: os.environ[name] for name in _NETWORK if name in os.environ}
        return kept | {
            "HOME": str(self.home),
            "USER": self.name,
            "LOGNAME": self.name,
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
            "PATH": f"{self.python / 'bin'}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "UV_PYTHON_DOWNLOADS": "never",
            "XDG_RUNTIME_DIR": str(self.runtime),
            **_engine_environ_for_all(),
        }

    def folder(self) -> Path:
        """A new folder of the user's own: pytest's are closed to everyone but who runs it."""
        folder = Path(tempfile.mkdtemp(prefix="test-", dir=self.home))
        os.chown(folder, self.uid, self.gid)
        return folder


def run_as(
    user: RootlessUser,
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a command as that user, its environ clean but for ``env``.

    Raises:
        AssertionError: it failed; the message holds what it printed.
    """
    other = user.uid != os.getuid()
    done = subprocess.run(
        argv,
        env=user.environ() | dict(env or {}),
        cwd=cwd or user.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
        user=user.uid if other else None,
        group=user.gid if other else None,
        extra_groups=[user.gid] if other else None,
    )
    if check and done.returncode:
        told = f"{done.stdout}{done.stderr}"
        raise AssertionError(f"as {user.name}: {list(argv)} exited {done.returncode}\n{told}")
    return done


def find_rootless_user() -> RootlessUser:
    """Ourselves when we are an ordinary user, else an account of the tests, made when missing.

    Raises:
        NoRootlessUserError: we are an ordinary user without subordinate ids.
    """
    uid = os.getuid()
    account = _test_account() if uid == 0 else pwd.getpwuid(uid)
    _open_tun()
    if not _has_subordinate_ids(account):
        raise NoRootlessUserError(f"{account.pw_name} has no range in /etc/subuid and /etc/subgid")
    return RootlessUser(
        name=account.pw_name,
        uid=account.pw_uid,
        gid=account.pw_gid,
        home=Path(account.pw_dir),
        runtime=_runtime_folder(account),
        python=world_cpython(),
    )


def _test_account() -> pwd.struct_passwd:
    with locked("account"):
        try:
            return pwd.getpwnam(_ACCOUNT)
        except KeyError:
            _add_account()
    return pwd.getpwnam(_ACCOUNT)


def _add_account() -> None:
    # useradd gives a range of subordinate ids only where these files exist.
    for ids in _SUBORDINATE_IDS:
        ids.touch()
    with tempfile.TemporaryDirectory() as skeleton:
        settings = Path(skeleton) / ".config" / "containers" / "storage.conf"
        settings.parent.mkdir(parents=True)
        settings.write_text(_STORAGE_CONF)
        home = ["--create-home", "--home-dir", f"/var/lib/{_ACCOUNT}", "--skel", skeleton]
        subprocess.run(["useradd", *home, "--shell", "/bin/sh", _ACCOUNT], check=True)


def _open_tun() -> None:
    """Let slirp4netns, which publishes the ports of users' containers, open its device.

    udev gives it this mode; a machine without udev leaves it to root.
    """
    tun = Path("/dev/net/tun")
    if os.getuid() == 0 and tun.exists():
        tun.chmod(0o666)


def _has_subordinate_ids(account: pwd.struct_passwd) -> bool:
    owners = {account.pw_name, str(account.pw_uid)}
    return all(
        ids.exists() and any(line.split(":")[0] in owners for line in ids.read_text().splitlines())
        for ids in _SUBORDINATE_IDS
    )


def _runtime_folder(account: pwd.struct_passwd) -> Path:
    """The folder that a login would have made; without one podman falls back to ``/tmp``."""
    ours = os.environ.get("XDG_RUNTIME_DIR") if account.pw_uid == os.getuid() else None
    folder = Path(ours or f"/run/user/{account.pw_uid}")
    if os.getuid() == 0 and not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


def _engine_environ_for_all() -> dict[str, str]:
    """As :func:`engine_environ`, naming a file that every user can read."""
    needed = os.environ.get("CONTAINERS_CONF") or engine_environ().get("CONTAINERS_CONF")
    if needed is None:
        return {}
    readable = cache_root() / "containers.conf"
    with locked("containers.conf"):
        shutil.copyfile(needed, readable)
        readable.chmod(0o644)
    return {"CONTAINERS_CONF": str(readable)}
