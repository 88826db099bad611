"""How destinations are written, and what a wrong one is answered."""

from pathlib import Path

import pytest

from builder.destinations.archives import DockerArchiveDestination, OciArchiveDestination
from builder.destinations.destination import Destination
from builder.destinations.docker import DockerDestination
from builder.destinations.layout import LayoutDestination
from builder.destinations.parse import parse_destination
from builder.destinations.podman import PodmanDestination
from builder.errors import SettingsError
from builder.process import run
from builder.store.layout import Store
from builder.units import decimal


def _parse(text: str, path: Path) -> Destination:
    return parse_destination(text, store=Store(path), run=run)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("oci:dist/app", LayoutDestination),
        ("oci:dist/app:1.0", LayoutDestination),
        ("oci-archive:dist/app.tar", OciArchiveDestination),
        ("docker-archive:app.tar", DockerArchiveDestination),
        ("podman", PodmanDestination),
        ("docker", DockerDestination),
    ],
)
def test_what_is_known(text: str, kind: type, tmp_path: Path) -> None:
    destination = _parse(text, tmp_path)
    assert type(destination) is kind
    assert destination.label == text


def test_a_layout_may_have_a_tag(tmp_path: Path) -> None:
    destination = _parse("oci:dist/app:1.0", tmp_path)
    assert destination == LayoutDestination(
        label="oci:dist/app:1.0", directory=Path("dist/app"), tag="1.0"
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("podmam", "did you mean podman?"),
        ("oci-archiv:app.tar", "did you mean oci-archive:FILE?"),
        ("dist/app.tar", "did you mean oci-archive:dist/app.tar?"),
        ("./dist/images", "did you mean oci:./dist/images?"),
        ("quay", "expected one of: oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, podman"),
        ("", "expected one of"),
        ("oci", "write oci:DIR[:TAG]"),
        ("oci:", "write oci:DIR[:TAG]"),
        ("oci::latest", "write oci:DIR[:TAG]"),
        ("oci:dist:", "write oci:DIR[:TAG]"),
        ("oci-archive", "write oci-archive:FILE"),
        ("docker-archive:", "write docker-archive:FILE"),
        ("podman:app", "write podman"),
        ("podman:", "write podman"),
    ],
)
def test_what_is_wrong(text: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not a destination") as caught:
        _parse(text, tmp_path)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (52_100_000, "52.1 MB"), (5 * 10**9, "5.0 GB")],
)
def test_sizes(size: int, said: str) -> None:
    assert decimal(size) == said
