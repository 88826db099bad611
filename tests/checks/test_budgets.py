import pytest

from builder.checks.budgets import check_budgets
from builder.checks.finding import Finding, Severity
from builder.checks.subject import Ground, Subject
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libraries import Libraries
from builder.settings import ChecksSettings, Growth

LAYERS = (("base", 40_000_000), ("account", 500), ("torch", 80_000_000), ("project", 2_000_000))
SIZE = 122_000_500


def check(checks: ChecksSettings, previous: int | None = None) -> list[Finding]:
    ground = Ground(files=FileIndex(), libraries=Libraries())
    subject = Subject(
        parts=(), ground=ground, target=None, run={}, layers=LAYERS, previous=previous
    )
    return check_budgets(subject, checks)


def test_no_bound_finds_nothing() -> None:
    assert check(ChecksSettings(), previous=1) == []


@pytest.mark.parametrize(
    "checks",
    [
        ChecksSettings(max_size=SIZE),
        ChecksSettings(max_layer_size=80_000_000),
        ChecksSettings(max_layers=4),
        ChecksSettings(max_growth=Growth(size=2_000_500)),
    ],
)
def test_what_fills_its_bound_is_within_it(checks: ChecksSettings) -> None:
    assert check(checks, previous=120_000_000) == []


def test_an_image_that_is_too_large_names_its_largest_layers() -> None:
    assert check(ChecksSettings(max_size=100_000_000)) == [
        Finding(
            check="max-size",
            severity=Severity.ERROR,
            message="the layers have 122.0 MB to move, and may have 100.0 MB; "
            "the largest: torch 80.0 MB, base 40.0 MB, project 2.0 MB",
            fix="leave something out, choose a smaller base, or raise max-size",
        )
    ]


def test_each_layer_that_is_too_large_is_named() -> None:
    found = check(ChecksSettings(max_layer_size=30_000_000))
    assert [(finding.check, finding.layer) for finding in found] == [
        ("max-layer-size", "base"),
        ("max-layer-size", "torch"),
    ]
    assert found[1].message == "it has 80.0 MB to move, and may have 30.0 MB"


def test_layers_are_counted_with_those_of_the_base() -> None:
    (finding,) = check(ChecksSettings(max_layers=3))
    assert finding.check == "max-layers"
    assert finding.message == "there are 4 layers, and there may be 3"


@pytest.mark.parametrize(
    ("growth", "allowed"), [(Growth(size=1_000_000), "1.0 MB"), (Growth(percent=20), "20.0 MB")]
)
def test_growth_counts_against_the_image_before(growth: Growth, allowed: str) -> None:
    (finding,) = check(ChecksSettings(max_growth=growth), previous=100_000_000)
    assert finding.check == "max-growth"
    assert finding.message == (
        f"the layers grew from 100.0 MB to 122.0 MB, by 22.0 MB, and may grow by {allowed}; "
        "the largest: torch 80.0 MB, base 40.0 MB, project 2.0 MB"
    )


def test_the_first_image_has_not_grown() -> None:
    assert check(ChecksSettings(max_growth=Growth())) == []
