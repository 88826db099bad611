"""Whatever happens on the way, images arrive whole, or nothing is named and one error says why.

Each run has a seed: what is pushed and pulled, what goes wrong and when. ``BUILDER_FAULT_RUNS``
says how many there are, e.g. 1000.
"""

import functools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from builder.registry import upload
from tests.registry import SHAPES, Registry, Shape, serve_shape
from tests.registry_client.faults import FOR_EVER, FaultPlan, Kind
from tests.registry_client.proxy import faulty
from tests.registry_client.runs import SIBLING, Run, random_image

pytestmark = pytest.mark.engine

_RUNS = int(os.environ.get("BUILDER_FAULT_RUNS", "60"))
_READ_SECONDS = 0.5  # short where silence is a part of the plan, and only there

_SILENT = frozenset({Kind.STALL_ANSWER, Kind.STALL_BODY})
_FATAL = frozenset(
    {
        # Whoever was not answered for long gives up at once.
        *_SILENT,
        # The next try would be corrupted as well, as far as a client can tell.
        Kind.CORRUPT_BODY,
        Kind.CORRUPT_UPLOAD,
        Kind.SHORT_BODY,
        Kind.DIGEST_WRONG,
        Kind.LOCATION_MISSING,
    }
)
"""After these an error is as good an end as success."""


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Shape], Registry]]:
    """A registry of a shape; all runs share it, each in a repository of its own."""
    with ExitStack() as stack:

        @functools.cache
        def start(shape: Shape) -> Registry:
            return stack.enter_context(serve_shape(shape, tmp_path_factory.mktemp(shape)))

        yield start


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks of an image that is pushed in no time."""
    monkeypatch.setattr(upload, "_LARGEST_CHUNK", 64 << 10)
    monkeypatch.setattr(upload, "_SMALLEST_CHUNK", 16 << 10)


def _kinds(shape: Shape) -> list[Kind]:
    """A registry that asks nobody for a token has none that could be too old."""
    return [kind for kind in Kind if kind is not Kind.EXPIRED_TOKEN or shape == "token"]


def _is_silent(plan: FaultPlan) -> bool:
    return not _SILENT.isdisjoint(fault.kind for fault in plan.faults)


def _must_succeed(plan: FaultPlan) -> bool:
    """Whether so little goes wrong that four tries of everything are enough."""
    if any(fault.kind in _FATAL for fault in plan.faults):
        return False
    return sum(fault.times for fault in plan.faults if fault.times != FOR_EVER) <= 3


@pytest.mark.parametrize("seed", range(_RUNS))
def test_an_image_arrives_whole_or_not_at_all(
    serve: Callable[[Shape], Registry], seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    shape = SHAPES[seed % len(SHAPES)]
    registry = serve(shape)
    run = Run(registry=registry, repository=f"faults/run-{seed}")
    before, image = random_image(dice), random_image(dice)
    has_before, knows_sibling = dice.random() < 0.3, dice.random() < 0.5
    if has_before:
        run.push(registry.host, before)
    if knows_sibling:
        Run(registry=registry, repository=SIBLING).push(registry.host, image)
    plan = FaultPlan.random(seed, _kinds(shape))
    run.read_seconds = _READ_SECONDS if _is_silent(plan) else 30
    with faulty(registry, plan, stall_seconds=10 * _READ_SECONDS) as proxy:
        known = image.blobs[::2] if knows_sibling else ()
        ahead = dice.random() < 0.5
        error = run.end_of(lambda: run.push(proxy.host, image, known, ahead=ahead))
        if error is None or run.tagged() == image.raw:
            run.check_whole(image)
        elif has_before:
            run.check_whole(before)
        else:
            assert run.tagged() is None
        assert error is None or not _must_succeed(plan), (plan, error)
        run.check_discreet(proxy)


@pytest.mark.parametrize("seed", range(_RUNS))
def test_what_is_pulled_is_what_was_pushed(serve: Callable[[Shape], Registry], seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    shape = SHAPES[seed % len(SHAPES)]
    registry = serve(shape)
    run = Run(registry=registry, repository="faults/pulled")
    image = random_image(random.Random(0))  # noqa: S311 - the same one for all runs
    run.push(registry.host, image)
    wanted = [registry.read(run.repository, f"blobs/{b.descriptor.digest}") for b in image.blobs]
    got: list[tuple[bytes, list[bytes]]] = []
    plan = FaultPlan.random(dice.randrange(1 << 30), _kinds(shape))
    run.read_seconds = _READ_SECONDS if _is_silent(plan) else 30
    with faulty(registry, plan, stall_seconds=10 * _READ_SECONDS) as proxy:
        error = run.end_of(lambda: got.append(run.pull(proxy.host, image)))
        assert got == ([] if error else [(image.raw, wanted)])
        assert error is None or not _must_succeed(plan), (plan, error)
        run.check_discreet(proxy)
