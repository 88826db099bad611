import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.errors import SettingsError
from builder.process import run
from builder.registry.credential import Credential
from builder.registry.keychain import Keychain, credential_places, login_path
from tests.nobody import as_nobody
from tests.registry_client.credential_programs import Helpers, helpers_on_path

HUB = "https://index.docker.io/v1/"


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helpers:
    return helpers_on_path(tmp_path / "bin", monkeypatch)


def entry(name: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:secret of {name}".encode()).decode()}


def write(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def keychain(tmp_path: Path, document: object, **given: Credential) -> Keychain:
    path = write(tmp_path / "auth.json", document)
    return Keychain.at_home({"REGISTRY_AUTH_FILE": str(path)}, run, given=given)


def found(keychain: Keychain, registry: str, repository: str = "a/b") -> str | None:
    credential = keychain.find(registry, repository)
    return credential.username if credential else None


def test_places_in_their_order(tmp_path: Path) -> None:
    places = {
        "REGISTRY_AUTH_FILE": ("named.json", "named.json"),
        "DOCKER_CONFIG": ("docker", "docker/config.json"),
        "XDG_RUNTIME_DIR": ("run", "run/containers/auth.json"),
        "XDG_CONFIG_HOME": ("settings", "settings/containers/auth.json"),
        "HOME": ("home", "home/.docker/config.json"),
    }
    environ = {name: str(tmp_path / place) for name, (place, _) in places.items()}
    for name, (_, path) in places.items():
        write(tmp_path / path, {"auths": {"x.test": entry(name)}})
    for name in places:
        if name == "HOME":
            break
        assert found(Keychain.at_home(environ, run), "x.test") == name
        (tmp_path / places[name][1]).unlink()
        del environ[name]
    write(tmp_path / "home/.config/containers/auth.json", {"auths": {"x.test": entry("own")}})
    environ["XDG_RUNTIME_DIR"] = str(tmp_path / "nowhere")
    assert found(Keychain.at_home(environ, run), "x.test") == "own"
    (tmp_path / "home/.config/containers/auth.json").unlink()
    assert found(Keychain.at_home(environ, run), "x.test") == "HOME"


def test_a_directory_for_docker_stands_in_for_its_own(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", {"auths": {"x.test": entry("home")}})
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    assert found(Keychain.at_home(environ, run), "x.test") == "home"
    environ["DOCKER_CONFIG"] = str(tmp_path / "empty")
    assert found(Keychain.at_home(environ, run), "x.test") is None


def test_without_a_home_only_podmans_own_place_is_left() -> None:
    assert [place.path for place in credential_places({})] == [
        Path(f"/run/containers/{os.getuid()}/auth.json")
    ]


def test_a_file_without_the_registry_leaves_it_to_the_next(tmp_path: Path) -> None:
    first = write(tmp_path / "first.json", {"auths": {"other.test": entry("other")}})
    write(tmp_path / "run/containers/auth.json", {"auths": {"x.test": entry("second")}})
    environ = {"REGISTRY_AUTH_FILE": str(first), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    assert found(Keychain.at_home(environ, run), "x.test") == "second"


def test_given_credentials_win_and_no_file_is_read(tmp_path: Path) -> None:
    broken = keychain(tmp_path, "{", **{"registry-1.docker.io": Credential(username="given")})
    assert found(broken, "docker.io") == "given"
    with pytest.raises(SettingsError):
        found(broken, "x.test")


@pytest.mark.parametrize("key", ["docker.io", "index.docker.io", "registry-1.docker.io", HUB])
@pytest.mark.parametrize("asked", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_by_any_name(tmp_path: Path, key: str, asked: str) -> None:
    chain = keychain(tmp_path, {"auths": {key: entry("me"), "x.test": entry("x")}})
    assert found(chain, asked, "library/python") == "me"


@pytest.mark.parametrize(
    "key",
    ["x.test:5000", "https://x.test:5000", "https://x.test:5000/v1/", "http://x.test:5000/v2/",
     "x.test:5000/v1", "X.test:5000/"],
)  # fmt: skip
def test_keys_as_they_are_written(tmp_path: Path, key: str) -> None:
    chain = keychain(tmp_path, {"auths": {key: entry("me")}})
    assert found(chain, "x.test:5000") == "me"
    assert found(chain, "x.test") is None
    assert found(chain, "xx.test:5000") is None


def test_the_longest_path_wins(tmp_path: Path) -> None:
    keys = ["x.test/a", "x.test", "x.test/a/b", "https://x.test/v1/", "x.test/a/bb"]
    chain = keychain(tmp_path, {"auths": {key: entry(key) for key in keys}})
    assert found(chain, "x.test", "a/b") == "x.test/a/b"
    assert found(chain, "x.test", "a/b/c") == "x.test/a/b"
    assert found(chain, "x.test", "a/c") == "x.test/a"
    assert found(chain, "x.test", "c") == "x.test"
    assert found(chain, "x.test", "") == "x.test"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (entry("me"), Credential(username="me", password="secret of me")),
        ({"auth": "bWU6YTpi"}, Credential(username="me", password="a:b")),
        ({"auth": "bWU6YQAA"}, Credential(username="me", password="a")),
        ({"auth": "bWU6YWI"}, Credential(username="me", password="ab")),
        ({"username": "me", "password": "pw"}, Credential(username="me", password="pw")),
        ({"auth": "MDo=", "identitytoken": "t"}, Credential(username="0", identity_token="t")),
        ({"registrytoken": "t"}, Credential(registry_token="t")),
        ({}, None),
        ({"email": "me@x.test"}, None),
    ],
)
def test_entries(tmp_path: Path, value: object, expected: Credential | None) -> None:
    assert keychain(tmp_path, {"auths": {"x.test": value}}).find("x.test", "a") == expected


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ('{"auths": hunter2', "it is no JSON: Expecting value (line 1, column 11)"),
        ("[]", "it is no JSON object"),
        ("\xff", "it is no JSON"),
        ({"auths": ["hunter2"]}, "auths is no object"),
        ({"auths": {"x.test": "hunter2"}}, "the entry for x.test is no object of strings"),
        ({"auths": {"x.test": {"auth": 7}}}, "the entry for x.test is no object of strings"),
        (
            {"auths": {"x.test": {"auth": "hunter2!"}}},
            "auth of x.test is not a name and a password in base64",
        ),
        (
            {"auths": {"x.test": {"auth": "aHVudGVyMg=="}}},
            "auth of x.test is not a name and a password in base64",
        ),
        ({"credHelpers": {"x.test": 7}}, "a name in credHelpers is no string"),
        ({"credsStore": 7}, "credsStore is no string"),
    ],
)
def test_a_broken_file_is_named_and_never_shown(
    tmp_path: Path, document: object, reason: str
) -> None:
    path = tmp_path / "auth.json"
    text = document if isinstance(document, str) else json.dumps(document)
    path.write_bytes(text.encode("latin-1"))
    chain = Keychain.at_home({"REGISTRY_AUTH_FILE": str(path)}, run)
    with pytest.raises(SettingsError) as caught:
        chain.find("x.test", "a")
    assert caught.value.message == f"cannot read the credentials in {path}: {reason}"


def test_a_file_that_is_named_is_a_file(tmp_path: Path) -> None:
    chain = Keychain.at_home({"REGISTRY_AUTH_FILE": str(tmp_path)}, run)
    message = rf"credentials in {tmp_path}, which REGISTRY_AUTH_FILE names: Is a directory"
    with pytest.raises(SettingsError, match=message):
        chain.find("x.test", "a")
    before_the_first_login = {"REGISTRY_AUTH_FILE": str(tmp_path / "none")}
    assert found(Keychain.at_home(before_the_first_login, run), "x.test") is None


def test_a_file_in_its_usual_place_may_be_missing_and_not_be_a_directory(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    assert found(Keychain.at_home(environ, run), "x.test") is None
    (tmp_path / ".docker/config.json").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"credentials in .*/config\.json: Is a directory"):
        found(Keychain.at_home(environ, run), "x.test")


def test_a_home_that_is_closed_is_not_ours(tmp_path: Path) -> None:
    home, environ = tmp_path / "home", {"HOME": str(tmp_path / "home")}
    file = write(home / ".docker/config.json", {"auths": {"x.test": entry("root")}})
    file.chmod(0o600)
    home.chmod(0o700)
    if os.geteuid() != 0:
        home.chmod(0)
    with as_nobody(tmp_path):
        assert found(Keychain.at_home(environ, run), "x.test") is None
    home.chmod(0o755)
    if os.geteuid() != 0:
        file.chmod(0)
    with (
        as_nobody(tmp_path),
        pytest.raises(SettingsError, match=r"config\.json: Permission denied"),
    ):
        found(Keychain.at_home(environ, run), "x.test")


def test_an_empty_file_says_nothing() -> None:
    chain = Keychain.at_home({"REGISTRY_AUTH_FILE": "/dev/null"}, run)
    assert found(chain, "x.test") is None


def kept(username: str, secret: str = "") -> str:
    return json.dumps({"ServerURL": "", "Username": username, "Secret": secret})


def test_a_registrys_own_helper_comes_first(tmp_path: Path, helpers: Helpers) -> None:
    helpers.keeping("own", x_test=kept("helped", "p w\\"), https___index_docker_io_v1_=kept("hub"))
    document = {
        "credHelpers": {"x.test": "own", HUB: "own"},
        "auths": {"x.test": entry("file"), "y.test": entry("file")},
    }
    chain = keychain(tmp_path, document)
    assert chain.find("x.test", "a") == Credential(username="helped", password="p w\\")
    assert found(chain, "docker.io") == "hub"
    assert found(chain, "y.test") == "file"
    assert found(chain, "x.test", "another") == "helped"
    assert helpers.calls("own") == ["get", "get"], "what was found is known"


def test_the_store_is_asked_last(tmp_path: Path, helpers: Helpers) -> None:
    helpers.keeping("all", x_test=kept("helped"), y_test=kept("<token>", "t"), z_test=kept("z"))
    document = {
        "credsStore": "all",
        "auths": {"x.test": {}, "z.test": entry("file")},
    }
    chain = keychain(tmp_path, document)
    assert found(chain, "x.test") == "helped"
    assert chain.find("y.test", "a") == Credential(identity_token="t")
    assert found(chain, "z.test") == "file"
    assert found(chain, "unknown.test") is None


def test_threads_ask_a_helper_once(tmp_path: Path, helpers: Helpers) -> None:
    helpers.keeping("own", x_test=kept("helped"))
    chain = keychain(tmp_path, {"credHelpers": {"x.test": "own"}})
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: found(chain, "x.test"), range(8)))
    assert names == ["helped"] * 8
    assert helpers.calls("own") == ["get"]


