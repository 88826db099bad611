"""Debian's own archive, by this machine's sources."""

import sys
import time
from pathlib import Path

import pytest

from builder.debian.archive.archive import Archive
from builder.debian.archive.host_sources import for_suite, host_root
from builder.debian.archive.sources import read_sources
from builder.debian.package import candidate
from builder.debian.versions import compare
from builder.events import ignore
from builder.store.layout import Store

pytestmark = pytest.mark.archive

LIBC = {"bookworm": "2.36", "trixie": "2.41"}


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("release", LIBC)
def test_a_release_is_there(release: str, architecture: str, tmp_path: Path) -> None:
    sources = for_suite(read_sources(host_root()), release)
    assert {source.suite for source in sources} >= {release, f"{release}-security"}
    store = Store(tmp_path)
    archive = Archive(sources, architecture=architecture, store=store, events=ignore)
    seconds = {}
    for state in ("cold", "warm"):
        started = time.perf_counter()
        libc = candidate(archive.index().versions("libc6"))
        seconds[state] = round(time.perf_counter() - started, 2)
        assert libc is not None
        assert libc.pin is not None
        assert libc.pin.architecture == architecture
        assert compare(libc.version, LIBC[release]) > 0
    sys.stdout.write(f"{release} {architecture}: {seconds}\n")
    index = archive.index()
    assert "libpq5" in {*index.names()}
    netbase = candidate(index.versions("netbase"))
    assert netbase is not None
    assert netbase.pin is not None
    archive.fetch([netbase.pin])
    with archive.open(netbase.pin) as deb:
        assert deb.read(8) == b"!<arch>\n"
        while deb.read(1 << 20):
            """Its hash is looked at when it ends."""


def test_who_ships_a_library_is_known(tmp_path: Path) -> None:
    sources = for_suite(read_sources(host_root()), "bookworm")
    archive = Archive(sources, architecture="amd64", store=Store(tmp_path), events=ignore)
    found = archive.contents_of(["libpq.so.5", "libc.so.6", "libnone.so.1"])
    assert found == {"libc.so.6": ["libc6"], "libpq.so.5": ["libpq5"]}
