import hashlib
import io
import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from builder.errors import DocumentError, LayerError, StoreError
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import Index
from builder.store.layout import Layout
from layers.digest import Digest
from tests.images import blob_path

ROOT = Path(__file__).parents[2]
TEXT = "text/plain"
REFILL = "see what is wrong with the store, and mend it: python -m builder cache verify"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def pointer(data: bytes) -> Descriptor:
    return Descriptor(media_type=TEXT, digest=Digest.of(data), size=len(data))


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def names(layout: Layout) -> list[str]:
    return [m.annotations["org.opencontainers.image.ref.name"] for m in layout.index().manifests]


def test_a_new_layout_is_valid_and_empty(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "deep" / "layout")
    assert files(layout.root) == ["index.json", "oci-layout"]
    assert (layout.root / "blobs" / "sha256").is_dir()
    assert (layout.root / "oci-layout").read_bytes() == b'{"imageLayoutVersion":"1.0.0"}'
    assert json.loads((layout.root / "index.json").read_bytes()) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [],
    }
    assert layout.index() == Index(manifests=())


def test_a_layout_that_is_there_is_used_as_it_is(layout: Layout) -> None:
    layout.tag("app", pointer(b"manifest"))
    before = (layout.root / "index.json").stat()
    again = Layout(layout.root)
    assert names(again) == ["app"]
    assert (layout.root / "index.json").stat() == before


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_others_can_read_what_is_written(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        layout = Layout(tmp_path / "layout")
        layout.put(b"blob")
        layout.add(io.BytesIO(b"other"), pointer(b"other"))
        layout.tag("app", pointer(b"blob"))
    finally:
        os.umask(before)
    modes = {stat.S_IMODE((layout.root / name).stat().st_mode) for name in files(layout.root)}
    assert modes == {0o644}


def test_a_directory_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    for name in ("thesis.tex", "photo.jpg"):
        (tmp_path / name).write_text("precious")
    with pytest.raises(StoreError) as caught:
        Layout(tmp_path)
    assert caught.value.message == f"{tmp_path} holds 'photo.jpg' and is not an OCI image layout"
    assert caught.value.hint == "name an empty or new directory"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpg", "thesis.tex"]


def test_what_a_killed_build_left_behind_is_no_stranger(tmp_path: Path) -> None:
    (tmp_path / ".ingest-abc").mkdir()
    (tmp_path / ".ingest-abc" / "blob").write_bytes(b"half")
    (tmp_path / ".ingest-def").write_bytes(b"half")
    (tmp_path / "blobs").mkdir()
    layout = Layout(tmp_path)
    assert layout.read(replace(pointer(b"blob"), digest=layout.put(b"blob"))) == b"blob"


def test_a_file_is_no_layout(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(StoreError) as caught:
        Layout(path)
    assert caught.value.message == f"cannot open a store in {path}: File exists"
    with pytest.raises(StoreError) as caught:
        Layout(path / "below")
    assert caught.value.message == f"cannot open a store in {path / 'below'}: Not a directory"


def test_what_was_put_is_read(layout: Layout) -> None:
    assert layout.put(b"data") == Digest.of(b"data")
    assert layout.put(b"data") == Digest.of(b"data")
    assert layout.has(pointer(b"data"))
    assert layout.read(pointer(b"data")) == b"data"
    with layout.open(pointer(b"data")) as stream:
        assert [stream.read(3), stream.read(3), stream.read(3)] == [b"dat", b"a", b""]
    path = layout.root / "blobs" / "sha256" / hashlib.sha256(b"data").hexdigest()
    assert path.read_bytes() == b"data"


def test_what_was_added_is_read(layout: Layout) -> None:
    data = bytes(3 << 20) + b"end"
    layout.add(io.BytesIO(data), pointer(data))
    assert layout.has(pointer(data))
    assert layout.read(pointer(data)) == data
    assert len(files(layout.root)) == 3


def test_what_is_there_is_not_read_again(layout: Layout) -> None:
    layout.put(b"data")
    source = io.BytesIO(b"data")
    layout.add(source, pointer(b"data"))
    assert source.tell() == 0


def test_what_is_not_there_is_refused(layout: Layout) -> None:
    missing = pointer(b"missing")
    assert not layout.has(missing)
    with pytest.raises(StoreError) as caught:
        layout.open(missing)
    assert caught.value.message == (
        f"store {layout.root}: blob {missing.digest} cannot be read: No such file or directory"
    )
    assert caught.value.hint == REFILL


@pytest.mark.parametrize("data", [b"", b"dat", b"data!", b"DATA"])
def test_other_bytes_are_not_taken_in_and_leave_nothing_behind(data: bytes, layout: Layout) -> None:
    before = files(layout.root)
    with pytest.raises(LayerError) as caught:
        layout.add(io.BytesIO(data), pointer(b"data"))
    assert caught.value.message.startswith(f"blob {Digest.of(b'data')}: ")
    assert files(layout.root) == before
    assert not list(layout.root.glob(".ingest-*"))


def test_a_source_that_fails_leaves_nothing_behind(layout: Layout) -> None:
    class Broken:
        def read(self, _: int) -> bytes:
            raise LayerError("the connection is gone")

    with pytest.raises(LayerError, match="the connection is gone"):
        layout.add(cast("BinaryIO", Broken()), pointer(b"data"))
    assert not list(layout.root.glob(".ingest-*"))


def test_every_corrupted_blob_is_refused_when_it_is_read(layout: Layout) -> None:
    for content in (b"x", b"some text", bytes(1000), b"y" * (3 << 20)):
        descriptor = pointer(content)
        layout.put(content)
        path = blob_path(layout, descriptor)
        for place in {0, len(content) // 2, len(content) - 1}:
            damaged = bytearray(content)
            damaged[place] ^= 1
            path.write_bytes(damaged)
            with pytest.raises(LayerError) as caught:
                layout.read(descriptor)
            assert caught.value.message == (
                f"blob {descriptor.digest}: wanted {len(content)} bytes of that digest, "
                f"got {len(content)} bytes that hash to {Digest.of(bytes(damaged))}"
            )
            assert caught.value.hint == (
                f"remove {path}; the next build brings it again; "
                "python -m builder cache verify finds what else is damaged"
            )


def test_a_truncated_blob_is_not_there_and_is_replaced(layout: Layout) -> None:
    layout.put(b"data")
    blob_path(layout, pointer(b"data")).write_bytes(b"dat")
    assert not layout.has(pointer(b"data"))
    layout.add(io.BytesIO(b"data"), pointer(b"data"))
    assert layout.read(pointer(b"data")) == b"data"


def test_a_corrupted_document_is_put_anew(layout: Layout) -> None:
    layout.put(b"data")
    blob_path(layout, pointer(b"data")).write_bytes(b"DATA")
    layout.put(b"data")
    assert layout.read(pointer(b"data")) == b"data"


def test_a_longer_blob_is_refused(layout: Layout) -> None:
    layout.put(b"data")
    blob_path(layout, pointer(b"data")).write_bytes(b"data!")
    assert not layout.has(pointer(b"data"))
    with pytest.raises(LayerError) as caught:
        layout.read(pointer(b"data"))
    assert caught.value.message == (
        f"blob {Digest.of(b'data')}: more than the 4 bytes its descriptor promises"
    )


def test_a_finished_file_is_adopted(layout: Layout) -> None:
    with layout.ingest() as path:
        path.write_bytes(b"data")
        layout.adopt(path, Digest.of(b"data"))
    assert layout.read(pointer(b"data")) == b"data"
    assert not list(layout.root.glob(".ingest-*"))


def test_what_is_not_adopted_is_gone(layout: Layout) -> None:
    with layout.ingest() as path:
        path.write_bytes(b"data")
    assert files(layout.root) == ["index.json", "oci-layout"]
    assert not list(layout.root.glob(".ingest-*"))


def test_a_name_belongs_to_one_image(layout: Layout) -> None:
    one, two = pointer(b"one"), replace(pointer(b"two"), annotations={"a": "b"})
    layout.tag("app:1", one)
    layout.tag("app:2", one)
    layout.tag("app:1", two)
    assert [(m.digest, dict(m.annotations)) for m in layout.index().manifests] == [
        (one.digest, {"org.opencontainers.image.ref.name": "app:2"}),
        (two.digest, {"a": "b", "org.opencontainers.image.ref.name": "app:1"}),
    ]


def test_what_others_wrote_into_a_shared_index_stays(layout: Layout) -> None:
    ours, theirs = pointer(b"ours"), pointer(b"theirs")
    layout.tag("app", ours)
    index = json.loads((layout.root / "index.json").read_bytes())
    platform = {"os": "windows", "architecture": "amd64", "os.version": "10.0.14393"}
    neighbour = theirs.to_json() | {
        "urls": ["https://example.com/blob"],
        "data": "dGhlaXJz",
        "platform": platform | {"os.features": ["win32k"]},
        "annotations": {"org.opencontainers.image.ref.name": "theirs"},
        "com.example.unknown": {"deep": [1, 2.5, None]},
    }
    index["manifests"].insert(0, neighbour)
    members = {"annotations": {"com.example": "kept"}, "com.example.member": 7}
    (layout.root / "index.json").write_text(json.dumps(index | members))
    layout.tag("app", pointer(b"new"))
    after = json.loads((layout.root / "index.json").read_bytes())
    assert names(layout) == ["theirs", "app"]
    assert after["manifests"][0] == neighbour
    assert {key: after[key] for key in members} == members


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "index is not JSON: Expecting property name enclosed in double quotes: "),
        (b"{}", "not an image index: it has no manifests"),
    ],
)
def test_a_damaged_index_is_refused_with_its_place(raw: bytes, reason: str, layout: Layout) -> None:
    (layout.root / "index.json").write_bytes(raw)
    for act in (layout.index, lambda: layout.tag("app", pointer(b"x"))):
        with pytest.raises(DocumentError) as caught:
            act()
        assert caught.value.message.startswith(f"{layout.root}: index.json: {reason}")
        assert caught.value.hint == REFILL
    assert (layout.root / "index.json").read_bytes() == raw


