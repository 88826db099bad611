"""What archives offer, and which of it apt would take."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.debian.archive.package_index import ArchiveIndex, PackagesFile
from builder.debian.control import parse_paragraph
from builder.debian.package import PackageIndex, candidate
from builder.errors import ArchiveError
from layers.digest import Digest

DIGEST = Digest.of(b"").hex


def paragraph(name: str, version: str = "1", **fields: str) -> str:
    known = {
        "Package": name,
        "Version": version,
        "Architecture": "amd64",
        "Filename": f"pool/{name}_{version}.deb",
        "Size": "10",
        "SHA256": DIGEST,
    }
    merged = {**known, **fields}
    return "".join(f"{key}: {value}\n" for key, value in merged.items() if value)


def file(*paragraphs: str, suite: str = "bookworm", priority: int = 500) -> PackagesFile:
    data = "\n".join(paragraphs).encode()
    return PackagesFile(data=data, place=f"a.example {suite}", suite=suite, priority=priority)


def index(*files: PackagesFile, architecture: str = "amd64") -> PackageIndex:
    return ArchiveIndex(files, architecture)


def versions(index: PackageIndex, name: str) -> list[str]:
    return [package.version for package in index.versions(name)]


def chosen(index: PackageIndex, name: str) -> str | None:
    package = candidate(index.versions(name))
    return package.version if package else None


def test_a_package_says_where_its_content_is() -> None:
    description = "first\n second\n .\n third"
    found = index(
        file(
            paragraph("a"),
            paragraph("b", "1:2-3", Filename="./pool/b.deb", Description=description, Depends="a"),
        )
    )
    package = candidate(found.versions("b"))
    assert package is not None
    assert package.pin is not None
    assert (package.fields["Description"], package.fields["Depends"]) == (description, "a")
    pin = package.pin
    assert (pin.name, pin.version, pin.architecture) == ("b", "1:2-3", "amd64")
    assert (pin.path, pin.size, pin.digest.hex) == ("pool/b.deb", 10, DIGEST)
    assert pin.suite == "bookworm"
    assert candidate(found.versions("c")) is None
    assert found.versions("c") == ()
    assert list(found.names()) == ["a", "b"]


def test_the_highest_version_of_the_highest_priority_is_the_candidate() -> None:
    found = index(
        file(paragraph("a", "1.9"), paragraph("a", "1.10~rc1"), paragraph("b", "1")),
        file(paragraph("a", "1.10"), suite="bookworm-security"),
        file(paragraph("a", "2"), paragraph("b", "3"), suite="backports", priority=100),
        file(paragraph("a", "4"), paragraph("c", "1"), suite="experimental", priority=1),
    )
    assert versions(found, "a") == ["4", "2", "1.10", "1.10~rc1", "1.9"]
    assert chosen(found, "a") == "1.10"
    assert chosen(found, "b") == "1"
    assert chosen(found, "c") == "1"


def test_a_version_that_two_suites_have_is_the_first_ones() -> None:
    found = index(
        file(paragraph("a", "2"), suite="backports", priority=100),
        file(paragraph("a", "1"), paragraph("a", "2", Filename="other.deb"), suite="updates"),
    )
    package = candidate(found.versions("a"))
    assert package is not None
    assert package.pin is not None
    assert (package.version, package.pin.suite) == ("2", "backports")
    assert versions(found, "a") == ["2", "1"]


def test_other_architectures_are_not_seen() -> None:
    files = file(
        paragraph("a", "2", Architecture="arm64", Provides="v"),
        paragraph("a", "1", Provides="v"),
        paragraph("b", Architecture="all"),
    )
    assert chosen(index(files), "a") == "1"
    assert chosen(index(files, architecture="arm64"), "a") == "2"
    assert chosen(index(files, architecture="arm64"), "b") == "1"
    assert [package.version for package in index(files).providers("v")] == ["1"]


def test_only_candidates_provide() -> None:
    found = index(
        file(
            paragraph("z", Provides="mta (= 1), x"),
            paragraph("y", "1", Provides="w, mta"),
            paragraph("y", "2"),
            paragraph("x", Provides="y,\n mta:any (= 2),\n v"),
            paragraph("mta", Provides="mta"),
            paragraph("u", Description="fake\n Provides: mta"),
            paragraph("mtab", Provides="mtac"),
        ),
        file(paragraph("t", Provides="mta"), suite="other"),
    )
    assert [package.name for package in found.providers("mta")] == ["t", "x", "z"]
    assert [package.name for package in found.providers("v")] == ["x"]
    assert [package.name for package in found.providers("x")] == ["z"]
    assert [package.name for package in found.providers("nobody")] == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"SHA256": ""}, "package a has no SHA256"),
        ({"SHA256": "", "MD5sum": "0", "Filename": ""}, "package a has no Filename, SHA256"),
        ({"SHA256": "0123"}, "package a has a SHA256 that is none"),
        ({"Size": "-1"}, "package a has the size '-1'"),
        ({"Filename": "pool/../../etc/passwd"}, "package a lies outside of the archive: 'pool/../"),
        ({"Filename": "/etc/passwd"}, "package a lies outside of the archive"),
        ({"Filename": "http://evil.example/a.deb"}, "package a lies outside of the archive"),
        ({"Architecture": ""}, "package a has no Architecture"),
    ],
)
def test_a_package_without_content_is_refused_when_asked_for(
    fields: Mapping[str, str], message: str
) -> None:
    found = index(file(paragraph("a", **fields), paragraph("b")))
    assert chosen(found, "b") == "1"
    with pytest.raises(ArchiveError, match=message) as caught:
        candidate(found.versions("a"))
    assert caught.value.message.startswith("a.example bookworm: ")


def test_the_name_need_not_come_first() -> None:
    text = paragraph("a", "1")
    turned = "".join(sorted(text.splitlines(keepends=True), reverse=True))
    assert not turned.startswith("Package")
    found = index(file(paragraph("b"), turned, paragraph("c", "3", Provides="d")))
    assert [chosen(found, name) for name in "abc"] == ["1", "1", "3"]
    assert [package.name for package in found.providers("d")] == ["c"]


def test_nothing_is_offered_by_nothing() -> None:
    for empty in (b"", b"\n", b"junk"):
        found = index(PackagesFile(data=empty, place="x", suite="x", priority=1))
        assert candidate(found.versions("a")) is None
        assert list(found.names()) == []


NAMES = st.from_regex(r"[a-c][a-c0-9+.-]", fullmatch=True)
OFFERS = st.lists(st.tuples(NAMES, st.integers(0, 9), st.lists(NAMES, max_size=3)), max_size=12)


@given(OFFERS, st.integers(0, 12), NAMES)
def test_it_answers_as_a_reader_of_everything_would(
    offers: list[tuple[str, int, list[str]]], cut: int, asked: str
) -> None:
    parts = (offers[:cut], offers[cut:])
    files = [
        file(*(paragraph(n, str(v), Provides=", ".join(p)) for n, v, p in part)) for part in parts
    ]
    found = index(*files)
    best: dict[str, tuple[int, list[str]]] = {}
    for name, version, provided in offers:
        if name not in best or version > best[name][0]:
            best[name] = (version, provided)
    wanted = str(best[asked][0]) if asked in best else None
    assert chosen(found, asked) == wanted
    assert [package.name for package in found.providers(asked)] == sorted(
        name for name, (_, provided) in best.items() if asked in provided and name != asked
    )


def test_a_paragraph_keeps_folded_lines() -> None:
    text = "A: 1\nB-c:\n x\n .\n\ty: z\nD:  e  \n# comment\n- f: g\n"
    assert parse_paragraph(text) == {"A": "1", "B-c": "\n x\n .\n\ty: z", "D": "e"}
