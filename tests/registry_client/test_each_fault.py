"""One thing goes wrong, and the image arrives all the same."""

import random
from collections.abc import Iterator, Sequence

import pytest

from builder.registry import upload
from tests.registry import Registry, serve_shape
from tests.registry_client.faults import FOR_EVER, HABITS, Fault, FaultPlan, Kind, Operation
from tests.registry_client.proxy import FaultProxy, faulty
from tests.registry_client.runs import SIBLING, Run, random_image

pytestmark = pytest.mark.engine

_IMAGE = random_image(random.Random(4))  # noqa: S311 - one that is always the same
_CHUNKED = Fault(kind=Kind.PUT_413, times=FOR_EVER)
_CHUNK = frozenset({Operation.CHUNK})
_BROKEN_CHUNK = Fault(kind=Kind.RESET_UPLOAD, skip=1, at=_CHUNK)
_NEEDS = {
    Kind.RANGE_IGNORED: (Fault(kind=Kind.TRUNCATED_BODY, skip=2),),
    Kind.RANGE_WRONG: (_CHUNKED, _BROKEN_CHUNK),
}
"""What has to go wrong before that can."""
_OVERCOME = (
    *(kind for kind in Kind if kind.startswith(("status_", "mount_"))),
    Kind.RESET_AFTER_HEAD,
    Kind.RESET_BEFORE_ANSWER,
    Kind.SLOW_ANSWER,
    Kind.EXPIRED_TOKEN,
    Kind.LOCATION_RELATIVE,
    Kind.LOCATION_ABSOLUTE,
    Kind.REDIRECT,
    Kind.DIGEST_MISSING,
    Kind.RANGE_IGNORED,
    Kind.RANGE_WRONG,
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serve_shape("token", tmp_path_factory.mktemp("token")) as running:
        Run(registry=running, repository=SIBLING).push(running.host, _IMAGE)
        yield running


@pytest.fixture
def run(registry: Registry, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    # Several chunks of an image that is pushed in no time.
    monkeypatch.setattr(upload, "_LARGEST_CHUNK", 64 << 10)
    monkeypatch.setattr(upload, "_SMALLEST_CHUNK", 16 << 10)
    name = "".join(c for c in request.node.name.lower() if c.isalnum())
    return Run(registry=registry, repository=f"each/{name}")


def _there_and_back(
    run: Run, faults: Sequence[Fault], *, mounts: bool = False, ahead: bool = False
) -> FaultProxy:
    """Push and pull by a proxy in which that goes wrong; everything arrives, both ways."""
    with faulty(run.registry, FaultPlan(faults)) as proxy:
        known = _IMAGE.blobs[::2] if mounts else ()
        run.push(proxy.host, _IMAGE, known, ahead=ahead)
        run.check_whole(_IMAGE)
        raw, blobs = run.pull(proxy.host, _IMAGE)
        run.check_discreet(proxy)
    assert raw == _IMAGE.raw
    assert [len(blob) for blob in blobs] == [blob.descriptor.size for blob in _IMAGE.blobs]
    happened = {seen.fault for seen in proxy.seen()}
    assert happened >= {fault.kind for fault in faults}
    return proxy


@pytest.mark.parametrize("ahead", [False, True], ids=["", "ahead"])
@pytest.mark.parametrize("kind", _OVERCOME)
def test_is_overcome(run: Run, kind: Kind, ahead: bool) -> None:  # noqa: FBT001 - a parameter
    fault = Fault(kind=kind, times=FOR_EVER if kind in HABITS else 1)
    _there_and_back(run, [fault, *_NEEDS.get(kind, ())], mounts=True, ahead=ahead)


@pytest.mark.parametrize("tenth", range(11))
def test_an_upload_in_one_piece_breaks_at_a_tenth(run: Run, tenth: int) -> None:
    _there_and_back(run, [Fault(kind=Kind.RESET_UPLOAD, tenth=tenth)])


@pytest.mark.parametrize("tenth", range(11))
def test_a_chunk_breaks_at_a_tenth(run: Run, tenth: int) -> None:
    broken = Fault(kind=Kind.RESET_UPLOAD, tenth=tenth, skip=1, at=_CHUNK)
    _there_and_back(run, [_CHUNKED, broken])


@pytest.mark.parametrize("kind", [Kind.RESET_DOWNLOAD, Kind.TRUNCATED_BODY])
@pytest.mark.parametrize("tenth", range(10))
def test_a_download_breaks_at_a_tenth(run: Run, kind: Kind, tenth: int) -> None:
    # The third blob is long enough for a part of it to be kept.
    _there_and_back(run, [Fault(kind=kind, tenth=tenth, skip=2)])


@pytest.mark.parametrize("kind", [Kind.CORRUPT_UPLOAD, Kind.DIGEST_WRONG])
def test_a_tag_that_got_other_bytes_is_put_again(run: Run, kind: Kind) -> None:
    put = frozenset({Operation.MANIFEST_PUT})
    # At six tenths stands a layer's media type: with another letter it is a manifest still.
    proxy = _there_and_back(run, [Fault(kind=kind, times=2, tenth=6, at=put)])
    statuses = [seen.status for seen in proxy.seen(Operation.MANIFEST_PUT)]
    assert statuses == [201, 201, 201]


@pytest.mark.parametrize("skip", range(4))
def test_a_token_ends_between_chunks(run: Run, skip: int) -> None:
    _there_and_back(run, [_CHUNKED, Fault(kind=Kind.EXPIRED_TOKEN, skip=skip, at=_CHUNK)])


def test_what_another_host_gives_is_asked_for_without_credentials(run: Run) -> None:
    proxy = _there_and_back(run, [Fault(kind=Kind.REDIRECT, times=FOR_EVER)])
    stored = proxy.seen_by_storage()
    assert len(stored) == len(_IMAGE.blobs)
    assert not [seen for seen in stored if "authorization" in seen.headers]


def test_a_long_wait_is_not_sat_out(run: Run) -> None:
    plan = FaultPlan([Fault(kind=Kind.STATUS_429)])
    with faulty(run.registry, plan, retry_after=3600) as proxy:
        error = run.end_of(lambda: run.push(proxy.host, _IMAGE))
        assert error is not None
        assert error.hint == "it asks to wait for 3600 s; try again then, or use a mirror"
        assert len(proxy.seen()) == 1
        assert run.tagged() is None
