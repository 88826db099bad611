"""The service's settings: environment variables, and `.env` for local work."""

from pydantic import PositiveFloat
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the environment says. Each field is the variable of the same name in capitals.

    Nothing is required, and URLs stay plain strings: a missing or wrong one costs the
    service that it names, not the start of the application.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    azure_openai_endpoint: str | None = None
    azure_openai_deployment: str | None = None
    azure_openai_api_version: str = "2024-10-21"

    key_vault_url: str | None = None

    cosmos_endpoint: str | None = None
    cosmos_database: str = "second-brain"
    cosmos_container: str = "notes"

    connect_timeout_seconds: PositiveFloat = 2.0