def test_a_missing_store_matters_where_it_holds_something(tmp_path: Path) -> None:
    chain = keychain(tmp_path, {"credsStore": "desktop", "auths": {"x.test": {}}})
    assert found(chain, "docker.io") is None
    with pytest.raises(SettingsError) as caught:
        found(chain, "x.test")
    assert caught.value.message == (
        "the credential helper docker-credential-desktop is not installed, or not on PATH"
    )


def test_a_missing_helper_of_one_registry_matters(tmp_path: Path) -> None:
    chain = keychain(tmp_path, {"credHelpers": {"x.test": "nowhere"}})
    with pytest.raises(SettingsError, match="docker-credential-nowhere is not installed"):
        found(chain, "x.test")
    assert found(chain, "y.test") is None


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\necho the keychain is locked >&2; exit 3", "the keychain is locked"),
        ("#!/bin/sh\necho the keychain; echo is locked; exit 1", "the keychain is locked"),
        ("#!/bin/sh\nexit 5", "exit code 5"),
        ('#!/bin/sh\necho \'{"Username": "me", "Secret": "hunter2"}\'; exit 1', "exit code 1"),
        ("#!/bin/sh\necho hunter2", "what it gave is no credential"),
        ("#!/bin/sh\necho '[]'", "what it gave is no credential"),
        ('#!/bin/sh\necho \'{"Username": "me"}\'', "what it gave is no credential"),
    ],
)
def test_a_helper_that_fails_says_why(
    tmp_path: Path, helpers: Helpers, script: str, reason: str
) -> None:
    helpers.saying("bad", script)
    for document in ({"credHelpers": {"x.test": "bad"}}, {"credsStore": "bad"}):
        with pytest.raises(SettingsError) as caught:
            found(keychain(tmp_path, document), "x.test")
        assert caught.value.message == f"docker-credential-bad get, for x.test: {reason}"


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "-x", "a b", "a\nb"])
def test_a_helper_is_a_plain_word(tmp_path: Path, name: str) -> None:
    if not name:
        assert found(keychain(tmp_path, {"credHelpers": {"x.test": name}}), "x.test") is None
        return
    with pytest.raises(SettingsError, match="is not the name of a credential helper"):
        found(keychain(tmp_path, {"credHelpers": {"x.test": name}}), "x.test")


