"""Azure Key Vault. Slow to import: `services` does so only when a vault is configured."""

from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from pydantic import SecretStr


def read_secret(vault_url: str, name: str) -> SecretStr:
    """Fetch one secret, without retries: the caller has little patience."""
    with (
        DefaultAzureCredential() as credential,
        SecretClient(vault_url, credential, retry_total=0) as client,
    ):
        return SecretStr(client.get_secret(name).value or "")
