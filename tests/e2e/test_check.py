"""``check`` finds nothing in what the builder makes of backend/, in whatever form it is."""

import pytest

from tests.command import builder
from tests.e2e.conftest import TAG, Built

pytestmark = [pytest.mark.engine, pytest.mark.index]


@pytest.mark.parametrize(
    "image",
    [
        TAG,
        "oci:{folder}/layout",
        "{folder}/layout",
        "oci-archive:{folder}/oci.tar",
        "docker-archive:{folder}/docker.tar",
        f"containers-storage:{TAG}",
    ],
)
def test_nothing_is_found(image: str, built: Built) -> None:
    source = image.format(folder=built.folder)
    done = builder("check", source, env=built.environ)
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == f"{source}: nothing found"


def test_nothing_is_found_by_who_does_not_know_the_base(built: Built) -> None:
    """Who answers for what is told by the files themselves."""
    store = str(built.folder / "another-store")
    done = builder("check", f"{built.folder}/layout", env={**built.environ, "BUILDER_STORE": store})
    assert done.stdout == ""
