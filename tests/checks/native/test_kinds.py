"""Files for another machine, Python or C library than the image's."""

from dataclasses import replace

import pytest

from builder.checks.finding import Severity
from builder.checks.subject import Origin
from builder.target import Libc
from tests.checks.native.abi_images import ARM, SITE, TARGET, a_part, an_elf, found, module, told


def test_a_wheel_for_musl_on_glibc_is_told_so_and_of_nothing_else() -> None:
    tag = "cpython-312-x86_64-linux-gnu"
    elf = an_elf("libgcc_s-1.so", "libc.musl-x86_64.so.1")
    (finding,) = found(a_part({module("one", tag): elf}))
    assert (finding.check, finding.severity) == ("wrong-libc", Severity.ERROR)
    assert finding.message == "is built for musl, and the base has glibc 2.36"
    assert "manylinux" in finding.fix


def test_a_wheel_for_glibc_on_musl_is_told_so_unless_the_base_bears_it() -> None:
    target = replace(TARGET, libc=Libc(name="musl", version=(1, 2)))
    part = a_part({module("one"): an_elf("libpthread.so.0", "libc.so.6")})
    (finding,) = found(part, target=target)
    assert (finding.check, finding.message) == (
        "wrong-libc",
        "is built for glibc, and the base has musl 1.2",
    )
    musl = {
        "lib/ld-musl-x86_64.so.1": an_elf(soname="libc.musl-x86_64.so.1"),
        "lib/libgcompat.so.0": an_elf(soname="libgcompat.so.0"),
    }
    assert found(part, target=target, libraries=musl) == []


def test_versions_are_of_no_concern_to_musl() -> None:
    target = replace(TARGET, libc=Libc(name="musl", version=(1, 2)))
    musl = {
        "lib/ld-musl-x86_64.so.1": an_elf(soname="libc.musl-x86_64.so.1"),
        "usr/lib/libfoo.so.1": an_elf(soname="libfoo.so.1", offered_versions=("FOO_1",)),
    }
    elf = an_elf(
        "libc.musl-x86_64.so.1", "libfoo.so.1", needed_versions={"libfoo.so.1": ("FOO_2",)}
    )
    assert found(a_part({module("one"): elf}), target=target, libraries=musl) == []


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("cpython-311-x86_64-linux-gnu", "is built for Python 3.11"),
        ("cpython-312t-x86_64-linux-gnu", "is built for a free-threaded Python"),
        ("cpython-312d-x86_64-linux-gnu", "is built for a debug build of Python"),
        ("cpython-312-aarch64-linux-gnu", "is built for aarch64"),
        ("cpython-312-x86_64-linux-musl", "is built for musl"),
        ("pypy310-pp73-x86_64-linux-gnu", "is built for another Python (pypy310-pp73"),
        ("abi3t", "is built for free-threaded Python 3.15"),
    ],
)
def test_a_module_that_python_does_not_import(tag: str, message: str) -> None:
    broken = {module("one", tag): an_elf("libgone.so.1")}
    (finding,) = found(a_part(broken))
    assert (finding.check, finding.severity) == ("python-tag", Severity.ERROR)
    assert finding.message.startswith(message)
    assert "for Python 3.12 on linux/amd64" in finding.fix
    for good in ("cpython-312-x86_64-linux-gnu", "cpython-312", "abi3"):
        assert found(a_part({**broken, module("one", good): an_elf()})) == []
    assert told(found(a_part({**broken, module("two"): an_elf()}))) == ["error python-tag"]
    assert found(a_part(broken, "", origin=Origin.SYSTEM)) != found(a_part(broken))


def test_a_free_threaded_python_imports_what_is_made_for_it() -> None:
    python = replace(TARGET.python, version=(3, 13), path="/usr/local/bin/python3.13t")
    target = replace(TARGET, python=python)
    own = "cpython-313t-x86_64-linux-gnu"
    assert found(a_part({module("one", own): an_elf()}), target=target) == []
    for tag in ("cpython-313-x86_64-linux-gnu", "abi3"):
        (finding,) = found(a_part({module("one", tag): an_elf()}), target=target)
        assert finding.message.startswith("is built for a Python that is not free-threaded: ")
    (finding,) = found(a_part({module("one", own.replace("13", "14")): an_elf()}), target=target)
    assert finding.message.startswith("is built for Python 3.14")


