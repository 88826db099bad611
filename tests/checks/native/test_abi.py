"""Broken images, and what is said of them; the loader itself is tested beside this."""

import os
import sys
import sysconfig
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from builder.checks.finding import Finding, Severity
from builder.checks.native.abi import check_abi
from builder.checks.subject import Ground, Inspected, Origin, Subject
from builder.elf import Elf, read_elf
from builder.oci.platform import Platform
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libraries import Libraries
from builder.target import Libc, Python, Target
from tests.checks.native.abi_images import (
    ARM,
    GLIBC,
    SITE,
    TARGET,
    a_part,
    an_elf,
    found,
    module,
    told,
)


def test_a_sound_package_is_not_spoken_of() -> None:
    part = a_part(
        {
            module("one"): an_elf(
                "libfoo-1234.so.1", "libstdc++.so.6", runpath=("$ORIGIN/../demo.libs",)
            ),
            f"{SITE}/demo.libs/libfoo-1234.so.1": an_elf(
                "libc.so.6", soname="libfoo-1234.so.1", needed_versions={"libc.so.6": GLIBC[:2]}
            ),
        }
    )
    assert found(part) == []


def test_a_missing_library_names_the_package_and_the_line() -> None:
    files = {module(name): an_elf("libpq.so.5", "libc.so.6") for name in ("b", "a", "c")}
    (finding,) = found(a_part(files), packages={"libpq.so.5": "libpq5"})
    assert finding == Finding(
        check="missing-library",
        severity=Severity.ERROR,
        message="needs libpq.so.5, which is not in the image; the same of 2 more files: "
        "b.cpython-312-x86_64-linux-gnu.so, c.cpython-312-x86_64-linux-gnu.so",
        fix='add the Debian package that has it: apt = ["libpq5"] in [tool.builder], '
        "or apt-get install libpq5 in a Dockerfile",
        path=f"/{module('a')}",
        distribution="demo 1.0",
        layer="dependencies",
    )


def test_all_that_is_missing_is_one_line() -> None:
    part = a_part({module("one"): an_elf("libGL.so.1", "libpq.so.5", "libnone.so.1")})
    gl, none, pq = found(part, packages={"libGL.so.1": "libgl1", "libpq.so.5": "libpq5"})
    line = 'apt = ["libgl1", "libpq5"] in [tool.builder], or apt-get install libgl1 libpq5 in'
    assert "has it, libgl1, and" in gl.fix
    assert "has it, libpq5, and" in pq.fix
    assert line in gl.fix
    assert line in pq.fix
    assert none.fix.startswith("no Debian package is known to have it")


def test_without_an_archive_the_fix_says_how_to_find_the_package() -> None:
    part = a_part({module("one"): an_elf("libGL.so.1")})
    assert "apt-file search libGL.so.1" in found(part)[0].fix
    assert "apt-file" not in found(part, packages={})[0].fix


@pytest.mark.parametrize("soname", ["lib\udcff.so.1", "lib\n.so", "./libfoo.so", "lib x.so", ""])
def test_no_archive_is_asked_about_odd_names(soname: str) -> None:
    part = a_part({module("one"): an_elf(soname, "libpq.so.5")})
    findings = found(part, packages={"libpq.so.5": "libpq5", soname: "never"})
    assert told(findings) == ["error missing-library"] * 2
    assert not any("never" in finding.fix for finding in findings)


def test_packages_are_asked_for_once_and_only_for_what_stops_the_image() -> None:
    asked = []

    def ask(sonames: Collection[str]) -> Mapping[str, str]:
        asked.append(sorted(sonames))
        return {}

    part = a_part(
        {
            module("one"): an_elf("libGL.so.1", "libpq.so.5"),
            f"{SITE}/demo/plugin.so": an_elf("libmpi.so.40"),
        }
    )
    ground = Ground(files=FileIndex(), libraries=Libraries())
    check_abi(Subject(parts=(part,), ground=ground, target=TARGET, run={}, packages=ask))
    check_abi(Subject(parts=(), ground=ground, target=TARGET, run={}, packages=ask))
    assert asked == [["libGL.so.1", "libpq.so.5"]]


def test_the_image_s_own_library_path_counts() -> None:
    part = a_part(
        {module("one"): an_elf("libfoo.so.1"), "opt/foo/libfoo.so.1": an_elf(soname="libfoo.so.1")}
    )
    assert told(found(part)) == ["warning missing-library"]
    assert found(part, env=["A=1", "LD_LIBRARY_PATH=/opt/foo"]) == []


def test_links_of_the_layers_are_followed() -> None:
    part = a_part(
        {
            module("one"): an_elf("libfoo.so.1", rpath=("$ORIGIN/libs",)),
            "opt/foo/libfoo.so.1.2": an_elf(soname="libfoo.so.1"),
        },
        links={f"{SITE}/demo/libs": "/opt/foo", "opt/foo/libfoo.so.1": "libfoo.so.1.2"},
    )
    assert found(part) == []


