"""Notes in Azure Cosmos DB. Slow to import: `services` does so only when one is configured."""

from azure.cosmos import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosResourceNotFoundError
from azure.identity import DefaultAzureCredential

from second_brain.notes import Note

LATEST = "SELECT TOP @limit * FROM notes n ORDER BY n.created_at DESC"


class CosmosNotes:
    """Notes in a container whose partition key is `/id`."""

    def __init__(self, container: ContainerProxy) -> None:
        """Keep notes in this container."""
        self._container = container

    def add(self, note: Note) -> None:
        """Keep a note."""
        self._container.create_item(note.model_dump(mode="json"))

    def get(self, note_id: str) -> Note | None:
        """Return the note with this id, if there is one."""
        try:
            item = self._container.read_item(note_id, partition_key=note_id)
        except CosmosResourceNotFoundError:
            return None
        return Note.model_validate(item)

    def latest(self, limit: int) -> list[Note]:
        """Return the newest notes, newest first."""
        items = self._container.query_items(
            LATEST,
            parameters=[{"name": "@limit", "value": limit}],
            enable_cross_partition_query=True,
        )
        return [Note.model_validate(item) for item in items]


def open_notes(endpoint: str, database: str, container: str) -> CosmosNotes:
    """Connect, and read the container's properties to prove that it is there."""
    client = CosmosClient(endpoint, DefaultAzureCredential())
    proxy = client.get_database_client(database).get_container_client(container)
    proxy.read()
    return CosmosNotes(proxy)