def test_a_login_goes_to_the_first_place_that_is_named() -> None:
    environ = {
        "REGISTRY_AUTH_FILE": "/a",
        "DOCKER_CONFIG": "/b",
        "XDG_RUNTIME_DIR": "/c",
        "XDG_CONFIG_HOME": "/d",
        "HOME": "/e",
    }
    expected = ["/a", "/b/config.json", "/c/containers/auth.json", "/d/containers/auth.json",
                "/e/.config/containers/auth.json"]  # fmt: skip
    for name, path in zip([*environ], expected, strict=True):
        assert login_path(environ) == Path(path)
        del environ[name]
    with pytest.raises(SettingsError, match="no home directory"):
        login_path({})


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    secret = Credential(
        username="hunter2", password="hunter2", identity_token="hunter2", registry_token="hunter2"
    )
    chain = keychain(tmp_path, {"auths": {"x.test": {"registrytoken": "hunter2"}}})
    assert chain.find("x.test", "a") == Credential(registry_token="hunter2")
    for shown in (secret, [secret], chain, *credential_places({}), chain.__dict__):
        assert "hunter2" not in f"{shown} {shown!r}"
    for wrong in ({"username": "hunter2:"}, {"registry_token": "hunter2\n"}):
        with pytest.raises(SettingsError) as caught:
            Credential(**wrong)
        assert "hunter2" not in caught.value.message