def test_a_later_part_hides_an_earlier_one() -> None:
    broken = a_part({module("one"): an_elf("libgone.so.1")})
    assert told(found(broken)) == ["error missing-library"]
    assert (
        found(broken, a_part({module("one"): an_elf("libc.so.6")}, "", origin=Origin.PROJECT)) == []
    )


def test_what_another_package_loads_first_is_a_warning() -> None:
    torch = a_part({f"{SITE}/torch/lib/libc10.so": an_elf(soname="libc10.so")}, "torch 2.0")
    vision = a_part({module("_C"): an_elf("libc10.so")}, "torchvision 0.1")
    (finding,) = found(torch, vision)
    assert (finding.severity, finding.distribution) == (Severity.WARNING, "torchvision 0.1")
    assert f"/{SITE}/torch/lib/libc10.so" in finding.message


def test_what_debian_has_is_not_looked_for_in_an_unrelated_package() -> None:
    needing = a_part({module("one"): an_elf("libGL.so.1")}, "pillow-gl 1.0")
    path = f"{SITE}/zz/plug/libGL.so.1"
    debian = {"libGL.so.1": "libgl1"}

    def owned_by(distribution: str, origin: Origin = Origin.DISTRIBUTION) -> Inspected:
        return a_part({path: an_elf(soname="libGL.so.1")}, distribution, origin=origin)

    (finding,) = found(needing, owned_by("zz 1"), packages=debian)
    assert (finding.severity, finding.path) == (Severity.ERROR, f"/{module('one')}")
    assert f"/{path} is of zz 1, for itself" in finding.message
    assert 'apt = ["libgl1"]' in finding.fix
    loaded_before = ["warning missing-library"]
    assert told(found(needing, owned_by("zz 1"), packages={})) == loaded_before
    assert told(found(needing, owned_by("zz 1"))) == loaded_before
    for owner in ("pillow 2", "nvidia-gl-cu12 3"):
        assert told(found(needing, owned_by(owner), packages=debian)) == loaded_before
    project = owned_by("", Origin.PROJECT)
    assert told(found(needing, project, packages=debian)) == loaded_before


@pytest.mark.parametrize("soname", ["libcuda.so.1", "libnvidia-ml.so.1"])
def test_a_driver_comes_from_the_container_runtime(soname: str) -> None:
    assert found(a_part({module("one"): an_elf(soname)})) == []


@pytest.mark.parametrize(
    ("soname", "message"),
    [
        ("libpython3.12.so.1.0", "the base's Python 3.12 is linked without such a library"),
        ("libpython3.11.so.1.0", "the base has Python 3.12"),
    ],
)
def test_a_module_that_is_linked_with_python(soname: str, message: str) -> None:
    (finding,) = found(a_part({module("one"): an_elf(soname)}), packages={})
    assert (finding.check, finding.severity) == ("missing-library", Severity.ERROR)
    assert message in finding.message
    assert "not linked with libpython" in finding.fix


def test_what_nothing_else_loads_may_be_an_optional_part() -> None:
    plugin = {f"{SITE}/demo/plugin.so": an_elf("libmpi.so.40")}
    assert told(found(a_part(plugin))) == ["error missing-library"]
    with_module = {**plugin, module("one"): an_elf("libc.so.6")}
    assert told(found(a_part(with_module))) == ["warning missing-library"]
    with_another = {**plugin, f"{SITE}/demo/good.so": an_elf("libc.so.6")}
    assert told(found(a_part(with_another))) == ["warning missing-library"]
    assert told(found(a_part(with_another, "", origin=Origin.PROJECT))) == ["error missing-library"]


def test_a_command_is_no_optional_part() -> None:
    files = {
        module("one"): an_elf("libc.so.6"),
        "app/.venv/bin/demo": an_elf("libgone.so.1", is_program=True),
    }
    assert told(found(a_part(files))) == ["error missing-library"]


def test_a_program_needs_its_loader() -> None:
    program = an_elf("libc.so.6", is_program=True, interpreter="/lib64/ld-linux-x86-64.so.2")
    assert found(a_part({"app/.venv/bin/demo": program})) == []
    other = replace(program, interpreter="/lib/ld-other.so.1")
    (finding,) = found(a_part({"app/.venv/bin/demo": other}))
    assert "needs /lib/ld-other.so.1" in finding.message