def test_a_wheel_for_musl_is_not_told_of_twice() -> None:
    files = {
        module("one", "cpython-312-x86_64-linux-musl"): an_elf("libc.musl-x86_64.so.1"),
        f"{SITE}/demo.libs/libgcc_s-1.so.1": an_elf("libc.so"),
    }
    assert told(found(a_part(files))) == ["error wrong-libc"]


def test_what_loads_a_file_of_the_wrong_kind_is_not_blamed_for_what_that_needs() -> None:
    target = replace(TARGET, libc=Libc(name="musl", version=(1, 2)))
    files = {
        module("one"): an_elf("libfoo.so.1", runpath=("$ORIGIN",)),
        f"{SITE}/demo/libfoo.so.1": an_elf(
            "libc.so.6", "ld-linux-x86-64.so.2", soname="libfoo.so.1"
        ),
    }
    musl = {"lib/ld-musl-x86_64.so.1": an_elf()}
    findings = found(a_part(files), target=target, libraries=musl)
    assert [finding.check for finding in findings] == ["wrong-libc"]


@pytest.mark.parametrize("name", ["plain.so", "lib.1.so", "libfoo.so.3", "one.abi3.so"])
def test_other_names_say_nothing_of_python(name: str) -> None:
    assert found(a_part({f"{SITE}/demo/{name}": an_elf("libc.so.6")})) == []


def test_a_wheel_for_another_machine() -> None:
    files = {module("one", "abi3"): an_elf("libgone.so.1", **ARM)}
    (finding,) = found(a_part(files))
    assert (finding.check, finding.severity) == ("wrong-machine", Severity.ERROR)
    assert finding.message == "is for arm64, the image for amd64"
    assert "demo 1.0 for linux/amd64" in finding.fix


def test_helpers_for_other_machines_are_no_errors() -> None:
    own = {module("one"): an_elf()}
    assert told(found(a_part({**own, f"{SITE}/demo/helper.so": an_elf(**ARM)}))) == [
        "warning wrong-machine"
    ]
    named = {f"{SITE}/demo/linux-aarch64/helper.so": an_elf(**ARM)}
    assert found(a_part({**own, **named})) == []
    assert found(a_part(named)) == []
    twin = {module("one", "cpython-312-aarch64-linux-gnu"): an_elf(**ARM)}
    assert found(a_part({**own, **twin})) == []
    assert told(found(a_part(named, "", origin=Origin.PROJECT))) == ["error wrong-machine"]
    project = a_part({**own, **named}, "", origin=Origin.PROJECT)
    assert told(found(project)) == ["warning wrong-machine"]


def test_what_no_computer_s_processor_runs_is_data() -> None:
    kernel = an_elf(machine=190, architecture=None, soname="kernel")
    object_file = an_elf(kind="relocatable", **ARM)
    assert found(a_part({f"{SITE}/demo/k.cubin": kernel, f"{SITE}/demo/x.o": object_file})) == []


def test_a_library_of_another_machine_is_not_found() -> None:
    files = {module("one"): an_elf("libfoo.so.1", runpath=("$ORIGIN",))}
    alien = {f"{SITE}/demo/libfoo.so.1": an_elf(soname="libfoo.so.1", **ARM)}
    assert told(found(a_part({**files, **alien}))) == [
        "error missing-library",
        "warning wrong-machine",
    ]


def test_a_twin_for_the_other_c_library_is_no_error() -> None:
    musl = an_elf("libc.musl-x86_64.so.1")
    files = {f"{SITE}/demo/helper-musl.so": musl, module("one"): an_elf("libc.so.6")}
    for origin in (Origin.DISTRIBUTION, Origin.PROJECT):
        assert told(found(a_part(files, origin=origin))) == ["warning wrong-libc"]
    files = {f"{SITE}/demo/helper.so": musl, module("one"): an_elf("libc.so.6")}
    assert told(found(a_part(files, origin=Origin.PROJECT))) == ["error wrong-libc"]
