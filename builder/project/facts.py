"""The seam to where small things are kept that cost time to find out."""

from typing import Protocol


class Facts(Protocol):
    """Keeps JSON objects under a kind and a key; losing one costs time, never correctness."""

    def fact(self, kind: str, key: str) -> dict[str, object] | None:
        """What ``remember`` kept; None when nothing readable is there."""
        ...

    def remember(self, kind: str, key: str, fact: dict[str, object]) -> None:
        """Keep a fact.

        Raises:
            StoreError: it cannot be kept.
        """
        ...
