"""Indexes and packages of archives, and what archives may do wrong."""

import pytest

from builder.debian.package import candidate
from builder.errors import ArchiveError, TransportError, exit_code
from builder.events import Caution, Event, Notice
from builder.store.layout import Store
from layers.digest import Digest
from tests.debian.archives import LocalArchive
from tests.debian.asking import BYTES, HELLO, INDEX, POOL, ask, by_hash, hello, notices
from tests.registry_client.fake import Answer, closed_port


def test_from_signature_to_package(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    asked = ask(archive, store, events)
    pin = hello(asked.index())
    assert (str(pin), pin.suite, pin.path) == ("hello 1:2-3 amd64", "bookworm", POOL)
    asked.fetch([pin, pin])
    with asked.open(pin) as stream:
        assert stream.read() == BYTES
    host = archive.source().host
    assert notices(events) == [
        f"asking {host} for bookworm (amd64)",
        f"fetching 1 package (19.0 kB) from {host}",
    ]
    packed = (archive.root / f"{INDEX}.xz").read_bytes()
    assert archive.paths() == ["dists/bookworm/InRelease", by_hash(packed), POOL]


def test_a_second_time_only_the_release_is_asked_for(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    first = ask(archive, store, events)
    pin = hello(first.index())
    first.fetch([pin])
    archive.paths()
    second = ask(archive, store, events)
    assert hello(second.index()) == pin
    second.fetch([pin])
    assert archive.paths() == ["dists/bookworm/InRelease"]
    assert notices(events)[2:] == [f"asking {archive.source().host} for bookworm (amd64)"]


@pytest.mark.parametrize(
    ("forms", "asked"),
    [
        ((("", ".gz", ".xz"), ()), ".xz"),
        ((("", ".gz"), ()), ".gz"),
        ((("",), ()), ""),
        ((("", ".xz"), ("",)), ".xz"),
        ((("", ".gz"), ("",)), ".gz"),
    ],
)
def test_the_smallest_form_that_is_listed_is_taken(
    archive: LocalArchive,
    store: Store,
    events: list[Event],
    forms: tuple[tuple[str, ...], tuple[str, ...]],
    asked: str,
) -> None:
    archive.by_hash = False
    archive.suffixes, archive.unlisted = forms
    archive.publish()
    for _ in range(2):
        assert hello(ask(archive, store, events).index()).name == "hello"
    assert archive.paths() == [
        "dists/bookworm/InRelease",
        f"{INDEX}{asked}",
        "dists/bookworm/InRelease",
    ]


def test_by_hash_and_by_name_stand_in_for_each_other(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    path = archive.root / f"{INDEX}.xz"
    packed = path.read_bytes()
    path.write_bytes(b"already the next one")
    assert hello(ask(archive, store, events).index()).name == "hello"
    archive.publish()
    (archive.root / by_hash(packed)).unlink()
    archive.paths()
    assert hello(ask(archive, Store(store.root.parent / "other"), events).index()).name == "hello"
    assert archive.paths()[1:] == [by_hash(packed), f"{INDEX}.xz"]


def test_a_detached_signature_serves_where_there_is_no_other(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    (archive.root / "dists/bookworm/InRelease").unlink()
    assert hello(ask(archive, store, events).index()).name == "hello"
    archive.paths()
    (archive.root / "dists/bookworm/Release").write_bytes(b"Codename: evil\n")
    with pytest.raises(ArchiveError, match="signed by no key"):
        ask(archive, store, events).index()
    (archive.root / "dists/bookworm/Release.gpg").unlink()
    with pytest.raises(ArchiveError, match="is not signed: it has neither") as caught:
        ask(archive, store, events).index()
    assert exit_code(caught.value) == 3


def test_several_suites_and_components(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    archive.add({**HELLO, "Version": "1:3"}, b"newer", suite="bookworm-security")
    archive.add({**HELLO, "Version": "1:9"}, b"newest", suite="bookworm-backports")
    other = {"Package": "other", "Version": "1", "Architecture": "all"}
    archive.add(other, b"other", component="contrib")
    archive.fields["bookworm-backports"] = {"NotAutomatic": "yes", "ButAutomaticUpgrades": "yes"}
    archive.publish()
    suites = ("bookworm", "bookworm-security", "bookworm-backports")
    sources = [archive.source(suite) for suite in suites]
    sources.insert(1, archive.source(components=("contrib", "non-free")))
    sources.append(archive.source("bookworm-backports", architectures=("arm64",), uri="http://x"))
    index = ask(sources, store, events).index()
    assert [package.version for package in index.versions("hello")] == ["1:9", "1:3", "1:2-3"]
    assert hello(index).version == "1:3"
    contrib = candidate(index.versions("other"))
    assert contrib is not None
    asked = archive.paths()
    assert sorted(path for path in asked if path.endswith("InRelease")) == sorted(
        f"dists/{suite}/InRelease" for suite in suites
    )
    host = sources[0].host
    assert events == [
        Notice(f"asking {host} for {', '.join(suites)} (amd64)"),
        Caution(f"{host}/debian bookworm has no component non-free for amd64: passed over"),
    ]


def test_packages_for_all_may_have_an_index_of_their_own(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    archive.architectures = ("amd64", "all")
    archive.add({"Package": "doc", "Version": "1", "Architecture": "all"}, b"doc")
    archive.publish()
    assert candidate(ask(archive, store, events).index().versions("doc"))
    assert [path.split("/")[3] for path in archive.paths()[1:]].count("binary-all") == 1


def test_a_flat_repository(archive: LocalArchive, store: Store, events: list[Event]) -> None:
    packages = "Package: flat\nVersion: 1\nArchitecture: all\nFilename: ./f.deb\nSize: 1\n"
    data = f"{packages}SHA256: {Digest.of(b'f').hex}\n".encode()
    archive.add(HELLO, BYTES, suite="x")
    archive.fields["x"] = {"SHA256": f"\n {Digest.of(data).hex} {len(data)} ./Packages"}
    archive.publish()
    for above in (archive.root, archive.root / "sub"):
        above.mkdir(exist_ok=True)
        (above / "Packages").write_bytes(data)
        (above / "InRelease").write_bytes((archive.root / "dists/x/InRelease").read_bytes())
    (archive.root / "f.deb").write_bytes(b"f")
    for suite in ("./", "/", "sub/"):
        asked = ask([archive.source(suite, components=())], store, events)
        package = candidate(asked.index().versions("flat"))
        assert package is not None
        assert package.pin is not None
        asked.fetch([package.pin])
    assert "sub/InRelease" in archive.paths()


def test_an_archive_that_recovers_is_waited_for(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    broken = Answer(body=BYTES[:100], promised=len(BYTES) - 100)
    busy = Answer(status=503)
    archive.instead["dists/bookworm/InRelease"] = [busy, Answer(status=429)]
    archive.instead[POOL] = [broken, busy, broken]
    asked = ask(archive, store, events)
    asked.fetch([hello(asked.index())])
    with asked.open(hello(asked.index())) as stream:
        assert stream.read() == BYTES
    told = [text for text in notices(events) if "trying again" in text]
    assert len(told) == 5
    place = f"{archive.source().host}/debian/dists/bookworm/InRelease"
    assert told[0].startswith(f"asking for {place}: the answer is 503 Service Unavailable; trying")


def test_an_archive_that_does_not_recover_is_given_up_on(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    archive.instead["dists/bookworm/InRelease"] = [Answer(status=503)] * 4
    with pytest.raises(ArchiveError, match="the answer is 503 Service Unavailable"):
        ask(archive, store, events).index()
    archive.instead["dists/bookworm/InRelease"] = [Answer(status=403)]
    with pytest.raises(ArchiveError, match="the answer is 403 Forbidden") as caught:
        ask(archive, store, events).index()
    assert "USER:PASSWORD" in (caught.value.hint or "")
    with pytest.raises(TransportError, match="connection refused"):
        ask([archive.source(uri=f"http://{closed_port()}/debian")], store, events).index()


def test_credentials_are_sent_and_never_shown(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    uri = archive.uri.replace("://", "://us%40er:se%3Acret@")
    asked = ask([archive.source(uri=uri)], store, events)
    pin = hello(asked.index())
    asked.fetch([pin])
    sent = {each.headers.get("authorization") for each in archive.asked}
    assert sent == {"Basic dXNAZXI6c2U6Y3JldA=="}
    archive.instead["dists/bookworm/InRelease"] = [Answer(status=401)]
    with pytest.raises(ArchiveError) as caught:
        asked.index()
    shown = f"{caught.value.message} {caught.value.hint} {notices(events)}"
    assert "cret" not in shown
    assert "us%40er" not in shown


def test_characters_of_paths_are_sent_so_that_every_server_understands(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    control = {**HELLO, "Version": "1.0+git~1%41 x"}
    archive.add(control, b"odd", suite="odd")
    archive.publish()
    asked = ask([archive.source("odd")], store, events)
    asked.fetch([hello(asked.index())])
    assert archive.asked[-1].path == "/debian/pool/main/hello_1.0+git~1%41 x_amd64.deb"


def test_which_packages_ship_a_library(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    triplet = "usr/lib/x86_64-linux-gnu"
    ships = {
        "libpq5": [f"{triplet}/libpq.so.5", f"{triplet}/libpq.so.5.15"],
        "libz": ["lib/x86_64-linux-gnu/libz.so.1", "usr/lib/libodd name.so"],
        "alternative": [f"{triplet}/libpq.so.5", "lib64/libz.so.1"],
        "private": [f"{triplet}/private/libpq.so.5", "usr/share/doc/libz.so.1", "opt/libpq.so.5"],
        "foreign": ["usr/lib32/libz.so.1", "usr/lib/i386/libz.so.1"],
    }
    for name, paths in ships.items():
        archive.add({**HELLO, "Package": name}, name.encode(), ships=paths)
    archive.publish()
    asked = ask(archive, store, events)
    wanted = ["libz.so.1", "libpq.so.5", "libnone.so.1", "libodd name.so"]
    found = {
        "libodd name.so": ["libz"],
        "libpq.so.5": ["alternative", "libpq5"],
        "libz.so.1": ["alternative", "libz"],
    }
    assert asked.contents_of(wanted) == found
    packed = "dists/bookworm/main/by-hash/SHA256/"
    assert [path.startswith(packed) for path in archive.paths()] == [False, True]
    assert asked.contents_of(wanted) == found
    assert archive.paths() == ["dists/bookworm/InRelease"]
