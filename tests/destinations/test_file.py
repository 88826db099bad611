"""What a destination file tells as its own fault, and what not; how often blobs are verified."""

import errno
import io
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from builder.destinations.file import replacing
from builder.errors import StoreError
from builder.oci.blob import Blob
from builder.oci.descriptor import Descriptor
from builder.parallel import Stoppable
from layers.digest import Digest, verified


def test_what_cannot_be_read_is_not_told_as_what_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    path.write_bytes(b"old")
    error = OSError(errno.EIO, os.strerror(errno.EIO), "/elsewhere")
    with pytest.raises(OSError, match="/elsewhere") as caught, replacing(path):
        raise error
    assert caught.value is error
    assert [file.name for file in tmp_path.iterdir()] == ["app.tar"]
    assert path.read_bytes() == b"old"


def test_what_cannot_be_written_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError) as caught, replacing(tmp_path / "file" / "app.tar"):
        pass
    assert caught.value.message == f"cannot write {tmp_path}/file/app.tar: File exists"


def test_a_blob_that_its_source_verifies_is_not_verified_again() -> None:
    data = b"data"
    descriptor = Descriptor(media_type="text/plain", digest=Digest.of(data), size=len(data))
    streams: list[BinaryIO] = []

    class Source:
        def open(self) -> BinaryIO:
            streams.append(verified(io.BytesIO(data), descriptor.digest, descriptor.size))
            return streams[-1]

    assert Blob(descriptor, Source()).open() is streams[0]
    # Against another descriptor it is: what a source promises need not be what is wanted.
    assert Blob(replace(descriptor, size=5), Source()).open() is not streams[1]


@pytest.mark.parametrize("is_verified", [True, False])
def test_one_that_may_be_stopped_is_verified_once_too(*, is_verified: bool) -> None:
    data = b"data"
    digest = Digest.of(data)
    plain: BinaryIO = io.BytesIO(data)
    inner = verified(plain, digest, len(data)) if is_verified else plain
    stoppable = cast("BinaryIO", Stoppable(inner, threading.Event()))
    assert (verified(stoppable, digest, len(data)) is stoppable) is is_verified
    assert verified(stoppable, digest, 5) is not stoppable
