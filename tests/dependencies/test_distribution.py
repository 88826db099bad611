import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from builder.dependencies.distribution import Distribution, distributions
from layers.entries import Entry, FileEntry, SymlinkEntry

SITE = "app/.venv/lib/python3.12/site-packages"


def hashed(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def installed(name: str, files: Mapping[str, bytes], *rows: str) -> list[Entry]:
    """A distribution's files by their paths in site-packages, and RECORD with more rows."""
    info = f"{name}-1.0.dist-info"
    listed = [f"{path},{hashed(data)},{len(data)}" for path, data in files.items()]
    record = "".join(f"{row}\n" for row in [*listed, *rows, f"{info}/RECORD,,"])
    return [
        *(FileEntry.of(place(path), data) for path, data in files.items()),
        FileEntry.of(f"{SITE}/{info}/RECORD", record.encode()),
    ]


def place(path: str) -> str:
    return f"{SITE}/{path}".replace(f"{SITE}/../../../", "app/.venv/")


def divided(*entries: Entry) -> tuple[dict[str, Distribution], list[str]]:
    found, rest = distributions(entries, SITE)
    return {distribution.name: distribution for distribution in found}, [e.path for e in rest]


def test_files_belong_to_whoever_lists_them() -> None:
    entries = [
        *installed("Third_Party", {"third/a.py": b"A", "../../../bin/third": b"#!"}),
        *installed("other", {"other.py": b"O"}),
        FileEntry.of(f"{SITE}/stray.pth", b"x"),
    ]
    found, rest = divided(*entries)
    assert [f.path for f in found["third-party"].files] == [
        "app/.venv/bin/third",
        f"{SITE}/Third_Party-1.0.dist-info/RECORD",
        f"{SITE}/third/a.py",
    ]
    assert str(found["other"]) == "other 1.0"
    assert found["other"].size == 1 + len(
        f"other.py,{hashed(b'O')},1\nother-1.0.dist-info/RECORD,,\n"
    )
    assert found["other"].source_size == 1
    assert rest == [f"{SITE}/stray.pth"]


def test_a_path_of_two_belongs_to_the_one_whose_file_is_there() -> None:
    one = installed("a-first", {"LICENSE": b"one"})
    two = installed("b-second", {"LICENSE": b"two", "b.py": b"B"})
    found, rest = divided(*one[1:], *two)
    assert f"{SITE}/LICENSE" in [f.path for f in found["b-second"].files]
    assert found["a-first"].lost == {f"{SITE}/LICENSE": hashed(b"one")}
    assert rest == []


def test_of_two_with_the_same_file_the_first_has_it() -> None:
    shared = {"space/__init__.py": b""}
    entries = {e.path: e for e in (*installed("b", shared), *installed("a", shared))}
    found, _ = divided(*entries.values())
    assert found["b"].lost == {f"{SITE}/space/__init__.py": hashed(b"")}
    assert found["a"].lost == {}


def test_what_record_has_no_good_hash_of_counts_itself() -> None:
    rows = ("plain.txt,,", "old.txt,md5=1B2M2Y8AsgTpgAmY7PhCfg,0", "gone.txt,,")
    entries = [
        *installed("a", {"a.py": b"A"}, *rows),
        FileEntry.of(f"{SITE}/plain.txt", b"1"),
        FileEntry.of(f"{SITE}/old.txt", b""),
    ]
    found, _ = divided(*entries)
    assert found["a"].unhashed == {
        f"{SITE}/plain.txt": hashed(b"1"),
        f"{SITE}/old.txt": hashed(b""),
    }


def test_identity_is_of_contents_names_executables_and_links() -> None:
    base = installed("a", {"a.py": b"A"}, "link,,", "x,,")
    link = SymlinkEntry(path=f"{SITE}/link", target="a.py")
    tool = FileEntry.of(f"{SITE}/x", b"")
    variants = [
        [*base, link, tool],
        [*installed("a", {"a.py": b"B"}, "link,,", "x,,"), link, tool],
        [*base, SymlinkEntry(path=f"{SITE}/link", target="b.py"), tool],
        [*base, link, FileEntry.of(f"{SITE}/x", b"", mode=0o755)],
        [*base, link, FileEntry.of(f"{SITE}/x", b"1")],
        [*base, tool],
    ]
    identities = {str(divided(*entries)[0]["a"].identity) for entries in variants}
    assert len(identities) == len(variants)


def test_an_environment_of_nothing_is_all_rest(tmp_path: Path) -> None:
    entry = FileEntry.of(f"app/.venv/{tmp_path.name}", b"")
    assert divided(entry) == ({}, [entry.path])


def test_a_record_elsewhere_is_a_file() -> None:
    found, rest = divided(FileEntry.of(f"{SITE}/vendored/x-1.0.dist-info/RECORD", b"a,,\n"))
    assert found == {}
    assert rest == [f"{SITE}/vendored/x-1.0.dist-info/RECORD"]
