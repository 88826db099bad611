"""What the layers of an image have, and what a container sees of it."""

import io
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from builder.checks.finding import Finding, Severity
from builder.errors import LayerError
from builder.examine.examine import examine
from builder.oci.descriptor import BASE_DIGEST
from builder.oci.image import Image
from builder.oci.image_index import ImageIndex
from builder.settings import ChecksSettings
from builder.store.layout import Layout
from layers.compress import TAR
from layers.digest import DiffId, Digest
from layers.entries import (
    BytesContent,
    Entry,
    FileEntry,
    HardLinkEntry,
    SymlinkEntry,
    WhiteoutEntry,
)
from layers.layer import Layer
from tests.examine.looking import (
    RUN,
    annotated,
    file,
    found,
    image_of,
    key,
    setuid,
    told,
    with_history,
)
from tests.images import make_image

KEY = "app/server.key"
HIDDEN = "a later layer hides the file"


def one(tmp_path: Path, *layers: Sequence[Entry]) -> Finding:
    layout = Layout(tmp_path)
    [finding] = found(image_of(layout, *layers), layout)
    return finding


def test_an_image_in_which_nothing_is_wrong(tmp_path: Path) -> None:
    assert told(tmp_path, [file("app/main.py", "print()\n")]) == []


def test_a_key_is_found_in_its_layer(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    image = image_of(layout, [file("app/a")], [key(KEY)], [file("app/b")])
    [finding] = found(image, layout)
    assert (finding.check, finding.severity) == ("secret", Severity.ERROR)
    assert (finding.path, finding.layer) == (f"/{KEY}", str(image.layers[1].digest))
    assert HIDDEN not in finding.message


@pytest.mark.parametrize(
    "above",
    [
        WhiteoutEntry(path=KEY),
        WhiteoutEntry(path="app"),
        file(KEY, "nothing"),
        SymlinkEntry(path=KEY, target="/start"),
    ],
    ids=["deleted", "deleted with its directory", "written anew", "made a link"],
)
def test_a_key_that_a_later_layer_hides_is_found(above: Entry, tmp_path: Path) -> None:
    finding = one(tmp_path, [key(KEY)], [above])
    assert (finding.check, finding.path) == ("secret", f"/{KEY}")
    assert HIDDEN in finding.message
    assert "--mount=type=secret" in finding.fix


def test_a_key_in_an_emptied_directory_is_found(tmp_path: Path) -> None:
    image = image_of(Layout(tmp_path), [key(KEY)])
    above = layer_of(tar_of(("app/.wh..wh..opq", b"")))
    assert HIDDEN in found(make_image([*image.layers, above], RUN), Layout(tmp_path))[0].message


def test_a_key_whose_mode_a_later_layer_changes_is_told_once(tmp_path: Path) -> None:
    finding = one(tmp_path, [key(KEY)], [replace(key(KEY), mode=0o600)])
    assert HIDDEN not in finding.message


def test_a_key_that_comes_back_is_told_once(tmp_path: Path) -> None:
    finding = one(tmp_path, [key(KEY)], [WhiteoutEntry(path=KEY)], [key(KEY)])
    assert HIDDEN not in finding.message


def test_what_else_is_hidden_is_gone(tmp_path: Path) -> None:
    assert told(tmp_path, [setuid("app/x")], [WhiteoutEntry(path="app/x")]) == []


def test_of_a_file_with_two_names_both_are_told(tmp_path: Path) -> None:
    link = HardLinkEntry(path="app/second", target="app/first", mode=0o4755)
    assert told(tmp_path, [setuid("app/first"), link]) == [
        ("setuid", "/app/first"),
        ("setuid", "/app/second"),
    ]


def test_all_files_of_a_repository_are_one_finding(tmp_path: Path) -> None:
    files = [file(f"app/.git/objects/{number}", "x") for number in range(9)]
    finding = one(tmp_path, [*files, file("app/main.py"), file("app/.git/HEAD", "ref")])
    assert finding.path == "/app/.git"


def tar_of(*members: tuple[str, bytes]) -> bytes:
    """As other tools write them."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


def layer_of(tar: bytes) -> Layer:
    return Layer(
        media_type=TAR,
        digest=Digest.of(tar),
        size=len(tar),
        diff_id=DiffId(str(Digest.of(tar))),
        source=BytesContent(tar),
    )


@pytest.mark.parametrize("name", ["./app/server.key", "/app/server.key", "app//x/../server.key"])
def test_names_as_other_tools_write_them(name: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    [start] = image_of(layout, []).layers
    with key(KEY).content.open() as stream:
        above = layer_of(tar_of((name, stream.read())))
    [finding] = found(make_image([start, above], RUN), layout)
    assert finding.path == f"/{KEY}"


def test_a_damaged_layer_is_refused(tmp_path: Path) -> None:
    layer = layer_of(tar_of(("app/x", b"x")))
    damaged = replace(layer, source=BytesContent(tar_of(("app/x", b"y"))))
    with pytest.raises(LayerError, match=str(layer.digest)):
        found(make_image([damaged], RUN), Layout(tmp_path))


def on_base(layout: Layout, base: Image, *above: Entry) -> Image:
    image = image_of(layout, list(above))
    return make_image([*base.layers, *image.layers], RUN)


def test_what_the_base_brings_is_not_told_where_the_base_is_known(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    base = image_of(layout, [key("base.key")])
    image = on_base(layout, base, key(KEY))
    named = annotated(image, {BASE_DIGEST: str(base.digest)})
    assert [each.path for each in found(named, layout)] == ["/base.key", f"/{KEY}"]
    layout.put(base.manifest.raw)
    assert [each.path for each in found(named, layout)] == [f"/{KEY}"]


def test_the_base_may_be_one_of_an_index(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    base = image_of(layout, [key("base.key")])
    index = ImageIndex.of([base], {})
    for raw in (index.index.raw, base.manifest.raw):
        layout.put(raw)
    named = annotated(on_base(layout, base), {BASE_DIGEST: str(index.index.digest)})
    assert found(named, layout) == []


@pytest.mark.parametrize("digest", ["", "sha256:x", f"sha256:{'0' * 64}"])
def test_a_base_that_is_not_one_counts_for_nothing(digest: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    image = annotated(image_of(layout, [key(KEY)]), {BASE_DIGEST: digest})
    assert [each.path for each in found(image, layout)] == [f"/{KEY}"]


def test_a_base_with_other_layers_counts_for_nothing(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    other = image_of(layout, [file("other")])
    layout.put(other.manifest.raw)
    image = annotated(image_of(layout, [key(KEY)]), {BASE_DIGEST: str(other.digest)})
    assert [each.path for each in found(image, layout)] == [f"/{KEY}"]


def test_the_config_is_looked_at_with_the_files_of_all_layers(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    run = {"User": "0", "Cmd": ["/gone"], "WorkingDir": "/"}
    image = image_of(layout, [file("app/a")], run=run)
    checks = {each.check for each in found(image, layout)}
    assert checks == {"root-user", "missing-command"}


def test_sizes_are_compared_with_budgets(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    image = image_of(layout, [file("a")], [file("b")])
    [finding] = examine(image, ChecksSettings(max_layers=1), layout)
    assert finding.check == "max-layers"


def test_a_large_file_is_told_and_a_large_program_is_not(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    size = 11 << 20
    program = Path(sys.executable).resolve().read_bytes().ljust(size, b"\0")
    entries = [
        FileEntry.of("app/data", bytes(size)),
        FileEntry.of("usr/local/bin/tool", program, mode=0o755),
    ]
    checks = ChecksSettings(max_file_size=10_000_000)
    findings = examine(image_of(layout, entries), checks, layout)
    large = [each.path for each in findings if each.check == "large-file"]
    assert large == ["/app/data"]


def test_history_counts(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    image = with_history(image_of(layout, []), "ARG API_TOKEN=abcdef123456")
    [finding] = found(image, layout)
    assert "API_TOKEN" in finding.message
