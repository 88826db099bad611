import asyncio
import subprocess
import sys

import pytest
from fastapi.testclient import TestClient

from second_brain import cosmos, key_vault
from second_brain.config import Settings
from second_brain.main import app
from second_brain.notes import MemoryNotes
from second_brain.services import OPENAI_KEY_SECRET, connect

OURS = {"second_brain.attempt", "second_brain.services"}

START_AND_LIST_AZURE_MODULES = """
import sys
from fastapi.testclient import TestClient
from second_brain.main import app
with TestClient(app) as client:
    assert client.get("/health").json() == {"status": "ok"}
print([name for name in sys.modules if name.partition(".")[0] in ("azure", "msal")])
"""


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return sorted(record.getMessage() for record in caplog.records if record.name in OURS)


def start_and_check_health() -> None:
    with TestClient(app) as client:
        assert client.get("/health").json() == {"status": "ok"}
        assert not any(client.get("/services").json().values())


def test_unconfigured_services_are_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    start_and_check_health()
    assert warnings_of(caplog) == [
        "Cosmos DB is not configured (COSMOS_ENDPOINT); notes stay in memory",
        "Key Vault is not configured (KEY_VAULT_URL); going on without it",
    ]


def test_azure_is_not_imported_when_unconfigured() -> None:
    command = [sys.executable, "-c", START_AND_LIST_AZURE_MODULES]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_services_that_refuse_are_warned_about(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, refusing_url: str
) -> None:
    monkeypatch.setenv("CONNECT_TIMEOUT_SECONDS", "60")
    monkeypatch.setenv("KEY_VAULT_URL", refusing_url)
    monkeypatch.setenv("COSMOS_ENDPOINT", refusing_url)
    start_and_check_health()
    about_cosmos, about_key_vault = warnings_of(caplog)
    assert about_cosmos.startswith(f"Cosmos DB {refusing_url} is not available (Client")
    assert about_key_vault.startswith(f"Key Vault {refusing_url} is not available (Service")


def test_services_and_a_credential_that_hang_are_left_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, silent_url: str
) -> None:
    # Key Vault hangs in its own first request, Cosmos DB in the credential's.
    monkeypatch.setenv("CONNECT_TIMEOUT_SECONDS", "1")
    monkeypatch.setenv("KEY_VAULT_URL", silent_url)
    monkeypatch.setenv("COSMOS_ENDPOINT", silent_url)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", silent_url)
    monkeypatch.setenv("AZURE_TENANT_ID", "00000000-0000-0000-0000-000000000000")
    monkeypatch.setenv("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000000")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "none")
    start_and_check_health()
    assert warnings_of(caplog) == [
        f"Cosmos DB {silent_url} did not answer within 1 s; going on without it",
        f"Key Vault {silent_url} did not answer within 1 s; going on without it",
    ]


def test_a_wrong_url_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CONNECT_TIMEOUT_SECONDS", "60")
    monkeypatch.setenv("KEY_VAULT_URL", "not a url")
    start_and_check_health()
    assert any(text.startswith("Key Vault not a url is not") for text in warnings_of(caplog))


def test_what_answers_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = MemoryNotes()
    monkeypatch.setattr(key_vault, "read_secret", lambda url, name: f"{name} of {url}")
    monkeypatch.setattr(cosmos, "open_notes", lambda *_where: stored)
    settings = Settings(
        azure_openai_endpoint="https://openai",
        azure_openai_deployment="gpt",
        key_vault_url="https://vault",
        cosmos_endpoint="https://cosmos",
    )
    services = asyncio.run(connect(settings))
    assert services.openai_key == f"{OPENAI_KEY_SECRET} of https://vault"
    assert services.notes is services.cosmos is stored
    assert services.openai_is_ready
