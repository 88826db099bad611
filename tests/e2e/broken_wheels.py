"""Images that are broken by a native wheel: it has a file that no loader would load."""

import platform
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from builder.oci.platform import Platform
from tests.e2e.broken import Case, install_packages, make_project
from tests.native import (
    SUFFIX,
    Stub,
    extension,
    for_other_machine,
    library,
    narrow_extension,
    write_native_wheel,
)
from tests.platforms import OTHER
from tests.project.projects import lock

type Files = Mapping[str, bytes]
type Make = Callable[[Path], Files]
"""Given a directory for what the compiler needs, the files of a wheel."""

_COMMAND = ("python", "-c", "from native import _native; print(_native.value())")
_MODULE = f"native/_native{SUFFIX}"
_INNER = Stub(soname="libinner-5a3f.so.2", symbol="inner_start")
_MUSL = Stub(soname=f"libc.musl-{platform.machine()}.so.1", symbol="musl_start")
_NEW_GLIBC = Stub(soname="libc.so.6", symbol="strlcpy", version="GLIBC_2.38")
_NEW_CXX = Stub(soname="libstdc++.so.6", symbol="new_start", version="GLIBCXX_3.4.32")
_NEW_CXXABI = Stub(soname="libstdc++.so.6", symbol="new_start", version="CXXABI_1.3.15")

# As Debian calls the machines.
_HOST = Platform.host().architecture
_IS_FOR_OTHER = f"is for {OTHER.architecture}, the image for {_HOST}"
_IS_NARROW = f"is for {'i386' if _HOST == 'amd64' else 'armel'}, the image for {_HOST}"


def _linked(*links: Stub, name: str = _MODULE, flags: Iterable[str] = ()) -> Make:
    """A wheel with a module that needs some libraries."""
    return lambda scratch: _module(extension("_native", scratch, links=links, flags=flags), name)


def _module(module: bytes, name: str = _MODULE) -> Files:
    return {"native/__init__.py": b"", name: module}


def _changed(change: Callable[[bytes], bytes]) -> Make:
    return lambda scratch: _module(change(extension("_native", scratch)))


def _bundled(run_path: str, *, is_there: bool = True) -> Make:
    """A wheel that brings a library of its own beside its module, or should do so."""

    def make(scratch: Path) -> Files:
        module = _linked(_INNER, flags=[f"-Wl,-rpath,{run_path}"])(scratch)
        inner = library(_INNER, scratch).read_bytes()
        return {**module, **({f"native.libs/{_INNER.soname}": inner} if is_there else {})}

    return make


def _project_with(files: Make, checks: str = "") -> Callable[[Path], None]:
    def make(project: Path) -> None:
        write_native_wheel(project / "wheels", "native", files(project.parent / "scratch"))
        make_project(project, command=_COMMAND, checks=checks, dependencies=("native",))

    return make


def _other_release(files: Make) -> Callable[[Path, str], None]:
    """The advice is to take another release, and there is one."""

    def repair(project: Path, _said: str) -> None:
        made = files(project.parent / "scratch")
        write_native_wheel(project / "wheels", "native", made, version="1.1")
        lock(project, "--upgrade")

    return repair


def _case(  # noqa: PLR0913 - what differs between them
    name: str,
    check: str,
    advice: tuple[str, ...],
    broken: Make,
    mended: Make | None = None,
    *,
    checks: str = "",
) -> Case:
    """A file that is wrong, and right in another release."""
    return Case(
        name=name,
        check=check,
        place="(native 1.0, layer dependencies)",
        advice=advice,
        make=_project_with(broken, checks),
        repair=_other_release(mended or _linked()),
        asks_archive=check == "missing-library" and not checks,
    )


def _lacking(soname: str, symbol: str, package: str) -> Case:
    return Case(
        name=f"missing {soname}",
        check="missing-library",
        place="(native 1.0, layer dependencies)",
        advice=(soname, f'apt = ["{package}"]'),
        make=_project_with(_linked(Stub(soname=soname, symbol=symbol))),
        repair=install_packages,
        asks_archive=True,
    )


WHEELS = (
    _lacking("libpq.so.5", "PQlibVersion", "libpq5"),
    _lacking("libGL.so.1", "glGetError", "libgl1"),
    _lacking("libgomp.so.1", "omp_get_num_threads", "libgomp1"),
    _lacking("libgthread-2.0.so.0", "g_thread_init", "libglib2.0-0"),
    _case(
        "new glibc",
        "glibc-too-old",
        ("GLIBC_2.38", "GLIBC_2.36", "newer base"),
        _linked(_NEW_GLIBC),
    ),
    _case(
        "new libstdc++",
        "missing-symbol-version",
        ("GLIBCXX_3.4.32", "newer base"),
        _linked(_NEW_CXX),
    ),
    _case(
        "new C++ ABI",
        "missing-symbol-version",
        ("CXXABI_1.3.15", "newer base"),
        _linked(_NEW_CXXABI),
    ),
    _case("musl", "wrong-libc", ("is built for musl", "for glibc"), _linked(_MUSL)),
    _case(
        "other Python",
        "python-tag",
        ("built for Python 3.11", "for Python 3.12"),
        _linked(name=_MODULE.replace("312", "311")),
    ),
    _case("other machine", "wrong-machine", (_IS_FOR_OTHER,), _changed(for_other_machine)),
    _case("32 bits", "wrong-machine", (_IS_NARROW,), _changed(lambda _: narrow_extension())),
    _case(
        "library left where it was built",
        "missing-library",
        (_INNER.soname, "/build/native/lib, as on the machine that built it"),
        _bundled("/build/native/lib", is_there=False),
        _bundled("$ORIGIN/../native.libs"),
    ),
    _case(
        "stale run path",
        "missing-library",
        (_INNER.soname, "/build/native/lib, as on the machine that built it", "$ORIGIN/"),
        _bundled("/build/native/lib"),
        _bundled("$ORIGIN/../native.libs"),
    ),
    _case(
        "bundled library left out",
        "missing-library",
        (_INNER.soname, "a wheel that brings its own"),
        _bundled("$ORIGIN/../native.libs", is_there=False),
        _bundled("$ORIGIN/../native.libs"),
    ),
    _case(
        "executable stack",
        "executable-stack",
        ("a stack that can be executed", "-z noexecstack"),
        _linked(flags=["-Wl,-z,execstack"]),
        checks='refuse = ["executable-stack"]',
    ),
)
