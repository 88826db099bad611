"""Packages made by hand, read as those of an archive are."""

import io
from pathlib import Path

import pytest

from builder.debian.unpack.deb import Deb, read_deb
from builder.debian.unpack.tar_members import Member as Found
from builder.errors import PackageError
from tests.debian.debs import control_tar, data_tar, make_ar

CONTROL = b"Package: test\nVersion: 1.0-1\nArchitecture: amd64\n"


def read(data: bytes, scratch: Path) -> Deb:
    return read_deb(io.BytesIO(data), "test_1.0.deb", scratch)


def refusal(data: bytes, scratch: Path) -> str:
    with pytest.raises(PackageError) as caught:
        read(data, scratch)
    assert list(scratch.iterdir()) == [], "something was left behind"
    return caught.value.message


def parts(
    *,
    version: bytes = b"2.0\n",
    control: bytes | None = None,
    data: bytes | None = None,
    suffix: str = "",
) -> bytes:
    """A package of these members, as they are."""
    return make_ar(
        {
            "debian-binary": version,
            "control.tar": control_tar(CONTROL) if control is None else control,
            f"data.tar{suffix}": data_tar([]) if data is None else data,
        }
    )


def content(found: Found) -> bytes:
    assert found.content is not None
    with found.content.open() as stream:
        return stream.read()
