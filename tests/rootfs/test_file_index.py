import posixpath
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.base.intake import load_image
from builder.errors import BaseError
from builder.rootfs.file_index import FileIndex
from builder.rootfs.indexing import file_index, from_fact, to_fact
from builder.rootfs.survey import compute_file_index
from builder.store.layout import Store
from builder.target import Libc, Python
from layers.compress import GZIP, ZSTD, Codec
from layers.entries import DirEntry, Entry, FileEntry, Owner, SymlinkEntry
from tests.base.images import PATH, PYTHON, ROOTFS, make_image, stored_image
from tests.images import blob_path


def index_of(
    symlinks: Mapping[str, str] | None = None, files: Mapping[str, int] | None = None
) -> FileIndex:
    return FileIndex(directories={}, symlinks=symlinks or {}, files=files or {})


def test_an_image_is_indexed_with_modes_owners_and_accounts(tmp_path: Path) -> None:
    index = compute_file_index(stored_image(tmp_path, ROOTFS))
    assert index.directories["srv"] == DirEntry(path="srv", mode=0o750, owner=Owner(7, 8))
    assert index.symlinks == {"bin": "usr/bin"}
    assert index.files["usr/bin/sh"] == 0o755
    assert index.passwd.startswith(b"root:x:0:0:")
    assert index.group == b"root:x:0:\n"
    assert index.libc is None
    assert index.is_executable("bin/sh")
    assert not index.is_executable("etc/passwd")


@pytest.mark.parametrize("codec", [GZIP, ZSTD])
def test_the_index_does_not_depend_on_how_layers_are_compressed(
    tmp_path: Path, codec: Codec
) -> None:
    store = Store(tmp_path / "compressed")
    image = load_image(make_image(store, [ROOTFS, PYTHON], codec=codec), store)
    assert compute_file_index(image) == compute_file_index(stored_image(tmp_path, ROOTFS, PYTHON))


def test_the_index_is_computed_once_and_read_back_equal(tmp_path: Path) -> None:
    odd = FileEntry.of("odd-\udcff", b"x", mode=0o4755)
    store = Store(tmp_path)
    image = load_image(make_image(store, [(*ROOTFS, odd), PYTHON]), store)
    computed = file_index(image, store)
    for layer in image.manifest.value.layers:
        blob_path(store, layer).unlink()
    assert file_index(image, store) == computed
    assert computed.files["odd-\udcff"] == 0o4755


def test_an_index_of_another_format_is_computed_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    image = load_image(make_image(store, [ROOTFS]), store)
    store.remember("file-index", str(image.digest), {"format": 0})
    assert "usr/bin/sh" in file_index(image, store).files


@pytest.mark.parametrize(
    "damage",
    [
        {"directories": {"755:0:0": ["../outside"]}},
        {"directories": {"755:0:0": ["/absolute"]}},
        {"libc": ["glibc"]},
        {"files": {"x": ["a"]}},
        {"passwd": None},
    ],
)
def test_a_damaged_index_is_computed_anew(damage: dict[str, object], tmp_path: Path) -> None:
    store = Store(tmp_path)
    image = load_image(make_image(store, [ROOTFS]), store)
    computed = file_index(image, store)
    store.remember("file-index", str(image.digest), to_fact(computed) | damage)
    assert file_index(image, store) == computed


def test_a_fact_keeps_the_c_library() -> None:
    index = FileIndex(directories={}, symlinks={}, files={}, libc=Libc(name="musl", version=(1, 2)))
    assert from_fact(to_fact(index)) == index


def test_accounts_may_be_links(tmp_path: Path) -> None:
    entries: list[Entry] = [
        FileEntry.of("nix/store/abc-accounts", b"app:x:9:9::/:/bin/sh\n"),
        SymlinkEntry(path="etc/passwd", target="/nix/store/abc-accounts"),
    ]
    index = compute_file_index(stored_image(tmp_path, entries))
    assert index.passwd == b"app:x:9:9::/:/bin/sh\n"
    assert index.group == b""


MERGED = {"lib": "usr/lib", "lib64": "/usr/lib64", "usr/lib64": "lib", "var/run": "../run"}


@pytest.mark.parametrize(
    ("path", "everything", "parent"),
    [
        ("lib/x86_64-linux-gnu/libfoo.so", "usr/lib/x86_64-linux-gnu/libfoo.so", None),
        ("/lib64/ld.so", "usr/lib/ld.so", None),
        ("var/run/app.pid", "run/app.pid", None),
        ("lib", "usr/lib", "lib"),
        ("var/run", "run", "var/run"),
        ("var/run/../lib/x", "usr/lib/x", None),
        ("nowhere/at/all", "nowhere/at/all", None),
        ("../../etc", "etc", None),
        ("", "", None),
    ],
)
def test_links_are_followed_as_in_a_chroot(path: str, everything: str, parent: str | None) -> None:
    index = index_of(MERGED)
    assert index.resolve(path) == everything
    assert index.resolve_parent(path) == (everything if parent is None else parent)


