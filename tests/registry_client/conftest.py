from collections.abc import Iterator

import pytest

from tests.registry_client.fake import FaultyServer, faulty_server


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running
