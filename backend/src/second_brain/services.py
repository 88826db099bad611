"""The cloud services that the application uses, found once, when it starts."""

import asyncio
import logging
from dataclasses import dataclass
from threading import Lock

from pydantic import SecretStr

from second_brain.attempt import attempt
from second_brain.config import Settings
from second_brain.notes import MemoryNotes, NoteStore

logger = logging.getLogger(__name__)

OPENAI_KEY_SECRET = "azure-openai-api-key"  # noqa: S105 - the name of a secret, not a secret

# Azure's packages import one another in circles, and two threads that enter such a circle
# at once may see half a module.
_importing = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What start-up found. What was not found is None, or its stand-in."""

    settings: Settings
    openai_key: SecretStr | None
    cosmos: NoteStore | None
    notes: NoteStore

    @property
    def openai_is_ready(self) -> bool:
        """Whether all that a call to Azure OpenAI needs is known."""
        settings = self.settings
        return bool(
            settings.azure_openai_endpoint and settings.azure_openai_deployment and self.openai_key
        )


async def connect(settings: Settings) -> Services:
    """Try Key Vault and Cosmos DB side by side, each for the configured time."""
    openai_key, cosmos = await asyncio.gather(_read_openai_key(settings), _open_cosmos(settings))
    return Services(
        settings=settings, openai_key=openai_key, cosmos=cosmos, notes=cosmos or MemoryNotes()
    )


async def _read_openai_key(settings: Settings) -> SecretStr | None:
    url = settings.key_vault_url
    if url is None:
        logger.warning("Key Vault is not configured (KEY_VAULT_URL); going on without it")
        return None

    def work() -> SecretStr:
        with _importing:
            from second_brain.key_vault import read_secret  # noqa: PLC0415 - slow, optional
        return read_secret(url, OPENAI_KEY_SECRET)

    return await attempt(f"Key Vault {url}", work, seconds=settings.connect_timeout_seconds)


async def _open_cosmos(settings: Settings) -> NoteStore | None:
    url = settings.cosmos_endpoint
    if url is None:
        logger.warning("Cosmos DB is not configured (COSMOS_ENDPOINT); notes stay in memory")
        return None

    def work() -> NoteStore:
        with _importing:
            from second_brain.cosmos import open_notes  # noqa: PLC0415 - slow, optional
        return open_notes(url, settings.cosmos_database, settings.cosmos_container)

    return await attempt(f"Cosmos DB {url}", work, seconds=settings.connect_timeout_seconds)
