import hashlib
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from builder.errors import InstallError
from builder.events import ignore
from builder.process import Completed, run
from builder.project.install import OWN, THIRD_PARTY, Installer
from builder.project.interpreter import find_interpreter
from builder.project.local_builds import built_here
from builder.project.lock import Lock
from builder.project.relocate import VenvPlace, skeleton
from builder.target import Python, Target
from layers.entries import Entry
from layers.tree import fingerprint
from tests.project.projects import (
    APP,
    MINOR,
    PLACE,
    SITE,
    TARGET,
    UNREADABLE,
    Staged,
    compiler,
    contents,
    install_project,
    installation_of,
    lock,
    relocate,
    write_application,
    write_project,
    write_tree,
)
from tests.records import check_records


def test_third_party_and_own_distributions_are_apart(
    third_party: list[Entry], own: list[Entry]
) -> None:
    assert {path for path in contents(own) if "dist-info" not in path} == {
        "app/.venv/bin/demo",
        f"{SITE}/demo/__init__.py",
    }
    assert {path for path in contents(third_party) if "dist-info" not in path} == {
        *(
            f"app/.venv/bin/{name}"
            for name in (
                *("third", "third-more", "plain"),
                *("optimised", "shell", "tool.py", "binary"),
            )
        ),
        "app/.venv/share/third/a.txt",
        "app/.venv/etc/third.py",
        f"{SITE}/third/__init__.py",
        f"{SITE}/third/data.bin",
        f"{SITE}/third_space/inner/module.py",
        *(f"{SITE}/third/{name}" for name in UNREADABLE),
    }


def test_uv_s_cache_is_left_as_it_was(tmp_path: Path, uv_cache: Path) -> None:
    def hashes() -> dict[Path, str]:
        return {
            path: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in uv_cache.rglob("*")
            if path.is_file()
        }

    staged = install_project(write_application(tmp_path), tmp_path / "staging")
    script = staged.third_party / f"lib/python{MINOR}/site-packages/third/__init__.py"
    if script.stat().st_nlink < 2:
        pytest.skip("the cache is on another disk, nothing is linked")
    before = hashes()
    entries = relocate(staged.third_party, PLACE)
    compiler(tmp_path / "bytecode").bytecode(entries)
    assert hashes() == before


def test_two_installations_in_different_places_are_the_same(tmp_path: Path) -> None:
    seen = set()
    for name in ("here", "over/there"):
        place = tmp_path / name
        staged = install_project(write_application(place), place / "staging")
        entries = relocate(staged.third_party, PLACE) + relocate(staged.own, PLACE)
        compiled = compiler(place / "bytecode").bytecode(entries).entries
        seen.add(fingerprint([*entries, *compiled]))
    assert len(seen) == 1


def test_another_python_than_ours_is_installed_for(tmp_path: Path) -> None:
    other = Python(version=(3, 13), path="/usr/bin/python3.13")
    try:
        interpreter = find_interpreter(other, project=tmp_path, run=run)
    except InstallError:
        pytest.skip("no Python 3.13 on this machine")
    target = Target(platform=TARGET.platform, python=other, libc=TARGET.libc)
    staged = install_project(
        write_application(tmp_path), tmp_path / "staging", target=target, interpreter=interpreter
    )
    place = VenvPlace(path="/srv/app/.venv", owner=APP, python=other)
    entries = relocate(staged.third_party, place)
    compiled = compiler(tmp_path / "bytecode", interpreter, other).bytecode(entries).entries
    files = contents([*entries, *skeleton(place), *compiled])
    assert place.site_packages == "/srv/app/.venv/lib/python3.13/site-packages"
    assert "srv/app/.venv/lib/python3.13/site-packages/third/__init__.py" in files
    assert files["srv/app/.venv/bin/third"].startswith(b"#!/srv/app/.venv/bin/python\n")
    assert check_records(files) > 10
    pycs = [path for path in files if path.endswith(".pyc")]
    assert len(pycs) == 2
    assert all(path.endswith(".cpython-313.pyc") for path in pycs)


