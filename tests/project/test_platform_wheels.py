"""Published wheels for platforms that are not this machine's."""

import struct
from pathlib import Path

import pytest

from builder.oci.platform import Platform
from builder.target import Libc, Target
from tests.project.projects import PYTHON, UV_BUILD, Staged, install_project, lock, write_project

pytestmark = pytest.mark.index

GLIBC, MUSL = Libc(name="glibc", version=(2, 36)), Libc(name="musl", version=(1, 2))
TARGETS = [
    Target(platform=Platform("linux", machine), python=PYTHON, libc=libc)
    for machine in ("amd64", "arm64")
    for libc in (GLIBC, MUSL)
]
E_MACHINES = {"amd64": 62, "arm64": 183}
LOADERS_LIBRARY = b"libc.so.6\0"
ONLY_ARM = "editables"
WANTED = [
    *("docopt", "markupsafe", "orjson", "cffi"),
    "pywin32; sys_platform == 'win32'",
    f"{ONLY_ARM}; platform_machine == 'aarch64'",
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_project(
        tmp_path_factory.mktemp("published") / "demo",
        project=f"dependencies = {WANTED}\n",
        tables=UV_BUILD,
    )
    lock(made)
    return made


def elf_files(staged: Staged) -> dict[str, bytes]:
    """Contents by path in site-packages."""
    [site] = staged.third_party.glob("lib/python*/site-packages")
    found = {}
    for path in site.rglob("*"):
        if path.is_file() and (data := path.read_bytes()).startswith(b"\x7fELF"):
            found[str(path.relative_to(site))] = data
    return found


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.platform}-{t.libc}")
def test_only_wheels_for_the_target_s_machine_and_libc_are_installed(
    target: Target, project: Path, tmp_path: Path
) -> None:
    staged = install_project(project, tmp_path / "staging", target=target)
    found = elf_files(staged)
    assert {path.partition("/")[0].split(".")[0].strip("_") for path in found} >= {
        *("markupsafe", "orjson", "cffi_backend")
    }
    machines = {struct.unpack_from("<H", data, 18)[0] for data in found.values()}
    assert machines == {E_MACHINES[target.platform.architecture]}
    uses_glibc = {LOADERS_LIBRARY in data for data in found.values()}
    assert (uses_glibc == {False}) if target.libc == MUSL else (True in uses_glibc)
    names = {path.name for path in staged.third_party.glob("lib/python*/site-packages/*")}
    assert "docopt.py" in names  # there is no wheel of it
    assert (ONLY_ARM in names) == (target.platform.architecture == "arm64")
    assert not [name for name in names if name.startswith("pywin32")]
