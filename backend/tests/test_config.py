from pathlib import Path

import pytest
from pydantic import ValidationError

from second_brain.config import Settings


def test_nothing_is_required() -> None:
    settings = Settings()
    assert settings.azure_openai_endpoint is None
    assert settings.key_vault_url is None
    assert settings.cosmos_endpoint is None
    assert settings.connect_timeout_seconds == 2


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {
        "azure_openai_endpoint": "https://brain.openai.azure.com",
        "azure_openai_deployment": "gpt",
        "azure_openai_api_version": "2030-01-01",
        "key_vault_url": "https://brain.vault.azure.net",
        "cosmos_endpoint": "https://brain.documents.azure.com",
        "cosmos_database": "brain",
        "cosmos_container": "thoughts",
    }
    for name, value in expected.items():
        monkeypatch.setenv(name.upper(), value)
    assert Settings().model_dump(exclude={"connect_timeout_seconds"}) == expected


def test_dotenv_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("COSMOS_DATABASE=file\nCOSMOS_CONTAINER=file\nUNRELATED=1\n")
    monkeypatch.setenv("COSMOS_CONTAINER", "environment")
    settings = Settings()
    assert settings.cosmos_database == "file"
    assert settings.cosmos_container == "environment"


def test_an_empty_variable_is_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_VAULT_URL", "")
    assert Settings().key_vault_url is None


def test_a_timeout_is_positive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECT_TIMEOUT_SECONDS", "0")
    with pytest.raises(ValidationError):
        Settings()


def test_the_example_file_names_every_setting() -> None:
    example = Path(__file__).parents[1] / ".env.example"
    lines = [line for line in example.read_text().splitlines() if line and line[0] != "#"]
    named = {line.partition("=")[0] for line in lines}
    assert named == {name.upper() for name in Settings.model_fields}
