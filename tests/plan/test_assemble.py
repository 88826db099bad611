from pathlib import Path
from typing import Any

import pytest

from builder.assemble import assemble
from builder.base.base import Base
from builder.oci.image import Image
from builder.oci.media_types import CONFIG
from builder.plan import BuildPlan, MadeLayer
from layers.compress import DOCKER_TAR_GZIP, TAR_GZIP
from tests.plan.bases import a_base, a_layer
from tests.plan.plans import application, planned

OWN = [
    MadeLayer(name=name, layer=a_layer(name + holds), holds=holds)
    for name, holds in (
        *(("account", ""), ("dependencies", "numpy 2.0"), ("dependencies", "a 1, b 2")),
        ("project", ""),
    )
]
CREATED = "2023-11-14T22:13:20Z"


def an_image(directory: Path, base: Base) -> tuple[BuildPlan, Image]:
    plan = planned(application(directory), base)
    return plan, assemble(plan, base, OWN)


def test_layers_stand_on_the_base_s_in_their_order(tmp_path: Path) -> None:
    base = a_base(layers=[a_layer("first"), a_layer("second")])
    plan, image = an_image(tmp_path, base)
    assert image.layers == (*base.image.layers, *(made.layer for made in OWN))
    config = image.config.value
    assert config.diff_ids == tuple(layer.diff_id for layer in image.layers)
    assert config.run == plan.run
    assert config.members["created"] == CREATED
    assert config.members["rootfs"]["type"] == "layers"
    manifest = image.manifest.value
    assert manifest.annotations == plan.annotations
    assert manifest.config.media_type == CONFIG


def test_every_own_layer_has_a_history_entry_and_the_base_s_stay(tmp_path: Path) -> None:
    history = [
        {"created": "2024-01-01T00:00:00Z", "created_by": "debian"},
        {"created_by": "ENV A=1", "empty_layer": True},
        {"created_by": "python"},
    ]
    base = a_base(layers=[a_layer("first"), a_layer("second")], members={"history": history})
    _, image = an_image(tmp_path, base)
    assert list(image.config.value.history) == [
        *history,
        *(
            {"created": CREATED, "created_by": f"image-builder: {name}", "comment": comment}
            for name, comment in (
                ("account", "account"),
                ("dependencies", "numpy 2.0"),
                ("dependencies", "a 1, b 2"),
                ("project", "project"),
            )
        ),
    ]


@pytest.mark.parametrize(
    "members",
    [{}, {"history": None}, {"history": []}, {"history": [{"created_by": "one of two"}]}],
    ids=str,
)
def test_a_base_whose_history_does_not_account_for_its_layers_gets_bare_entries(
    members: dict[str, Any], tmp_path: Path
) -> None:
    base = a_base(layers=[a_layer("first"), a_layer("second")], members=members)
    _, image = an_image(tmp_path, base)
    history = image.config.value.history
    assert history[:2] == ({}, {})
    assert len(history) == len(image.layers) == 6


def test_layers_of_a_docker_base_get_the_names_of_oci(tmp_path: Path) -> None:
    base = a_base(layers=[a_layer("first", DOCKER_TAR_GZIP), a_layer("second")])
    _, image = an_image(tmp_path, base)
    assert {layer.media_type for layer in image.layers} == {TAR_GZIP}
    assert {pointer.media_type for pointer in image.manifest.value.layers} == {TAR_GZIP}
    first = base.image.layers[0]
    assert (image.layers[0].digest, image.layers[0].source) == (first.digest, first.source)


def test_only_members_of_the_specification_are_inherited(tmp_path: Path) -> None:
    members = {
        "variant": "v3",
        "author": "them",
        "container": "0123",
        "docker_version": "20.10",
        "os.version": "1",
        "os.features": ["a"],
    }
    base = a_base(members=members)
    _, image = an_image(tmp_path, base)
    assert set(image.config.value.members) == {
        *("os", "architecture", "variant", "os.version", "os.features"),
        *("created", "config", "rootfs", "history"),
    }


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    base = a_base(layers=[a_layer("first")])
    _, here = an_image(tmp_path / "here", base)
    _, there = an_image(tmp_path / "there", base)
    assert here.manifest.raw == there.manifest.raw
    assert here.config.raw == there.config.raw
    assert here.digest == there.digest
