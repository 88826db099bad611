import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.errors import ContentError, StoreError
from builder.project import source_index
from builder.project.private_copy import source_digest
from builder.project.source_index import SourceIndex
from builder.store.layout import Store
from layers.entries import FileEntry
from layers.tree import content_hash, walk
from tests.project.projects import installation_of, unlocked, workspace, write_project

NAMES = ("a.py", "b.py", "c")


class Reads(list[str]):
    """Names of the files whose content was read."""

    def hash(self, entry: FileEntry) -> str:
        self.append(entry.path.rpartition("/")[2])
        return content_hash(entry)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    reads = Reads()
    monkeypatch.setattr(source_index, "content_hash", reads.hash)
    return reads


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes are kept of files that are a tick of the clock old."""
    monkeypatch.setattr(source_index, "_MARGIN_NS", 0)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = unlocked(write_project(tmp_path / "demo"))
    (project / "src/demo/main.py").write_text("one\n")
    tick(tmp_path)
    return project


def tick(directory: Path) -> None:
    """Wait until the file system's clock shows another time: a few milliseconds."""
    probe = directory / ".probe"
    probe.touch()
    before = probe.stat().st_mtime_ns
    while probe.stat().st_mtime_ns == before:
        probe.touch()
    probe.unlink()


def digests(project: Path, store: Store) -> tuple[str, str]:
    """Without and with the index."""
    asked = installation_of(project)
    trees = (asked.lock, asked.pyproject, asked.source)
    return str(source_digest(*trees)), str(source_digest(*trees, store))


def digest(project: Path, store: Store) -> str:
    without, with_index = digests(project, store)
    assert with_index == without
    return with_index


def index_file(store: Store) -> Path:
    (path,) = (store.root / "facts/source-index").iterdir()
    return path


@pytest.mark.usefixtures("at_once")
def test_a_file_is_read_again_only_when_its_status_is_another(
    project: Path, tmp_path: Path, reads: Reads
) -> None:
    store = Store(tmp_path / "store")
    before = digest(project, store)
    assert "main.py" in reads
    reads.clear()
    assert digest(project, store) == before
    assert reads == []
    (project / "src/demo/main.py").write_text("two\n")
    assert digest(project, store) != before
    assert reads == ["main.py"]


def test_what_was_written_a_moment_ago_is_read_again(
    project: Path, tmp_path: Path, reads: Reads
) -> None:
    store = Store(tmp_path / "store")
    old = project / "src/demo/main.py"
    digest(project, store)
    reads.clear()
    digest(project, store)
    assert old.name in reads


@pytest.mark.usefixtures("at_once")
def test_the_index_is_written_only_when_something_in_it_changed(
    project: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    digest(project, store)
    written = index_file(store).stat()
    digest(project, store)
    assert index_file(store).stat() == written
    (project / "src/demo/main.py").unlink()
    digest(project, store)
    assert index_file(store).stat().st_ino != written.st_ino


@pytest.mark.usefixtures("at_once")
def test_an_edit_of_the_same_size_shows_though_its_time_is_put_back(
    project: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    file = project / "src/demo/main.py"
    before, status = digest(project, store), file.stat()
    file.write_text("two\n")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_mtime_ns == status.st_mtime_ns
    assert digest(project, store) != before


@pytest.mark.usefixtures("at_once")
def test_other_packages_of_the_project_are_in_its_index(tmp_path: Path, reads: Reads) -> None:
    api = workspace(tmp_path / "here")
    tick(tmp_path)
    store = Store(tmp_path / "store")
    digest(api, store)
    reads.clear()
    digest(api, store)
    assert reads == []
    assert [path.name for path in index_file(store).parent.iterdir()] == [index_file(store).name]


@pytest.mark.usefixtures("at_once")
def test_a_name_that_is_no_text_is_kept(project: Path, tmp_path: Path, reads: Reads) -> None:
    (project / "src/demo/\udcff\n.py").write_text("x")
    tick(tmp_path)
    store = Store(tmp_path / "store")
    digest(project, store)
    reads.clear()
    digest(project, store)
    assert reads == []


def test_a_store_that_keeps_nothing_costs_only_time(project: Path) -> None:
    class Closed:
        def fact(self, kind: str, key: str) -> dict[str, object] | None:  # noqa: ARG002
            return None

        def remember(self, kind: str, key: str, fact: dict[str, object]) -> None:
            raise StoreError(f"cannot write {kind} {key} {len(fact)}")

    asked = installation_of(project)
    trees = (asked.lock, asked.pyproject, asked.source)
    assert source_digest(*trees, Closed()) == source_digest(*trees)


@pytest.mark.usefixtures("at_once")
def test_a_file_that_changed_since_the_walk_is_an_error(project: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    digest(project, store)
    index = SourceIndex(store, project)
    (entry,) = (e for e in walk(project, at="x") if e.path.endswith("main.py"))
    assert isinstance(entry, FileEntry)
    assert index.hash(entry) == content_hash(entry)
    (project / "src/demo/main.py").write_text("longer\n")
    with pytest.raises(ContentError, match=r"main\.py changed while it was read"):
        index.hash(entry)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "damaged",
    [
        {"format": 0},
        {"check": ""},
        {"files": None},
        {"files": ""},
        {"files": "x\0"},
    ],
)
def test_an_index_of_another_kind_is_none(
    damaged: dict[str, object], project: Path, tmp_path: Path, reads: Reads
) -> None:
    store = Store(tmp_path / "store")
    digest(project, store)
    path = index_file(store)
    path.write_text(json.dumps(json.loads(path.read_text()) | damaged))
    reads.clear()
    digest(project, store)
    assert "main.py" in reads


@pytest.fixture(scope="module")
def damage() -> Iterator[tuple[Path, Store, bytes]]:
    """A project and a store that has its index, as it was written."""
    with TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_index, "_MARGIN_NS", 0)
        project = unlocked(write_project(Path(place, "demo")))
        tick(Path(place))
        store = Store(Path(place, "store"))
        digest(project, store)
        yield project, store, index_file(store).read_bytes()


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_becomes_of_the_index_the_digest_is_the_same(
    data: st.DataObject, damage: tuple[Path, Store, bytes]
) -> None:
    project, store, whole = damage
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.binary(max_size=2))
    index_file(store).write_bytes(whole[:at] + byte + whole[at + 1 :])
    digest(project, store)


