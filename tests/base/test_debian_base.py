"""``apt:bookworm`` and ``apt:trixie`` from Debian's real archive, with this machine's Python."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.base.apt_source import AptBase
from builder.base.base import AptRequest, Base, BaseRequest
from builder.base.find import find_base
from builder.base.intake import load_image
from builder.base.target import find_target
from builder.debian.architecture import debian_architecture
from builder.debian.database.installed import read_installed
from builder.debian.root import read_root
from builder.events import ignore
from builder.oci.platform import Platform
from builder.process import run
from builder.settings import PullPolicy, Settings
from builder.store.layout import Layout, Store
from builder.target import Libc
from builder.transport import Transport
from layers.verify import read_members, verify_layer
from tests.images import read_image
from tests.interpreter import cpython, cpython_version
from tests.standin import TAG

pytestmark = pytest.mark.archive

_SUITES = {"bookworm": (2, 36), "trixie": (2, 41)}
_PROOF = """
import bz2, ctypes, curses, hashlib, lzma, readline, sqlite3, ssl, uuid, zlib, zoneinfo
import json, locale, os, platform, pwd, socket, subprocess, sys, sysconfig
curses.setupterm("xterm")
context = ssl.create_default_context()
context.load_verify_locations("/etc/ssl/certs/ca-certificates.crt")
cache = "/tmp/ld.so.cache"
subprocess.run(["/usr/sbin/ldconfig", "-X", "-C", cache], check=True, capture_output=True)
listed = lambda path: subprocess.run(
    ["/usr/sbin/ldconfig", "-C", path, "-p"], check=True, capture_output=True, text=True
).stdout.splitlines()[1:-1]
print(json.dumps({
    "version": platform.python_version(),
    "prefix": sys.prefix,
    "library": sysconfig.get_config_var("LIBDIR"),
    "capath": ssl.get_default_verify_paths().capath,
    "certificates": len(context.get_ca_certs()),
    "hashed": len([name for name in os.listdir("/etc/ssl/certs") if name.endswith(".0")]),
    "zone": str(zoneinfo.ZoneInfo("Europe/Berlin")),
    "locale": locale.setlocale(locale.LC_ALL, ""),
    "port": socket.getservbyname("https"),
    "root": pwd.getpwnam("root").pw_dir,
    "tmp": oct(os.stat("/tmp").st_mode & 0o7777),
    "home": oct(os.stat("/root").st_mode & 0o7777),
    "release": platform.freedesktop_os_release()["VERSION_CODENAME"],
    "cache is ldconfig's": listed(cache) == listed("/etc/ld.so.cache"),
}))
"""


@dataclass(frozen=True)
class _Composed:
    suite: str
    store: Store
    base: Base
    seconds: float

    def run(self, *command: str, user: str = "0") -> subprocess.CompletedProcess[str]:
        options = ["--rm", "--network", "none", "--user", user]
        image = self.base.image.config.digest.hex
        argv = ["podman", "run", *options, image, *command]
        return subprocess.run(argv, capture_output=True, text=True, check=False)


def _request(suite: str, **changes: object) -> BaseRequest:
    apt = AptRequest(settings=Settings(), project=Path("/"), python=(3, 12))
    known: Mapping[str, object] = {"platform": Platform.host(), "apt": apt, **changes}
    return BaseRequest(source=f"apt:{suite}", **known)  # type: ignore[arg-type]


def _compose(suite: str, directory: Path) -> _Composed:
    with pytest.MonkeyPatch.context() as patch:
        # Where downloads work, uv's own Python would be taken: the harder case is this machine's.
        patch.setenv("UV_PYTHON_DOWNLOADS", "never")
        patch.setenv("UV_PYTHON_INSTALL_DIR", str(directory / "none"))
        store = Store(directory / "store")
        started = time.perf_counter()
        base = find_base(_request(suite), store=store)
        return _Composed(suite, store, base, time.perf_counter() - started)


@pytest.fixture(scope="module", params=_SUITES)
def composed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> _Composed:
    return _compose(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def loaded(composed: _Composed) -> Iterator[_Composed]:
    composed.store.tag("base", composed.base.image.descriptor)
    argv = ["podman", "pull", "--quiet", f"oci:{composed.store.root}:base"]
    subprocess.run(argv, check=True, capture_output=True)
    yield composed
    subprocess.run(["podman", "rmi", "--force", composed.base.image.config.digest.hex], check=False)


def test_a_build_can_stand_on_it(composed: _Composed) -> None:
    target = find_target(composed.base)
    assert target.python.version == (3, 12)
    assert target.libc == Libc(name="glibc", version=_SUITES[composed.suite])
    for layer in composed.base.image.layers:
        verify_layer(layer)


def test_it_is_small_and_quick(
    composed: _Composed, standin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = composed.base.image.size
    theirs = read_image(Layout(standin), TAG).size
    started = time.perf_counter()
    again = find_base(_request(composed.suite, policy=PullPolicy.ALWAYS), store=composed.store)
    warm = time.perf_counter() - started
    with capsys.disabled():
        print(  # noqa: T201 - measured, not asserted
            f"\napt:{composed.suite}: {ours} bytes, the stand-in {theirs}; "
            f"{composed.seconds:.1f} s cold, {warm:.1f} s with cached packages"
        )
    assert again.digest == composed.base.digest
    if composed.suite == "bookworm":  # which the stand-in is, too
        assert ours <= theirs / 2


def test_the_packages_are_told_truthfully(composed: _Composed) -> None:
    base = composed.base
    root = read_root(base.image, base.files, composed.store)
    architecture = debian_architecture(Platform.host())
    installed = read_installed(root, architecture).packages
    told = {(p.name, p.version, p.architecture) for p in installed.values()}
    assert told == {(pin.name, pin.version, pin.architecture) for pin in base.pins}
    assert {"ca-certificates", "libc6", "libsqlite3-0", "tzdata"} < installed.keys()
    assert f"VERSION_CODENAME={composed.suite}" in (root.read("etc/os-release") or b"").decode()


def test_there_is_no_shell_no_package_manager_and_no_perl(composed: _Composed) -> None:
    files = composed.base.files
    for name in ("sh", "bash", "dash", "apt", "apt-get", "dpkg", "perl", "pip", "openssl"):
        for directory in ("bin", "sbin", "usr/local/bin", "usr/bin", "usr/sbin"):
            assert not files.is_executable(f"{directory}/{name}"), f"{directory}/{name}"


def test_no_file_names_this_machine(composed: _Composed) -> None:
    names = {str(cpython()), str(Path.home()), "python-build."} - {"/", "/usr", "/usr/local"}
    # Debian's own files may speak of /root: it is the home of everybody's root.
    told = [f"{name}/".encode() for name in names if name != "/root"]
    for layer in composed.base.image.layers:
        for member, content in read_members(layer):
            data = content.read() if content else b""
            assert not [name for name in told if name in data], member.name


def test_another_store_gets_the_same_digest(composed: _Composed, tmp_path: Path) -> None:
    other = _compose(composed.suite, tmp_path)
    assert other.base.digest == composed.base.digest
    assert other.base.pins == composed.base.pins


def test_the_second_time_nobody_is_asked(composed: _Composed) -> None:
    source = AptBase.of(_request(composed.suite), run=run, events=ignore)
    quiet = AptBase(
        name=source.name,
        suite=source.suite,
        apt=source.apt,
        policy=source.policy,
        run=run,
        events=ignore,
        connect=_refuse,
    )
    manifest = quiet.bring(Platform.host(), composed.store)
    assert load_image(manifest, composed.store).digest == composed.base.digest


@pytest.mark.engine
def test_python_runs_with_all_that_debian_gives_it(loaded: _Composed) -> None:
    done = loaded.run("python3", "-c", _PROOF)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("certificates") > 100
    assert told.pop("hashed") > 100
    assert told == {
        "version": cpython_version(),
        "prefix": "/usr/local",
        "library": "/usr/local/lib",
        "capath": "/usr/lib/ssl/certs",
        "zone": "Europe/Berlin",
        "locale": "C.UTF-8",
        "port": 443,
        "root": "/root",
        "tmp": "0o1777",
        "home": "0o700",
        "release": loaded.suite,
        "cache is ldconfig's": True,
    }


@pytest.mark.engine
def test_it_runs_for_any_user(loaded: _Composed) -> None:
    script = "import os, tempfile; tempfile.TemporaryFile(); print(os.getuid())"
    done = loaded.run("python3", "-c", script, user="1001:1001")
    assert (done.stdout, done.stderr) == ("1001\n", "")


@pytest.mark.engine
def test_every_extension_module_loads(loaded: _Composed) -> None:
    script = (
        "import importlib, os, sys\n"
        "directory = next(path for path in sys.path if path.endswith('lib-dynload'))\n"
        "names = sorted(name.partition('.')[0] for name in os.listdir(directory))\n"
        "assert len(names) > 40\n"
        "for name in names: importlib.import_module(name)\n"
    )
    done = loaded.run("python3", "-W", "ignore", "-c", script)
    assert (done.returncode, done.stderr) == (0, "")


def _refuse() -> Transport:
    raise AssertionError("nobody was to be asked")
