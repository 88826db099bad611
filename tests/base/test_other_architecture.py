"""``apt:bookworm`` for a machine that this one is not.

uv's downloads are not reachable everywhere, so Debian's own Python for that machine stands where
uv would have put one: it is a CPython of the same layout.
"""

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.base.base import AptRequest, Base, BaseRequest
from builder.base.find import find_base
from builder.base.target import find_target
from builder.debian.archive.archive import Archive
from builder.debian.archive.user_sources import release_sources
from builder.debian.package import candidate
from builder.elf import read_elf
from builder.errors import InstallError
from builder.events import ignore
from builder.oci.platform import Platform
from builder.process import run
from builder.project.interpreter import find_interpreter
from builder.settings import Settings
from builder.store.layout import Store
from builder.target import Python
from layers.verify import read_members

pytestmark = pytest.mark.archive

_OTHER, _MACHINE = (
    ("arm64", "aarch64") if Platform.host().architecture == "amd64" else ("amd64", "x86_64")
)
_PACKAGES = ("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib")


def _install(directory: Path, store: Store) -> None:
    """What ``uv python install`` would leave."""
    sources = release_sources(Settings(), "bookworm", project=directory)
    archive = Archive(sources, architecture=_OTHER, store=store, events=ignore)
    index = archive.index()
    found = [package.pin for name in _PACKAGES if (package := candidate(index.versions(name)))]
    pins = [pin for pin in found if pin]
    archive.fetch(pins)
    unpacked = directory / "unpacked"
    for pin in pins:
        with archive.open(pin) as stream:
            (directory / "package.deb").write_bytes(stream.read())
        unpack = ["dpkg-deb", "--extract", str(directory / "package.deb"), str(unpacked)]
        subprocess.run(unpack, check=True)
    prefix = directory / "pythons" / f"cpython-3.11.2-linux-{_MACHINE}-gnu"
    for name in ("bin", "lib"):
        shutil.copytree(unpacked / "usr" / name, prefix / name, symlinks=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    python = Python(version=(3, 11), path="/usr/local/bin/python3.11")
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    try:
        find_interpreter(python, project=Path("/"), run=run)
    except InstallError as error:
        pytest.skip(error.message)
    directory = tmp_path_factory.mktemp("other")
    store = Store(directory / "store")
    _install(directory, store)
    apt = AptRequest(settings=Settings(), project=directory, python=python.version)
    request = BaseRequest(source="apt:bookworm", platform=Platform("linux", _OTHER), apt=apt)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_PYTHON_INSTALL_DIR", str(directory / "pythons"))
        return find_base(request, store=store)


def test_every_program_and_library_is_for_the_other_machine(base: Base) -> None:
    found = {}
    for layer in base.image.layers:
        for member, content in read_members(layer):
            if content and (elf := _elf(content.read())):
                found[member.name] = elf
    assert set(found.values()) == {_OTHER}
    assert {"usr/local/bin/python3.11", f"usr/lib/{_MACHINE}-linux-gnu/libc.so.6"} < found.keys()


def test_a_build_for_it_can_stand_on_it(base: Base) -> None:
    target = find_target(base)
    assert target.platform == Platform("linux", _OTHER)
    assert target.python == Python(version=(3, 11), path="/usr/local/bin/python3.11")
    assert target.libc.version == (2, 36)


def test_the_standard_library_is_compiled_for_it(base: Base) -> None:
    assert "usr/local/lib/python3.11/__pycache__/os.cpython-311.pyc" in base.files.files


def test_the_packages_are_the_other_machines(base: Base) -> None:
    assert {pin.architecture for pin in base.pins} == {_OTHER, "all"}
    assert "libexpat1" in {pin.name for pin in base.pins}


def _elf(data: bytes) -> str | None:
    elf = read_elf(io.BytesIO(data))
    return elf.architecture if elf else None
