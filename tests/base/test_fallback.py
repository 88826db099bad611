"""When the next base of a list is taken, and when it is not."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.base.base import BaseRequest
from builder.base.find import find_first_base
from builder.errors import (
    BaseError,
    BuilderError,
    LayerError,
    ReferenceFormatError,
    RegistryError,
    SettingsError,
    TransportError,
    exit_code,
)
from builder.events import Caution, Event
from builder.oci.manifest import parse_manifest
from builder.settings import PullPolicy
from builder.store.layout import Layout, Store
from tests.base.access import open_access
from tests.base.images import AMD64, ROOTFS, make_image
from tests.registry_client.fake import Answer, FaultyServer, closed_port, faulty_server, refused

FIRST = "python:3.12"
MANIFEST = "/v2/library/python/manifests/3.12"


type Wanted = Callable[..., list[BaseRequest]]


@pytest.fixture
def wanted() -> Iterator[Wanted]:
    """Makes the requests for a list of bases."""
    with open_access() as access:

        def requests(
            *sources: str, mirror: str | None, policy: PullPolicy = PullPolicy.MISSING
        ) -> list[BaseRequest]:
            common = BaseRequest(
                source="", platform=AMD64, mirror=mirror, policy=policy, registries=access
            )
            return [replace(common, source=source) for source in sources]

        yield requests


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def local(tmp_path: Path) -> str:
    """A base on this machine."""
    layout = Layout(tmp_path / "local")
    layout.tag("base", make_image(layout, [ROOTFS]))
    return f"oci:{layout.root}"


def kept(requests: list[BaseRequest], store: Store, *, strict: bool = False) -> BuilderError:
    """The error of a build that takes no other base, and says nothing of one."""
    events: list[Event] = []
    with pytest.raises(BuilderError) as caught:
        find_first_base(requests, strict=strict, store=store, events=events.append)
    assert not [event for event in events if isinstance(event, Caution)]
    return caught.value


def test_the_next_one_is_taken_aloud_when_nobody_listens(
    store: Store, local: str, wanted: Wanted
) -> None:
    host = closed_port()
    events: list[Event] = []
    requests = wanted(FIRST, local, mirror=f"http://{host}")
    base = find_first_base(requests, store=store, events=events.append)
    assert (base.name, base.is_published) == (local, False)
    assert [event for event in events if isinstance(event, Caution)] == [
        Caution(
            f"base {FIRST}: cannot reach {host}: connection refused; "
            f"the next base is taken instead: {local}",
            f"the image will differ from one on {FIRST}; --locked refuses that",
        )
    ]


def test_the_next_one_is_taken_when_the_name_is_unknown(
    store: Store, local: str, wanted: Wanted
) -> None:
    requests = wanted("nowhere.invalid/a", "elsewhere.invalid/b", local, mirror=None)
    events: list[Event] = []
    assert find_first_base(requests, store=store, events=events.append).name == local
    cautions = [event.text for event in events if isinstance(event, Caution)]
    assert [text.partition(": its name")[0] for text in cautions] == [
        "base nowhere.invalid/a: cannot reach nowhere.invalid",
        "base elsewhere.invalid/b: cannot reach elsewhere.invalid",
    ]


def test_the_last_one_s_error_is_the_error(store: Store, wanted: Wanted) -> None:
    with pytest.raises(TransportError, match=r"^base b\.invalid/b: cannot reach b\.invalid: "):
        find_first_base(wanted("a.invalid/a", "b.invalid/b", mirror=None), store=store)


def test_no_other_one_is_asked_when_the_first_is_there(
    server: FaultyServer, store: Store, local: str, wanted: Wanted
) -> None:
    requests = wanted(local, FIRST, mirror=server.url)
    assert find_first_base(requests, strict=True, store=store).name == local
    assert server.asked == []


def test_a_remembered_base_needs_no_registry(
    server: FaultyServer, store: Store, local: str, tmp_path: Path, wanted: Wanted
) -> None:
    image = serve(server, Layout(tmp_path / "remote"))
    requests = wanted(FIRST, local, mirror=server.url)
    assert str(find_first_base(requests, store=store).digest) == image
    server.answers.clear()
    server.asked.clear()
    assert str(find_first_base(requests, strict=True, store=store).digest) == image
    assert server.asked == []


def serve(server: FaultyServer, layout: Layout) -> str:
    """Put a base where ``FIRST`` is asked for; return its digest."""
    image = make_image(layout, [ROOTFS])
    parsed = parse_manifest(layout.read(image)).value
    server.on(MANIFEST, Answer(body=layout.read(image)))
    for blob in (parsed.config, *parsed.layers):
        server.on(f"/v2/library/python/blobs/{blob.digest}", Answer(body=layout.read(blob)))
    return str(image.digest)


def test_strict_takes_the_first_or_none(store: Store, local: str, wanted: Wanted) -> None:
    host = closed_port()
    error = kept(wanted(FIRST, local, mirror=f"http://{host}"), store, strict=True)
    assert error.message == (
        f"base {FIRST}: cannot reach {host}: connection refused; "
        f"the next base, {local}, is refused when locked"
    )
    assert (error.hint or "").startswith("check the name and the network")
    assert exit_code(error) == 3


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_answer_counts(
    status: int, server: FaultyServer, store: Store, local: str, wanted: Wanted
) -> None:
    server.on(MANIFEST, refused(status))
    error = kept(wanted(FIRST, local, mirror=server.url), store)
    assert isinstance(error, RegistryError)
    assert error.status == status


def test_a_registry_that_has_no_time_counts(
    server: FaultyServer, store: Store, local: str, wanted: Wanted
) -> None:
    server.on(MANIFEST, refused(429, Retry_After="3600"))
    error = kept(wanted(FIRST, local, mirror=server.url), store)
    assert isinstance(error, RegistryError)


def test_a_server_of_tokens_that_cannot_be_reached_counts(
    server: FaultyServer, store: Store, local: str, wanted: Wanted
) -> None:
    challenge = f'Bearer realm="http://{closed_port()}/token"'
    server.on(MANIFEST, refused(401, WWW_Authenticate=challenge))
    error = kept(wanted(FIRST, local, mirror=server.url), store)
    assert isinstance(error, TransportError)
    assert "connection refused" in error.message


def test_a_server_of_blobs_that_cannot_be_reached_counts(
    server: FaultyServer, store: Store, local: str, tmp_path: Path, wanted: Wanted
) -> None:
    serve(server, Layout(tmp_path / "remote"))
    for path in list(server.answers):
        if "/blobs/" in path:
            elsewhere = {"Location": f"http://{closed_port()}/x"}
            server.on(path, Answer(status=307, headers=elsewhere))
    error = kept(wanted(FIRST, local, mirror=server.url), store)
    assert isinstance(error, TransportError)
    assert "connection refused" in error.message


def test_bytes_that_are_not_those_promised_count(
    server: FaultyServer, store: Store, local: str, tmp_path: Path, wanted: Wanted
) -> None:
    serve(server, Layout(tmp_path / "remote"))
    for path, answers in server.answers.items():
        if "/blobs/" in path:
            server.on(path, Answer(body=bytes(len(answers[0].body))))
    assert isinstance(kept(wanted(FIRST, local, mirror=server.url), store), LayerError)


def test_a_base_on_this_machine_is_not_replaced(store: Store, local: str, wanted: Wanted) -> None:
    error = kept(wanted("oci:/nonexistent", local, mirror=None), store)
    assert isinstance(error, BaseError)


def test_never_pulling_takes_no_other(store: Store, local: str, wanted: Wanted) -> None:
    mirror = f"http://{closed_port()}"
    error = kept(wanted(FIRST, local, mirror=mirror, policy=PullPolicy.NEVER), store)
    assert isinstance(error, BaseError)
    assert "the pull policy is never" in error.message


@pytest.mark.parametrize(
    ("malformed", "kind"),
    [("what is this?", ReferenceFormatError), ("oci-archive:", SettingsError)],
)
def test_all_are_understood_before_any_is_asked_for(
    malformed: str, kind: type[BuilderError], server: FaultyServer, store: Store, wanted: Wanted
) -> None:
    assert isinstance(kept(wanted(FIRST, malformed, mirror=server.url), store), kind)
    assert server.asked == []
