from collections.abc import Iterable
from typing import Any, cast

from azure.cosmos.exceptions import CosmosResourceNotFoundError

from second_brain.cosmos import CosmosNotes
from second_brain.notes import Note

type Item = dict[str, Any]


class FakeContainer:
    """The three calls that we make, answered as Cosmos DB would."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}

    def create_item(self, body: Item) -> Item:
        self.items[body["id"]] = body | {"_ts": 1, "_etag": "x"}
        return self.items[body["id"]]

    def read_item(self, item: str, partition_key: str) -> Item:
        assert item == partition_key
        if item not in self.items:
            raise CosmosResourceNotFoundError
        return self.items[item]

    def query_items(
        self, _query: str, *, parameters: list[Item], enable_cross_partition_query: bool
    ) -> Iterable[Item]:
        assert enable_cross_partition_query
        newest = sorted(self.items.values(), key=lambda item: item["created_at"], reverse=True)
        return newest[: parameters[0]["value"]]


def test_notes_survive_the_round_trip() -> None:
    notes = CosmosNotes(cast("Any", FakeContainer()))
    first, second = Note(text="first"), Note(text="second")
    notes.add(first)
    notes.add(second)
    assert notes.get(first.id) == first
    assert notes.get("none") is None
    assert notes.latest(1) == [second]