def test_links_in_a_circle_are_an_error() -> None:
    index = index_of({"a": "b", "b": "a/c"})
    with pytest.raises(BaseError, match=r"/a/x: its symbolic links go round in circles"):
        index.resolve("a/x")
    assert index.resolve_parent("a") == "a"


NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TARGETS = st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from(["/".join(parts), "/" + "/".join(parts)])
)


@given(st.dictionaries(PATHS, TARGETS, max_size=4), PATHS)
def test_a_resolved_path_is_normal_and_holds_no_link(links: Mapping[str, str], path: str) -> None:
    index = index_of(links)
    try:
        resolved = index.resolve(path)
    except BaseError:
        return
    assert posixpath.normpath(f"/{resolved}") == f"/{resolved}"
    parts = resolved.split("/")
    assert not any("/".join(parts[:count]) in links for count in range(1, len(parts) + 1))
    assert index.resolve(resolved) == resolved
    head, _, name = index.resolve_parent(path).rpartition("/")
    assert index.resolve(f"{head}/{name}") == resolved


def test_python_is_what_python3_leads_to(tmp_path: Path) -> None:
    index = compute_file_index(stored_image(tmp_path, PYTHON))
    assert index.python(PATH) == Python(version=(3, 12), path="/usr/local/bin/python3.12")


def test_the_first_directory_of_the_search_path_wins() -> None:
    index = index_of(
        {"usr/bin/python3": "python3.11", "usr/local/bin/python3": "../../../opt/bin/python3.13"},
        {"usr/bin/python3.11": 0o755, "opt/bin/python3.13": 0o755},
    )
    assert index.python("/usr/bin:/usr/local/bin") == Python(
        version=(3, 11), path="/usr/bin/python3.11"
    )
    assert index.python("/usr/local/bin:/usr/bin") == Python(
        version=(3, 13), path="/opt/bin/python3.13"
    )


@pytest.mark.parametrize(
    ("symlinks", "files", "path"),
    [
        pytest.param(
            {},
            {"usr/bin/python3": 0o755, "usr/bin/python3.12": 0o755},
            "/usr/bin/python3.12",
            id="a hard link beside it",
        ),
        pytest.param(
            {},
            {"usr/bin/python3.9": 0o755, "usr/bin/python3.12": 0o755},
            "/usr/bin/python3.12",
            id="no python3, the newest",
        ),
        pytest.param(
            {"bin": "usr/bin", "usr/bin/python3": "/etc/alternatives/python3",
             "etc/alternatives/python3": "/usr/bin/python3.10"},
            {"usr/bin/python3.10": 0o755},
            "/usr/bin/python3.10",
            id="alternatives, in a linked directory",
        ),
        pytest.param(
            {"usr/bin/python3": "python3.13", "usr/bin/python3.13": "python3.13t"},
            {"usr/bin/python3.13t": 0o755},
            "/usr/bin/python3.13t",
            id="free-threaded",
        ),
        pytest.param(
            {"usr/bin/python3": "python3.13"},
            {"usr/bin/python3.13": 0o755, "usr/bin/python3.13t": 0o755,
             "usr/lib/python3.13t/os.py": 0o644},
            "/usr/bin/python3.13t",
            id="free-threaded, with hard links",
        ),
        pytest.param(
            {},
            {"usr/bin/python3.13": 0o755, "usr/bin/python3.13t": 0o755,
             "usr/lib/python3.13/os.py": 0o644, "usr/lib/python3.13t/os.py": 0o644},
            "/usr/bin/python3.13",
            id="a free-threaded one beside it",
        ),
    ],
)  # fmt: skip
def test_python_under_other_arrangements(
    symlinks: Mapping[str, str], files: Mapping[str, int], path: str
) -> None:
    found = index_of(symlinks, files).python("/bin:/usr/bin")
    assert found is not None
    assert found.path == path


@pytest.mark.parametrize(
    ("symlinks", "files"),
    [
        ({}, {}),
        ({}, {"usr/bin/python3": 0o755}),
        ({}, {"usr/bin/python3.12": 0o644}),
        ({"usr/bin/python3": "python3.12"}, {}),
        ({}, {"usr/bin/python3.12-config": 0o755, "usr/bin/python2.7": 0o644}),
    ],
)
def test_no_python(symlinks: Mapping[str, str], files: Mapping[str, int]) -> None:
    assert index_of(symlinks, files).python("/usr/bin:relative:") is None