class Edits:
    """What people and tools do to a project's files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, name: str, text: str) -> None:
        path = self._cleared(name)
        path.write_text(text)

    def overwrite(self, name: str, text: str) -> None:
        """The same size, in place, and the time of before."""
        path = self.directory / name
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            with path.open("r+") as file:
                file.write(text[: status.st_size])
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def touch(self, name: str, _: str) -> None:
        if (self.directory / name).is_file():
            (self.directory / name).touch()

    def chmod(self, name: str, text: str) -> None:
        if (self.directory / name).is_file():
            (self.directory / name).chmod(0o755 if len(text) % 2 else 0o644)

    def rename(self, name: str, text: str) -> None:
        if os.path.lexists(self.directory / name):
            (self.directory / name).replace(self.directory / NAMES[len(text) % len(NAMES)])

    def link(self, name: str, text: str) -> None:
        self._cleared(name).symlink_to(NAMES[len(text) % len(NAMES)])

    def hard_link(self, name: str, text: str) -> None:
        other = self.directory / NAMES[len(text) % len(NAMES)]
        if other.is_file() and not other.is_symlink() and other.name != name:
            self._cleared(name).hardlink_to(other)

    def remove(self, name: str, _: str) -> None:
        self._cleared(name)

    def _cleared(self, name: str) -> Path:
        path = self.directory / name
        path.unlink(missing_ok=True)
        return path


EDITS = ("write", "overwrite", "touch", "chmod", "rename", "link", "hard_link", "remove")
edits = st.lists(
    st.tuples(st.sampled_from(EDITS), st.sampled_from(NAMES), st.text("xyz", max_size=3)),
    max_size=12,
)


@pytest.mark.parametrize("waits", [True, False])
@given(done=edits)
@settings(max_examples=40, deadline=None)
def test_with_and_without_the_index_the_digest_is_the_same(
    waits: bool,  # noqa: FBT001
    done: list[tuple[str, str, str]],
) -> None:
    """With files that are a tick old when they are read, and with files of this very tick."""
    with TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        if waits:
            patch.setattr(source_index, "_MARGIN_NS", 0)
        root = Path(place)
        project = unlocked(write_project(root / "demo"))
        edit, store = Edits(project / "src/demo"), Store(root / "store")
        digest(project, store)
        for kind, name, text in done:
            getattr(edit, kind)(name, text)
            if waits:
                tick(root)
            digest(project, store)


@pytest.mark.usefixtures("at_once")
def test_two_checkouts_do_not_share_an_index(project: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    other = tmp_path / "other"
    shutil.copytree(project, other)
    (other / "src/demo/main.py").write_text("two\n")
    assert digest(project, store) != digest(other, store)
    assert digest(project, store) != digest(other, store)
