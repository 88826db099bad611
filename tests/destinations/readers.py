"""What lies at a destination, as other people's tools see it."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def output_of(*argv: str | Path) -> str:
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Found:
    """An image that a tool read: its manifest's digest, its config's, its layers' diff_ids."""

    digest: str
    config: str
    diff_ids: Sequence[str]


def skopeo(source: str) -> Found:
    config = output_of("skopeo", "inspect", "--config", "--raw", source)
    return Found(
        digest=json.loads(output_of("skopeo", "inspect", source))["Digest"],
        config=config,
        diff_ids=json.loads(config)["rootfs"]["diff_ids"],
    )


def podman(name: str) -> Found:
    [facts] = json.loads(output_of("podman", "image", "inspect", name))
    return Found(facts["Digest"], facts["Id"], facts["RootFS"]["Layers"])


def podman_names(image_id: str) -> list[str]:
    [facts] = json.loads(output_of("podman", "image", "inspect", image_id))
    names: list[str] = facts["RepoTags"]
    return names


def members(archive: Path) -> dict[str, Any]:
    """The JSON documents of an archive, by name."""
    listed = output_of("tar", "-tf", archive).splitlines()
    documents = [name for name in listed if name.endswith(".json") and "/" not in name]
    return {name: json.loads(output_of("tar", "-xOf", archive, name)) for name in documents}