REGISTRY = {"registry": "https://index.example.com/simple"}


def locked(*wheels: str, name: str = "third", version: str = "1.0") -> dict[str, object]:
    offered = [{"url": f"https://files.example.com/a%2Bb/{wheel}#sha256=0"} for wheel in wheels]
    sdist = {"url": f"https://files.example.com/{name}.tar.gz"}
    source = {"source": REGISTRY, "sdist": sdist}
    return {"name": name, "version": version, "wheels": offered, **source}


@pytest.mark.parametrize(
    ("packages", "names"),
    [
        ([{"name": "third", "source": REGISTRY}, {"name": "absent", "source": REGISTRY}], True),
        ([locked("third-1.0-py3-none-any.whl")], False),
        ([locked("third-1.0-py2.py3-none-any.whl")], False),
        ([locked("third-1.0-cp312-cp312-win_amd64.whl")], True),
        ([locked("third-1.1-py3-none-any.whl")], True),
        ([locked("third-1.1-py3-none-any.whl", version="1.1"), locked()], True),
        ([locked("third-1.1-py3-none-any.whl"), locked("third-1-py3-none-any.whl")], False),
        ([locked("third.whl")], True),
        ([{**locked(), "wheels": [{"path": "wheels/third-1.0-py3-none-any.whl"}]}], False),
        ([{**locked(), "wheels": [{"filename": "third-1.0-py3-none-any.whl"}]}], False),
        ([locked(name="demo")], False),
        ([{**locked("third-1.0-py3-none-manylinux_2_17_x86_64.whl"), "sdist": None}], False),
    ],
)
def test_what_was_built_here_for_want_of_a_wheel_is_known(
    packages: list[dict[str, object]],
    names: bool,  # noqa: FBT001 - whether ``third`` is one of them
    staged: Staged,
) -> None:
    found = built_here(Lock(path=Path("/uv.lock"), packages=tuple(packages)), staged.third_party)
    assert found == (["third"] if names else [])


@pytest.mark.parametrize(
    ("tags", "offered", "names"),
    [
        (["cp312-cp312-linux_x86_64"], "cp312-cp312-win_amd64", ["a-b"]),
        (["cp312-cp312-linux_x86_64"], "cp312-cp312-manylinux_2_17_x86_64", ["a-b"]),
        (["cp312-cp312-linux_x86_64"], "cp312-cp312-linux_x86_64", []),
        (["cp312-abi3-manylinux_2_17_x86_64"], "cp312-abi3-manylinux_2_17_x86_64", []),
        (
            ["cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux2014_x86_64"],
            "cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64",
            [],
        ),
        (["cp312-cp312-musllinux_1_2_x86_64"], "cp312-cp312-musllinux_1_2_x86_64", []),
        ([], "py3-none-any", ["a-b"]),
        (["nonsense"], "py3-none-any", ["a-b"]),
    ],
)
def test_the_tags_of_what_is_installed_tell_whether_it_was_offered(
    tags: list[str], offered: str, names: list[str], tmp_path: Path
) -> None:
    info = f"lib/python{MINOR}/site-packages/A.B-2.0+local.dist-info"
    lines = "".join(f"Tag: {tag}\n" for tag in tags)
    write_tree(tmp_path, {f"{info}/WHEEL": f"Wheel-Version: 1.0\n{lines}"})
    locks = Lock(
        path=tmp_path / "uv.lock",
        packages=(locked(f"A.B-2.0%2Blocal-{offered}.whl", name="a-b"),),
    )
    assert built_here(locks, tmp_path) == names


