from dataclasses import replace
from pathlib import Path

import pytest

from layers.compress import CODECS, PLAIN, Codec
from layers.entries import FileEntry, SymlinkEntry
from layers.errors import LayerError
from layers.segment import Segment, write_segment
from layers.verify import DAMAGES, segment_files

FILES = {"a/one.py": b"A = 1\n", "a/large.bin": bytes(range(256)) * 4000, "b": b""}


def written(path: Path, codec: Codec) -> Segment:
    link = SymlinkEntry(path="a/link", target="one.py")
    entries = [FileEntry.of(name, data) for name, data in FILES.items()]
    return write_segment([*entries, link], path, codec=codec)


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
def test_wanted_files_of_a_segment_come_with_their_contents(codec: Codec, tmp_path: Path) -> None:
    segment = written(tmp_path / "segment", codec)
    assert dict(segment_files(segment, codec, FILES)) == FILES
    assert dict(segment_files(segment, codec, {"b", "a/link", "absent"})) == {"b": b""}


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
@pytest.mark.parametrize("at", [0, 40, -3])
def test_damage_is_found_whatever_is_wanted(codec: Codec, at: int, tmp_path: Path) -> None:
    segment = written(tmp_path / "segment", codec)
    path = tmp_path / "segment"
    data = bytearray(path.read_bytes())
    data[at] ^= 0x55
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises((*DAMAGES, LayerError)):
        dict(segment_files(segment, codec, {"a/one.py"}))


def test_another_segment_s_bytes_are_refused(tmp_path: Path) -> None:
    segment = written(tmp_path / "segment", PLAIN)
    with pytest.raises(LayerError):
        dict(segment_files(replace(segment, size=segment.size + 1), PLAIN, FILES))
