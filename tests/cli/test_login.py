"""``login`` and ``logout``: against real registries, and with podman and skopeo."""

import base64
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.process import run
from builder.registry.credential import Credential
from builder.registry.keychain import Keychain
from tests.cli.conftest import base_layer, write_base
from tests.command import builder
from tests.registry import PASSWORD, USERNAME, Registry, serve_shape
from tests.registry_client.credential_programs import Helpers, helpers_on_path

AUTH = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A user whose files are nobody else's."""

    path: Path

    @property
    def file(self) -> Path:
        return self.path / ".config/containers/auth.json"

    @property
    def environ(self) -> dict[str, str]:
        unset = ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")
        return {"HOME": str(self.path), **dict.fromkeys(unset, "")}

    def login(self, host: str, password: str = PASSWORD, code: int = 0, **environ: str) -> str:
        variables = {"BUILDER_REGISTRY_USERNAME": USERNAME, "BUILDER_REGISTRY_PASSWORD": password}
        return self.call("login", host, code=code, **variables, **environ)

    def call(self, *arguments: str, code: int = 0, **environ: str) -> str:
        done = builder(*arguments, env={**self.environ, **environ}, code=code)
        assert done.stdout == ""
        assert PASSWORD not in done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(path=tmp_path / "home")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serve_shape("htpasswd", tmp_path_factory.mktemp("guarded")) as registry:
        yield registry


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helpers:
    return helpers_on_path(tmp_path / "bin", monkeypatch)


def test_login_and_logout(home: Home, guarded: Registry) -> None:
    host = guarded.host
    assert home.login(host) == f"logged in to {host} as {USERNAME}; kept in {home.file}\n"
    assert json.loads(home.file.read_text()) == {"auths": {host: {"auth": AUTH}}}
    assert home.file.stat().st_mode & 0o777 == 0o600
    assert home.file.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in home.file.parent.iterdir()] == ["auth.json"]
    said = home.call("logout", host)
    assert said == f"logged out of {host}: removed it from {home.file}\n"
    assert json.loads(home.file.read_text()) == {"auths": {}}
    assert home.call("logout", host) == f"was not logged in to {host}\n"


def test_by_tokens(home: Home, tmp_path: Path) -> None:
    with serve_shape("token", tmp_path / "registry") as registry:
        home.login(registry.host)
        said = home.login(registry.host, "wrong", code=3)
    assert said.startswith("error: fetching a token from 127.0.0.1:")
    assert said.endswith(
        "hint: the user name or password is wrong: "
        f"python -m builder login {registry.host}\n"
    )  # fmt: skip
    assert registry.host in home.file.read_text()


def test_a_wrong_password_is_not_kept(home: Home, guarded: Registry) -> None:
    said = home.login(guarded.host, "wrong", code=3)
    assert said.startswith(
        f"error: logging in to http://{guarded.host}: the answer is 401 Unauthorized"
    )
    assert said.endswith("hint: the user name or password is wrong\n")
    assert not home.file.exists()


def test_an_open_registry_is_told_of(home: Home, registry: Registry) -> None:
    assert home.login(registry.host).startswith(
        f"warning: {registry.host} lets everybody in: nobody looked at the password\n"
    )


def test_over_tls(home: Home, tmp_path: Path) -> None:
    with serve_shape("tls", tmp_path / "registry") as registry:
        host, certs = registry.host, str(registry.certs_dir)
        said = home.login(host, code=3)
        assert "is not trusted" in said
        home.login(host, BUILDER_REGISTRY_CERTS=certs)
        assert host in home.file.read_text()


def test_what_else_is_in_the_file_stays(home: Home, guarded: Registry) -> None:
    other = {"auth": "b3RoZXI6eA==", "email": "x@y"}
    document = {
        "detachKeys": "ctrl-e,e",
        "auths": {
            "other.test": other,
            f"https://{guarded.host}/v1/": {"auth": "b2xkOng="},
            f"{guarded.host}/team": other,
        },
        "HttpHeaders": {"X": ["ü", 1.50]},
    }
    file = home.path / "docker/config.json"
    file.parent.mkdir()
    file.write_text(json.dumps(document))
    link = home.path / "link.json"
    link.symlink_to(file)
    home.login(guarded.host, REGISTRY_AUTH_FILE=str(link))
    assert link.is_symlink()
    changed = json.loads(file.read_text())
    kept = {guarded.host: {"auth": AUTH}, "other.test": other, f"{guarded.host}/team": other}
    assert changed == {**document, "auths": kept}
    assert [*changed] == [*document]
    said = home.call("logout", guarded.host, DOCKER_CONFIG=str(file.parent))
    assert said == f"logged out of {guarded.host}: removed it from {file}\n"
    assert json.loads(file.read_text()) == {**document, "auths": {"other.test": other}}


def test_many_logins_at_once_are_all_kept(home: Home, guarded: Registry) -> None:
    hosts = [guarded.host, guarded.host.replace("127.0.0.1", "localhost")]
    variables = {"BUILDER_REGISTRY_USERNAME": USERNAME, "BUILDER_REGISTRY_PASSWORD": PASSWORD}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "builder", "login", host],
            env={**os.environ, **home.environ, **variables},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for host in hosts
    ]
    assert [process.wait() for process in running] == [0, 0]
    assert sorted(json.loads(home.file.read_text())["auths"]) == sorted(hosts)