def test_an_index_that_is_gone_is_empty(layout: Layout) -> None:
    layout.tag("app", pointer(b"x"))
    (layout.root / "index.json").unlink()
    assert layout.index() == Index(manifests=())


TAG_MANY = """
import sys
from pathlib import Path
from builder.oci.descriptor import Descriptor
from builder.store.layout import Layout
from layers.digest import Digest

layout = Layout(Path(sys.argv[1]))
for number in range(12):
    data = f"{sys.argv[2]} {number}".encode()
    pointer = Descriptor(media_type="text/plain", digest=layout.put(data), size=len(data))
    layout.put(b"everybody's")
    layout.tag(f"app:{sys.argv[2]}-{number}", pointer)
    layout.tag("app:latest", pointer)
"""


def start(code: str, *args: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_many_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    workers = [start(TAG_MANY, tmp_path / "layout", str(worker)) for worker in range(6)]
    assert [worker.wait() for worker in workers] == [0] * 6
    for worker in workers:
        worker.communicate()
    layout = Layout(tmp_path / "layout")
    expected = [f"app:{worker}-{number}" for worker in range(6) for number in range(12)]
    assert sorted(names(layout)) == sorted([*expected, "app:latest"])
    for entry in layout.index().manifests:
        assert layout.read(entry)
    assert not list(layout.root.glob(".ingest-*"))


WRITE_FOREVER = """
import io, itertools, sys
from pathlib import Path
from builder.oci.descriptor import Descriptor
from builder.store.layout import Store
from layers.digest import Digest

print("ready", flush=True)
for number in itertools.count():
    layout = Store(Path(sys.argv[1]))
    data = f"{sys.argv[2]} {number}".encode() * 50_000
    pointer = Descriptor(media_type="text/plain", digest=Digest.of(data), size=len(data))
    layout.add(io.BytesIO(data), pointer)
    layout.remember("kind", str(number), {"number": number})
    layout.tag(f"app:{number % 5}", pointer)
"""


def test_a_build_that_is_killed_leaves_a_store_that_the_next_one_can_use(tmp_path: Path) -> None:
    root = tmp_path / "layout"
    for attempt in range(6):
        writer = start(WRITE_FOREVER, root, str(attempt))
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(0.005 + attempt * 0.017)
        writer.kill()
        writer.communicate()
        layout = Layout(root)
        for path in (root / "blobs" / "sha256").iterdir():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        for entry in layout.index().manifests:
            assert layout.read(entry)
        for path in root.glob("facts/*/*"):
            assert json.loads(path.read_bytes())
        layout.put(b"after")
        layout.tag("app:after", pointer(b"after"))


@pytest.mark.engine
def test_skopeo_reads_and_adds_to_a_layout(layout: Layout) -> None:
    config = json.dumps(
        {
            "os": "linux",
            "architecture": "amd64",
            "config": {"Cmd": ["true"]},
            "rootfs": {"type": "layers", "diff_ids": []},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": str(layout.put(config)),
                "size": len(config),
            },
            "layers": [],
        }
    ).encode()
    layout.put(manifest)
    media_type = "application/vnd.oci.image.manifest.v1+json"
    layout.tag("app:1.0", replace(pointer(manifest), media_type=media_type))
    seen = skopeo("inspect", f"oci:{layout.root}:app:1.0")
    assert json.loads(seen)["Digest"] == str(Digest.of(manifest))
    skopeo("copy", f"oci:{layout.root}:app:1.0", f"oci:{layout.root}:app:2.0")
    layout.tag("app:3.0", replace(pointer(manifest), media_type=media_type))
    assert sorted(names(layout)) == ["app:1.0", "app:2.0", "app:3.0"]
    assert sorted(names(Layout(layout.root))) == ["app:1.0", "app:2.0", "app:3.0"]


def skopeo(*words: str) -> str:
    done = subprocess.run(["skopeo", *words], check=True, capture_output=True, text=True)
    return done.stdout