@pytest.mark.parametrize(
    ("soname", "version", "check", "message", "base"),
    [
        ("libc.so.6", "GLIBC_2.38", "glibc-too-old", "has GLIBC_2.36", "python:3.12-slim-trixie"),
        ("libc.so.6", "GLIBC_2.99", "glibc-too-old", "has GLIBC_2.36", "choose a base that has it"),
        *(
            ("libstdc++.so.6", version, "missing-symbol-version", message, "slim-trixie")
            for version, message in (
                ("GLIBCXX_3.4.32", "has GLIBCXX_3.4.30"),
                ("CXXABI_1.3.15", "has no CXXABI"),
            )
        ),
    ],
)
def test_symbols_that_the_base_is_too_old_for(
    soname: str, version: str, check: str, message: str, base: str
) -> None:
    old = "GLIBC_2.2.5" if soname == "libc.so.6" else "GLIBCXX_3.4.9"
    needs = {soname: (old, version)}
    (finding,) = found(a_part({module("one"): an_elf(soname, needed_versions=needs)}))
    assert (finding.check, finding.severity) == (check, Severity.ERROR)
    assert f"needs {version} of {soname}" in finding.message
    assert message in finding.message
    assert base in finding.fix
    assert "demo 1.0 that has a wheel for manylinux_2_36 or older" in finding.fix


def test_a_library_without_versions_is_taken_as_it_is() -> None:
    needs = {"libfoo.so.1": ("FOO_1",)}
    files = {
        module("one"): an_elf("libfoo.so.1", runpath=("$ORIGIN",), needed_versions=needs),
        f"{SITE}/demo/libfoo.so.1": an_elf(soname="libfoo.so.1"),
    }
    assert found(a_part(files)) == []


def test_of_system_packages_nothing_is_an_error() -> None:
    files = {
        "usr/lib/python3/one.cpython-311-x86_64-linux-gnu.so": an_elf("libtk8.6.so"),
        "usr/bin/tool": an_elf(is_program=True, executable_stack=True, **ARM),
    }
    assert told(found(a_part(files, "", origin=Origin.SYSTEM))) == [
        "warning missing-library",
        "warning wrong-machine",
    ]


def test_stacks_that_are_executed_and_text_that_is_written_to() -> None:
    files = {module("one"): an_elf(executable_stack=True, text_relocations=True)}
    assert told(found(a_part(files))) == ["warning executable-stack", "warning text-relocations"]
    target = replace(TARGET, libc=Libc(name="glibc", version=(2, 41)))
    assert told(found(a_part(files), target=target))[0] == "error executable-stack"


def test_a_search_path_of_the_build_machine() -> None:
    files = {"app/ext.so": an_elf("libc.so.6", runpath=("/home/me/lib", "/usr/lib", "/build/x"))}
    findings = found(a_part(files, "", origin=Origin.PROJECT))
    assert told(findings) == ["warning stale-rpath"] * 2
    assert "/build/x" in findings[0].message
    assert found(a_part(files)) == []
    there = {**files, "home/me/lib/x": an_elf(), "build/x/y": an_elf()}
    assert found(a_part(there, "", origin=Origin.PROJECT)) == []


def test_a_missing_library_is_told_with_the_search_path_of_the_build_machine() -> None:
    files = {module("one"): an_elf("libfoo.so.1", rpath=("/home/me/build/lib",))}
    (finding,) = found(a_part(files))
    assert "looked for in /home/me/build/lib" in finding.message


def test_an_image_without_python_is_not_judged() -> None:
    assert found(a_part({module("one"): an_elf("libgone.so.1")}), target=None) == []


def test_what_runs_on_this_machine_has_no_errors() -> None:
    """The packages that these tests are run with, on the libraries of this machine."""
    site = Path(sysconfig.get_path("platlib"))
    own = elves(path for path in site.rglob("*") if ".so" in path.name)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    places = [
        Path("/lib", f"{os.uname().machine}-linux-gnu").resolve(),
        Path(sys.base_prefix, "lib"),
    ]
    libraries = elves(p for place in places for p in place.iterdir() if ".so" in p.name)
    python = Path(sys.executable).resolve()
    libraries |= elves([python])
    ground = Ground(
        files=FileIndex(
            symlinks={
                str(path).lstrip("/"): str(path.readlink())
                for place in places
                for path in place.iterdir()
                if path.is_symlink()
            }
        ),
        libraries=Libraries(files=libraries, directories=tuple(str(p).lstrip("/") for p in places)),
    )
    libc = os.confstr("CS_GNU_LIBC_VERSION") or "glibc 2.0"
    major, minor = libc.split()[1].split(".")
    target = Target(
        platform=Platform("linux", machine),
        python=Python(version=sys.version_info[:2], path=str(python)),
        libc=Libc(name="glibc", version=(int(major), int(minor))),
    )
    subject = Subject(parts=(a_part(own),), ground=ground, target=target, run={})
    assert [f for f in check_abi(subject) if f.severity is Severity.ERROR] == []
    assert len(own) > 10


def elves(paths: Iterable[Path]) -> dict[str, Elf]:
    result = {}
    for path in paths:
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as stream:
                if elf := read_elf(stream):
                    result[str(path).lstrip("/")] = elf
    return result
