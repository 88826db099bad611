"""An independent client and ours understand each other, through a real registry."""

import json
from pathlib import Path

import oras.client
import pytest

from builder.registry.client import RegistryClient
from builder.registry.hosts import mirror_endpoint
from builder.retry import Retry
from builder.transport import HttpTransport
from layers.digest import Digest
from tests.registry import Registry

pytestmark = pytest.mark.engine


def test_what_oras_pushes_we_read(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # oras takes paths below the current directory alone.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("from another client")
    client = oras.client.OrasClient(hostname=registry.host, insecure=True)
    client.push(target=f"{registry.host}/oras/notes:1", files=["notes.txt"])
    with HttpTransport() as transport:
        ours = RegistryClient(transport, mirror_endpoint(registry.url), Retry())
        fetched = ours.manifest("oras/notes", "1")
        (layer,) = json.loads(fetched.raw)["layers"]
        with ours.blob("oras/notes", Digest(layer["digest"])) as body:
            assert body.read() == b"from another client"