def test_logout_from_everywhere(home: Home) -> None:
    entry = {"auth": AUTH}
    files = [home.file, home.path / ".docker/config.json"]
    for number, file in enumerate(files):
        file.parent.mkdir(parents=True)
        both = {"x.test": entry, "https://index.docker.io/v1/": entry}
        file.write_text(json.dumps({"auths": both | {f"{number}.test": entry}}))
    assert home.call("logout", "docker.io") == "".join(
        f"logged out of docker.io: removed it from {file}\n" for file in files
    )
    said = home.call("logout", "--all").splitlines()
    assert [line.split(":")[0] for line in said] == [
        *["logged out of 0.test", "logged out of 1.test"],
        *["logged out of x.test"] * 2,
    ]
    assert [json.loads(file.read_text()) for file in files] == [{"auths": {}}] * 2
    assert home.call("logout", "--all") == "was not logged in anywhere\n"


@pytest.mark.parametrize("field", ["credHelpers", "credsStore"])
def test_a_helper_keeps_the_password(
    home: Home, guarded: Registry, helpers: Helpers, field: str
) -> None:
    helpers.keeping("safe")
    host = guarded.host
    own = field == "credHelpers"
    marked: dict[str, dict[str, str]] = {host: {}}
    named = {field: {host: "safe"} if own else "safe"}
    file = home.path / "config.json"
    file.write_text(json.dumps(named))
    said = home.login(host, DOCKER_CONFIG=str(home.path))
    assert said == f"logged in to {host} as {USERNAME}; kept in docker-credential-safe\n"
    assert PASSWORD in "".join(helpers.kept("safe").values())
    assert json.loads(file.read_text()) == (named if own else {**named, "auths": marked})
    said = home.call("logout", host, DOCKER_CONFIG=str(home.path))
    assert said.startswith(f"logged out of {host}: removed it from docker-credential-safe\n")
    assert helpers.kept("safe") == {}
    assert json.loads(file.read_text()) == (named if own else {**named, "auths": {}})


def test_the_password_on_stdin(home: Home, guarded: Registry) -> None:
    def login(*arguments: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "builder", "login", guarded.host, *arguments],
            env={**os.environ, **home.environ},
            input=given,
            capture_output=True,
            check=False,
        )

    flags = ("--username", USERNAME, "--password-stdin")
    for end in (b"", b"\n", b"\r\n"):
        assert login(*flags, given=PASSWORD.encode() + end).returncode == 0
    assert login(*flags, given=b"line\nline\n").returncode == 3
    for arguments, given, message in (
        (flags, b"\n", b"error: no password was given\n"),
        (flags, b"\xff", b"error: the password on stdin is not UTF-8\n"),
        (["--password-stdin"], b"x", b"error: no user name was given\n"),
        (["--username", "x"], b"", b"error: no password was given\n"),
    ):
        done = login(*arguments, given=given)
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.startswith(message)


def test_on_a_terminal_it_is_asked_for(home: Home, guarded: Registry) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        argv = [sys.executable, "-m", "builder", "login", guarded.host]
        os.execve(sys.executable, argv, {**os.environ, **home.environ})  # noqa: S606 - a child
    said = b""
    for prompt, typed in ((b"user name: ", USERNAME), (b"password: ", PASSWORD)):
        while prompt not in said:
            said += os.read(terminal, 1024)
        os.write(terminal, f"{typed}\n".encode())
    try:
        while more := os.read(terminal, 1024):
            said += more
    except OSError:  # Linux says so that nobody holds the terminal any more
        pass
    os.close(terminal)
    _, code = os.waitpid(pid, 0)
    assert (code, PASSWORD.encode() in said) == (0, False), said
    assert json.loads(home.file.read_text()) == {"auths": {guarded.host: {"auth": AUTH}}}


@pytest.mark.parametrize(
    "given", ["ghcr.io/team/app", "me:hunter2@ghcr.io", "word", "https://", "a b", "x.test:port"]
)
def test_what_is_no_registry(home: Home, given: str) -> None:
    for command in ("login", "logout"):
        said = home.call(command, given, code=2)
        assert said.startswith("error: not ")
        assert "hunter2" not in said


def test_logout_wants_one_or_all(home: Home) -> None:
    for arguments in ((), ("x.test", "--all")):
        said = home.call("logout", *arguments, code=2)
        assert said == "error: logout takes a registry, or --all in its place\n"


def test_a_file_that_cannot_be_read_is_told_before_the_registry_is_asked(home: Home) -> None:
    home.file.parent.mkdir(parents=True)
    home.file.write_text("{")
    said = home.login("nowhere.invalid", code=2)
    assert said.startswith(f"error: cannot read the credentials in {home.file}: it is no JSON")
    assert home.file.read_text() == "{"


@pytest.mark.engine
def test_podman_and_skopeo_use_what_we_write_and_we_what_they_write(
    home: Home, guarded: Registry, tmp_path: Path
) -> None:
    def call(*argv: str, file: Path) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "REGISTRY_AUTH_FILE": str(file)}
        done = subprocess.run(
            argv, env=environ, input=PASSWORD, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    host, theirs = guarded.host, tmp_path / "theirs.json"
    write_base(tmp_path / "layout", base_layer())
    home.login(host)
    image = f"docker://{host}/some/app:1"
    copy = ("skopeo", "copy", "--dest-tls-verify=false", f"oci:{tmp_path}/layout:base", image)
    call(*copy, file=home.file)
    call("skopeo", "inspect", "--tls-verify=false", "--raw", image, file=home.file)
    assert call("podman", "login", "--get-login", host, file=home.file).stdout == f"{USERNAME}\n"
    call("podman", "logout", host, file=home.file)
    assert home.call("logout", host) == f"was not logged in to {host}\n"
    login = ("podman", "login", "--tls-verify=false", "--username", USERNAME, "--password-stdin")
    call(*login, host, file=theirs)
    keychain = Keychain.at_home({"REGISTRY_AUTH_FILE": str(theirs)}, run)
    assert keychain.find(host, "a/b") == Credential(username=USERNAME, password=PASSWORD)
