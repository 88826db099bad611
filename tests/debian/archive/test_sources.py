"""apt's sources files, as apt reads them, and what settings make of them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from builder.debian.archive.keyring import joined
from builder.debian.archive.sources import (
    AptSource,
    at_snapshot,
    named_keyrings,
    read_sources,
    with_mirror,
)
from builder.debian.root import Root
from builder.errors import PackageError, SettingsError
from builder.rootfs.file_index import FileIndex
from tests.debian.archives import make_key

ONE, TWO, THREE = (make_key(f"Key {n} <{n}@example.org>").extract_certificate() for n in range(3))
PARTS = "etc/apt/sources.list.d"


def root(files: dict[str, str | bytes], symlinks: dict[str, str] | None = None) -> Root:
    contents = {p: c.encode() if isinstance(c, str) else c for p, c in files.items()}
    index = FileIndex(directories={}, symlinks=symlinks or {}, files=dict.fromkeys(contents, 0o644))
    return Root(files=index, contents=contents)


def read(
    text: str, name: str = f"{PARTS}/x.list", others: Mapping[str, str | bytes] | None = None
) -> tuple[AptSource, ...]:
    return read_sources(root({name: text, **(others or {})}))


def brief(sources: tuple[AptSource, ...]) -> list[str]:
    return [" ".join([source.uri, source.suite, *source.components]) for source in sources]


def test_one_line_sources() -> None:
    found = read(
        "# a comment\n"
        "deb http://a.example/debian/ bookworm main contrib main # the usual\n"
        "\n"
        "deb-src http://a.example/debian bookworm main\n"
        "deb\t[ arch=amd64,arm64 check-valid-until=no ]  https://b.example/x  updates main\n"
        "deb [arch=arm64] cdrom:[Debian GNU/Linux 12 _Bookworm_]/ bookworm main\n"
        "deb cdrom:[Debian 12]/ bookworm main\n"
        "deb http://c.example/flat ./\n"
        "  deb http://d.example/r /\n"
    )
    assert brief(found) == [
        "http://a.example/debian bookworm main contrib",
        "https://b.example/x updates main",
        "http://c.example/flat ./",
        "http://d.example/r /",
    ]
    assert [source.architectures for source in found] == [(), ("amd64", "arm64"), (), ()]
    assert [source.check_valid_until for source in found] == [True, False, True, True]


def test_deb822_sources() -> None:
    found = read(
        "# a comment\n"
        "Types: deb deb-src\n"
        "URIs: http://a.example/debian http://b.example/debian/\n"
        "Suites: bookworm\n"
        "# in between\n"
        " bookworm-updates\n"
        "components: main\n"
        "Architectures: amd64\n"
        "\n\n"
        "Types: deb-src\nURIs: http://c.example\nSuites: x\nComponents: main\n"
        "\n"
        "Types: deb\nURIs: http://d.example\nSuites: x\nComponents: main\nEnabled: no\n"
        "\n"
        "Types: deb\nURIs: cdrom:[x] http://e.example/\nSuites: y/\nCheck-Date: no\n",
        f"{PARTS}/x.sources",
    )
    assert brief(found) == [
        "http://a.example/debian bookworm main",
        "http://a.example/debian bookworm-updates main",
        "http://b.example/debian bookworm main",
        "http://b.example/debian bookworm-updates main",
        "http://e.example y/",
    ]
    assert found[0].architectures == ("amd64",)
    assert [(s.check_date, s.check_valid_until) for s in found[3:]] == [
        (True, True),
        (False, False),
    ]


def test_files_come_in_apts_order_and_only_those_it_reads() -> None:
    line = "deb http://{}.example x main\n"
    stanza = "Types: deb\nURIs: http://{}.example\nSuites: x\nComponents: main\n"
    files: dict[str, str | bytes] = {
        f"{PARTS}/20.list": line.format("third"),
        f"{PARTS}/10.sources": stanza.format("second"),
        "etc/apt/sources.list": line.format("first"),
        f"{PARTS}/x.list.save": line.format("no"),
        f"{PARTS}/x.disabled": line.format("no"),
        f"{PARTS}/a b.list": line.format("no"),
        f"{PARTS}/deeper/x.list": line.format("no"),
        "srv/elsewhere": line.format("fourth"),
    }
    links = {f"{PARTS}/30.list": "/srv/elsewhere", f"{PARTS}/40.list": "gone"}
    hosts = [source.host for source in read_sources(root(files, links))]
    assert hosts == ["first.example", "second.example", "third.example", "fourth.example"]


def test_without_signed_by_every_trusted_key_counts() -> None:
    (source,) = read(
        "deb http://a.example x main",
        others={
            "etc/apt/trusted.gpg": bytes(ONE),
            "etc/apt/trusted.gpg.d/a.asc": str(TWO) + "\n" + str(ONE),
            "etc/apt/trusted.gpg.d/b.gpg": bytes(THREE),
            "etc/apt/trusted.gpg.d/c.gpg": b"not a key",
            "etc/apt/trusted.gpg.d/d.txt": bytes(THREE),
        },
    )
    assert source.keyring == bytes(ONE) + bytes(TWO) + bytes(THREE)


def test_signed_by_names_files() -> None:
    files: dict[str, str | bytes] = {
        "usr/share/keyrings/one.gpg": bytes(ONE),
        "usr/share/keyrings/two.asc": str(TWO),
        "etc/apt/trusted.gpg": bytes(THREE),
    }
    paths = "/usr/share/keyrings/one.gpg,/usr/share/keyrings/two.asc"
    one_line = read(f"deb [signed-by={paths}] http://a.example x main", others=files)
    stanza = f"Types: deb\nURIs: http://a.example\nSuites: x\nComponents: main\nSigned-By: {paths}"
    deb822 = read(stanza.replace(",", "\n "), f"{PARTS}/x.sources", files)
    assert [s.keyring for s in (*one_line, *deb822)] == [bytes(ONE) + bytes(TWO)] * 2
    (missing,) = read("deb [signed-by=/gone.gpg] http://a.example x main", others=files)
    assert (missing.keyring, missing.signed_by) == (b"", "/gone.gpg")
    assert missing.unread == ("there is no keyring /gone.gpg that can be read",)
    with pytest.raises(PackageError, match=r"'one\.gpg' is neither an absolute path"):
        read("deb [signed-by=one.gpg] http://a.example x main", others=files)


def test_a_keyring_of_a_base_that_is_not_kept_is_named() -> None:
    text = "deb [signed-by=/opt/x.gpg,/usr/share/keyrings/one.gpg] http://a.example x main"
    kept: dict[str, str | bytes] = {
        f"{PARTS}/x.list": text,
        "usr/share/keyrings/one.gpg": bytes(ONE),
    }
    index = FileIndex(files=dict.fromkeys([*kept, "opt/x.gpg"], 0o644))
    (found,) = read_sources(Root(files=index, contents=root(kept).contents))
    assert found.keyring == bytes(ONE)
    (unread,) = found.unread
    assert unread == (
        "the keyring /opt/x.gpg of the base is not one that is looked at: only those in /etc/apt "
        "and /usr/share/keyrings are"
    )
    assert named_keyrings(root(kept)) == ("/opt/x.gpg", "/usr/share/keyrings/one.gpg")


def test_signed_by_names_fingerprints() -> None:
    prints = f"{ONE.fingerprint},{TWO.fingerprint}!"
    (source,) = read(
        f"deb [signed-by={prints}] http://a.example x main",
        others={"etc/apt/trusted.gpg": bytes(ONE) + bytes(TWO)},
    )
    assert source.fingerprints == (ONE.fingerprint.upper(), f"{TWO.fingerprint.upper()}!")
    assert source.keyring == bytes(ONE) + bytes(TWO)


def test_signed_by_may_be_the_key_itself() -> None:
    armor = "".join(f" {line or '.'}\n" for line in str(ONE).splitlines())
    stanza = "Types: deb\nURIs: http://a.example\nSuites: x\nComponents: main\nSigned-By:\n"
    (source,) = read(stanza + armor, f"{PARTS}/x.sources", {"etc/apt/trusted.gpg": bytes(TWO)})
    assert joined([source.keyring]) == bytes(ONE)
    assert named_keyrings(root({f"{PARTS}/x.sources": stanza + armor})) == ()
    assert source.signed_by == f"/{PARTS}/x.sources, line 1"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("deb http://a.example", "cannot be read"),
        ("deb [arch=amd64 http://a.example x main", "at least one component|cannot be read|http"),
        ("deb http://a.example bookworm", "a suite needs at least one component"),
        ("deb http://a.example ./ main", "a flat repository has no components"),
        ("rpm http://a.example x main", "type 'rpm' is unknown"),
        ("deb file:/srv/debian x main", "reached by file; expected http or https"),
        ("deb mirror+file:/etc/m.list x main", "reached by mirror"),
        ("deb [trusted] http://a.example x main", "option 'trusted' has no value"),
    ],
)
def test_a_malformed_line_is_named(line: str, message: str) -> None:
    with pytest.raises(PackageError, match=message) as caught:
        read(f"# first\n{line}\n")
    assert caught.value.message.startswith("apt's sources: /etc/apt/sources.list.d/x.list, line 2")
    assert "apt-sources" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "number", "message"),
    [
        ("\n\nTypes: deb\nSuites: x\n", 3, "the source has no URIs"),
        ("Types: deb\nURIs http://a.example\n", 2, "has no field name"),
        ("\n main\n", 2, "continues nothing"),
        ("Types: deb\nURIs: ftp://a.example\nSuites: x\nComponents: main", 1, "reached by ftp"),
        ("Types: deb rpm\nURIs: http://a.example\nSuites: x\nComponents: main", 1, "'rpm' is unkn"),
        ("Types: deb\nURIs: http://a.example\nSuites: x", 1, "needs at least one component"),
    ],
)
def test_a_malformed_paragraph_is_named(text: str, number: int, message: str) -> None:
    with pytest.raises(PackageError, match=message) as caught:
        read(text, f"{PARTS}/x.sources")
    assert f"/{PARTS}/x.sources, line {number}:" in caught.value.message


def test_no_message_repeats_a_password() -> None:
    with pytest.raises(PackageError) as caught:
        read("deb http://user:secret@a.example")
    assert "secret" not in caught.value.message
    (source,) = read("deb http://user:secret@a.example/debian x main")
    assert str(source) == "a.example/debian x"
    assert "secret" not in source.identity


def source(uri: str, **changes: str) -> AptSource:
    return AptSource(
        uri=uri, suite=changes.get("suite", "bookworm"), components=("main",), keyring=b""
    )


def test_a_mirror_takes_the_place_of_the_host() -> None:
    uris = ("http://a.example/debian", "https://u:p@b.example:81/x/debian-security", "http://c")
    moved = with_mirror(map(source, uris), "https://m.example/all/")
    assert [each.uri for each in moved] == [
        "https://m.example/all/debian",
        "https://m.example/all/x/debian-security",
        "https://m.example/all",
    ]


def test_a_snapshot_is_an_archive_at_a_time() -> None:
    stamp = "20250520T000000Z"
    uris = (
        "http://a.example/mirrors/debian",
        "http://a.example/debian-security",
        "http://snapshot.example/archive/debian/20240101T000000Z",
    )
    moved = at_snapshot(map(source, uris), stamp)
    above = "http://snapshot.debian.org/archive"
    assert [each.uri for each in moved] == [
        f"{above}/debian/{stamp}",
        f"{above}/debian-security/{stamp}",
        f"{above}/debian/{stamp}",
    ]
    assert {each.moment for each in moved} == {datetime(2025, 5, 20, tzinfo=UTC)}
    mirrored = with_mirror(moved[:1], "http://m.example")
    assert mirrored[0].uri == f"http://m.example/archive/debian/{stamp}"
    assert mirrored[0].moment is not None


@pytest.mark.parametrize("stamp", ["yesterday", "20250520", "20251320T000000Z", "20250520T000000"])
def test_a_snapshot_needs_a_time(stamp: str) -> None:
    with pytest.raises(SettingsError, match=f"'{stamp}' is no time"):
        at_snapshot([source("http://a.example/debian")], stamp)


def test_only_debians_archives_have_snapshots() -> None:
    with pytest.raises(PackageError, match=r"no snapshots of a\.example/postgres bookworm"):
        at_snapshot([source("http://a.example/postgres")], "20250520T000000Z")


def test_identity_tells_sources_apart() -> None:
    one = source("http://a.example/debian")
    others = [
        source("https://a.example/debian"),
        source("http://a.example/debian", suite="trixie"),
        *at_snapshot([one], "20250520T000000Z"),
        AptSource(uri=one.uri, suite=one.suite, components=("main", "x"), keyring=b""),
        AptSource(uri=one.uri, suite=one.suite, components=("main",), keyring=b"k"),
        replace(one, check_date=False),
        replace(one, check_valid_until=False),
        replace(one, architectures=("amd64",)),
        replace(one, fingerprints=("AB",)),
    ]
    assert len({each.identity for each in (one, *others)}) == 10


def test_a_mirror_may_be_given_as_the_place_of_an_archive() -> None:
    sources = [
        AptSource(uri=f"http://a.example/{name}", suite="s", components=("main",), keyring=b"")
        for name in ("debian", "debian-security")
    ]
    for mirror in ("https://m.example/x", "https://m.example/x/debian/"):
        assert [source.uri for source in with_mirror(sources, mirror)] == [
            "https://m.example/x/debian",
            "https://m.example/x/debian-security",
        ]