# A build backend that compiles as setuptools does for a Python that was compiled with -g.
COMPILING = """
import os, pathlib, shlex, subprocess
from zipfile import ZipFile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    flags = shlex.split(os.environ["CFLAGS"])
    source = pathlib.Path("fast.c").resolve()
    subprocess.run(["cc", "-g", *flags, "-shared", "-fPIC", source, "-o", "fast.so"], check=True)
    name = "demo-1.0-py3-none-any.whl"
    with ZipFile(pathlib.Path(directory, name), "w") as wheel:
        wheel.write("fast.so", "demo/fast.so")
        info = "demo-1.0.dist-info"
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
COMPILING_SYSTEM = (
    '[build-system]\nrequires = []\nbuild-backend = "compiling"\nbackend-path = ["."]\n'
)


def test_compiled_code_does_not_name_the_place_it_was_compiled_in(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler on this machine")
    code = "const char *where(void) { return __FILE__; }\n"
    project = write_project(
        tmp_path / "demo", {"compiling.py": COMPILING, "fast.c": code}, tables=COMPILING_SYSTEM
    )
    lock(project)
    seen = set()
    for name in ("here", "over/there"):
        staged = install_project(project, tmp_path / name)
        files = contents(relocate(staged.own, PLACE, own=True))
        seen.add(files[f"{SITE}/demo/fast.so"])
    assert len(seen) == 1
    assert b"/build/fast.c" in seen.pop()


@pytest.mark.index
def test_a_c_extension_of_setuptools_is_installed(tmp_path: Path) -> None:
    if shutil.which("cc") is None or not Path(sysconfig.get_path("include"), "Python.h").exists():
        pytest.skip("no C compiler, or no Python.h on this machine")
    project = write_project(
        tmp_path / "demo",
        {
            "src/demo/_fast.c": """
            #include <Python.h>
            static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast", NULL, -1, NULL};
            PyMODINIT_FUNC PyInit__fast(void) { return PyModule_Create(&module); }
            """
        },
        tables="""
        [build-system]
        requires = ["setuptools"]
        build-backend = "setuptools.build_meta"
        [tool.setuptools]
        ext-modules = [{ name = "demo._fast", sources = ["src/demo/_fast.c"] }]
        """,
    )
    lock(project)
    staged = install_project(project, tmp_path / "staging")
    files = contents(relocate(staged.own, PLACE, own=True))
    assert [path for path in files if path.endswith(".so")]


def test_the_user_s_own_compiler_flags_stay_and_third_party_builds_get_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CFLAGS", "-O1 -DA=1")
    monkeypatch.delenv("CXXFLAGS", raising=False)
    told: dict[str, dict[str, str | None]] = {}

    def recording(
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        environ: Mapping[str, str | None] | None = None,
        stdin: str = "",
    ) -> Completed:
        told.update({argument: dict(environ or {}) for argument in argv})
        return run(argv, cwd=cwd, environ=environ, stdin=stdin)

    staging = tmp_path / "st ging"
    staging.mkdir()
    asked = installation_of(write_application(tmp_path))
    installer = Installer(asked, into=staging, run=recording, events=ignore)
    for which in (OWN, THIRD_PARTY):
        installer.sync(which)
    added = f"-g0 '-ffile-prefix-map={staging}/project=/build'"
    assert told[OWN]["CFLAGS"] == f"-O1 -DA=1 {added}"
    assert told[OWN]["CXXFLAGS"] == added
    assert "CFLAGS" not in told[THIRD_PARTY]
    for which in (OWN, THIRD_PARTY):
        assert told[which]["SOURCE_DATE_EPOCH"] == "315532800"


def test_a_patch_release_of_this_machine_that_the_project_excludes_is_named(
    tmp_path: Path,
) -> None:
    project = write_project(tmp_path / "demo")
    path = project / "pyproject.toml"
    wanted = f">={MINOR}.{sys.version_info[2] + 1}"
    path.write_text(path.read_text().replace(">=3.12", wanted))
    write_tree(project, {"uv.lock": f'version = 1\nrequires-python = "{wanted}"\n'})
    with pytest.raises(InstallError) as caught:
        install_project(project, tmp_path / "staging")
    first, *words = caught.value.message.splitlines()
    assert first == (
        f"this machine's Python, {sys.executable}, is not one that the project's "
        "requires-python allows, so uv does not install with it:"
    )
    assert wanted in "\n".join(words)
    assert caught.value.hint == (
        "run the builder with a patch release that it allows, as the base has one"
    )
