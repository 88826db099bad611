from pathlib import Path

import pytest

from builder.errors import SettingsError
from builder.process import run
from builder.registry.credential import Credential
from builder.registry.credential_helper import CredentialHelper, MissingHelperError
from tests.registry_client.credential_programs import Helpers, helpers_on_path

ME = Credential(username="me", password="hunter2")


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helpers:
    return helpers_on_path(tmp_path / "bin", monkeypatch)


def test_what_is_stored_is_found_until_it_is_erased(helpers: Helpers) -> None:
    helpers.keeping("safe")
    helper = CredentialHelper(name="safe", run=run)
    for registry in ("x.test:5000", "docker.io"):
        assert helper.get(registry) is None
        helper.store(registry, ME)
        assert helper.get(registry) == ME
    assert [*helpers.kept("safe")] == ["https___index_docker_io_v1_", "x_test_5000"]
    helper.erase("docker.io")
    assert helper.get("docker.io") is None
    assert helper.get("x.test:5000") == ME


def test_a_helper_that_fails_does_not_tell_the_password(helpers: Helpers) -> None:
    helpers.saying("echo", '#!/bin/sh\nsaid=$(cat); echo "cannot $1: $said"; exit 1')
    helper = CredentialHelper(name="echo", run=run)
    with pytest.raises(SettingsError) as caught:
        helper.store("x.test", ME)
    assert caught.value.message == "docker-credential-echo store, for x.test: exit code 1"
    with pytest.raises(SettingsError) as caught:
        helper.erase("x.test")
    assert caught.value.message == (
        "docker-credential-echo erase, for x.test: cannot erase: x.test"
    )


def test_the_password_is_no_argument_and_no_variable(helpers: Helpers, tmp_path: Path) -> None:
    script = f'#!/bin/sh\n{{ env; tr "\\0" " " < /proc/$$/cmdline; }} > {tmp_path}/seen\ncat'
    helpers.saying("spy", script)
    CredentialHelper(name="spy", run=run).store("x.test", ME)
    seen = (tmp_path / "seen").read_text()
    assert "docker-credential-spy store" in seen
    assert "hunter2" not in seen


def test_a_helper_that_cannot_be_started(helpers: Helpers) -> None:
    with pytest.raises(MissingHelperError):
        CredentialHelper(name="none", run=run).get("x.test")
    helpers.saying("broken", "#!/nowhere/sh\n")
    with pytest.raises(SettingsError):
        CredentialHelper(name="broken", run=run).get("x.test")
