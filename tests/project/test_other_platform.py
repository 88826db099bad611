import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.errors import InstallError
from builder.events import ignore
from builder.oci.platform import Platform
from builder.process import run
from builder.project.install import OWN, THIRD_PARTY, Installer
from builder.target import Libc, Target
from tests.project.projects import (
    MINOR,
    PYTHON,
    TARGET,
    UV_BUILD,
    Staged,
    install_project,
    installation_of,
    lock,
    write_project,
    write_tree,
)
from tests.sdists import source_files, write_sdist
from tests.wheels import write_wheel

ELF = b"\x7fELF" + bytes(60)
CP = f"cp{MINOR.replace('.', '')}"
HOST = Platform.host().architecture
OTHER = {"amd64": "arm64", "arm64": "amd64"}[HOST]
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}
ARM = Target(platform=Platform("linux", OTHER), python=PYTHON, libc=TARGET.libc)
MUSL = Target(platform=Platform.host(), python=PYTHON, libc=Libc(name="musl", version=(1, 2)))
HERE = f"{CP}-{CP}-linux_{MACHINE[HOST]}"


def application(
    directory: Path, *names: str, tables: str = "", sources: str = "", build: str = UV_BUILD
) -> Path:
    """A locked project that needs the distributions named, which lie in ``dists`` beside it."""
    (directory / "dists").mkdir(parents=True, exist_ok=True)
    project = write_project(
        directory / "demo",
        project=f"dependencies = [{', '.join(map(repr, names))}]\n",
        tables=f"{build}[tool.uv]\nno-index = true\nfind-links = ['../dists']\n{tables}"
        f"[tool.uv.sources]\n{sources}",
    )
    lock(project)
    return project


def site(venv: Path) -> Path:
    return venv / f"lib/python{MINOR}/site-packages"


def refused(project: Path, into: Path, target: Target = ARM) -> InstallError:
    with pytest.raises(InstallError) as caught:
        install_project(project, into, target=target)
    return caught.value


def wheel_for(directory: Path, name: str, tag: str) -> None:
    """A wheel that says it is for one platform."""
    pure = write_wheel(directory, name)
    pure.rename(directory / f"{name}-1.0-{tag}.whl")


@pytest.mark.parametrize("target", [ARM, MUSL], ids=["machine", "libc"])
def test_pure_sdists_paths_and_git_are_built_for_another_platform(
    target: Target, tmp_path: Path
) -> None:
    write_sdist(tmp_path / "dists", "plain")
    write_wheel(tmp_path / "dists", "ready")
    write_tree(tmp_path / "lib", source_files("lib"))
    repository = write_tree(tmp_path / "versioned", source_files("versioned"))
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.com")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        subprocess.run([*git, *arguments], cwd=repository, check=True)
    project = application(
        tmp_path,
        *("plain", "ready", "lib", "versioned"),
        sources=f"lib = {{ path = '../lib' }}\nversioned = {{ git = 'file://{repository}' }}\n",
    )
    staged: Staged = install_project(project, tmp_path / "staging", target=target)
    for name in ("plain", "ready", "versioned"):
        assert (site(staged.third_party) / name / "__init__.py").is_file()
    for name in ("demo", "lib"):
        assert (site(staged.own) / name / "__init__.py").is_file()


def test_everything_that_cannot_be_had_is_in_one_error(tmp_path: Path) -> None:
    dists = tmp_path / "dists"
    write_sdist(dists, "compiled", tag=HERE, file="fast.so", data=ELF)
    write_sdist(dists, "disguised", file="engine", data=ELF)
    write_sdist(dists, "failing", tag="")
    write_sdist(dists, "plain")
    write_wheel(dists, "ready")
    wheel_for(dists, "newer", f"{CP}-{CP}-manylinux_2_39_{MACHINE[OTHER]}")
    for tag in ("win_amd64", f"manylinux2014_{MACHINE[HOST]}", "macosx_11_0_arm64"):
        wheel_for(dists, "others", f"{CP}-{CP}-{tag}")
    project = application(
        tmp_path, *("compiled", "disguised", "failing", "plain", "ready", "newer", "others")
    )
    error = refused(project, tmp_path / "staging")
    first, *lines = error.message.splitlines()
    assert first == (
        f"5 distributions of uv.lock cannot be had for linux/{OTHER} "
        f"({MACHINE[OTHER]}-manylinux_2_36, Python {MINOR}):"
    )
    assert lines[:6] == [
        "  compiled 1.0: the lock offers sdist; its build is for this machine",
        "  disguised 1.0: the lock offers sdist; what is built of it here holds engine",
        "  failing 1.0: the lock offers sdist; its build fails",
        f"  newer 1.0: the lock offers manylinux_2_39_{MACHINE[OTHER]}",
        f"  others 1.0: the lock offers macOS, manylinux_2_17_{MACHINE[HOST]}, Windows",
        "failing: uv says:",
    ]
    assert "RuntimeError: no compiler for failing" in error.message
    assert error.hint == (
        "what helps: a base with glibc 2.39 or newer (for newer); "
        "a version, or an index, with wheels that fit; "
        f"wheels that were built on a linux/{OTHER} machine, in a directory that "
        f"tool.uv.find-links names; an image without linux/{OTHER}"
    )


def test_the_project_s_own_compiled_code_is_refused_with_the_rest(tmp_path: Path) -> None:
    write_sdist(tmp_path / "dists", "compiled", tag=HERE, file="fast.so", data=ELF)
    write_tree(tmp_path / "lib", source_files("lib", tag=HERE))
    project = application(tmp_path, "compiled", "lib", sources="lib = { path = '../lib' }\n")
    files = source_files("demo", tag=HERE)
    text = (project / "pyproject.toml").read_text().replace(UV_BUILD, "")
    system = files["pyproject.toml"].partition("[build-system]")[2]
    write_tree(
        project,
        {"backend.py": files["backend.py"], "pyproject.toml": f"{text}[build-system]{system}"},
    )
    error = refused(project, tmp_path / "staging")
    assert [line.split(":")[0] for line in error.message.splitlines()[1:]] == [
        "  compiled 1.0",
        "  demo 1.0",
        "  lib 1.0",
    ]
    assert "lib 1.0: the lock offers path;" in error.message


def test_glibc_s_code_does_not_come_into_an_image_with_musl(tmp_path: Path) -> None:
    write_sdist(tmp_path / "dists", "compiled", tag=HERE, file="fast.so", data=ELF)
    wheel_for(tmp_path / "dists", "gnu", f"{CP}-{CP}-manylinux_2_17_{MACHINE[HOST]}")
    project = application(tmp_path, "compiled", "gnu")
    error = refused(project, tmp_path / "staging", MUSL)
    assert error.message.splitlines()[1:] == [
        "  compiled 1.0: the lock offers sdist; what is built of it here holds fast.so",
        f"  gnu 1.0: the lock offers manylinux_2_17_{MACHINE[HOST]}",
    ]
    assert error.hint is not None
    assert error.hint.startswith("what helps: a base with glibc (for gnu); ")


def test_what_was_installed_before_it_was_found_out_is_refused_too(tmp_path: Path) -> None:
    write_sdist(tmp_path / "dists", "compiled", tag=HERE, file="fast.so", data=ELF)
    error = refused(application(tmp_path, "compiled"), tmp_path / "staging", MUSL)
    assert error.message.splitlines()[1:] == [
        "  compiled 1.0: the lock offers sdist; what is built of it here holds fast.so"
    ]


def test_on_this_machine_s_own_platform_everything_is_built(tmp_path: Path) -> None:
    write_sdist(tmp_path / "dists", "compiled", tag=HERE, file="fast.so", data=ELF)
    staged = install_project(application(tmp_path, "compiled"), tmp_path / "staging")
    assert (site(staged.third_party) / "compiled/fast.so").read_bytes() == ELF


def test_what_nothing_fits_on_this_machine_s_own_platform_is_listed_too(tmp_path: Path) -> None:
    for name in ("one", "two"):
        wheel_for(tmp_path / "dists", name, f"{CP}-{CP}-manylinux_2_39_{MACHINE[HOST]}")
    project = application(tmp_path, "one", "two")
    error = refused(project, tmp_path / "staging", TARGET)
    assert error.message == (
        f"2 distributions of uv.lock cannot be had for linux/{HOST} "
        f"({MACHINE[HOST]}-manylinux_2_36, Python {MINOR}):\n"
        f"  one 1.0: the lock offers manylinux_2_39_{MACHINE[HOST]}\n"
        f"  two 1.0: the lock offers manylinux_2_39_{MACHINE[HOST]}"
    )
    assert error.hint == (
        "what helps: a base with glibc 2.39 or newer (for one, two); "
        "a version, or an index, with wheels that fit"
    )


def test_a_build_that_fails_on_its_own_platform_has_uv_s_own_words(tmp_path: Path) -> None:
    write_sdist(tmp_path / "dists", "failing", tag="")
    error = refused(application(tmp_path, "failing"), tmp_path / "staging", TARGET)
    assert error.message.startswith("uv sync --frozen --no-dev failed for ")
    assert "RuntimeError: no compiler for failing" in error.message


def test_only_what_the_target_s_markers_want_counts(tmp_path: Path) -> None:
    write_sdist(tmp_path / "dists", "compiled", tag=HERE, file="fast.so", data=ELF)
    write_wheel(tmp_path / "dists", "there")
    project = application(
        tmp_path,
        f"compiled; platform_machine == '{MACHINE[HOST]}'",
        f"there; platform_machine == '{MACHINE[OTHER]}'",
    )
    staged = install_project(project, tmp_path / "staging", target=ARM)
    names = {path.name for path in site(staged.third_party).iterdir()}
    assert "there" in names
    assert "compiled" not in names


@pytest.mark.parametrize(
    ("variable", "name", "line"),
    [
        ("UV_NO_BUILD_PACKAGE", "plain", "sdist; uv is told not to build it"),
        ("UV_NO_BINARY_PACKAGE", "ready", "any; uv is told to take no wheel of it"),
    ],
)
def test_what_the_user_forbids_is_said_to_be_forbidden(
    variable: str, name: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sdist(tmp_path / "dists", "plain")
    write_wheel(tmp_path / "dists", "ready")
    asked = installation_of(application(tmp_path, "plain", "ready"), target=ARM)
    monkeypatch.setenv(variable, name)
    (tmp_path / "staging").mkdir()
    installer = Installer(asked, into=tmp_path / "staging", run=run, events=ignore)
    with pytest.raises(InstallError) as caught:
        installer.sync(THIRD_PARTY)
    assert caught.value.message.splitlines()[1:] == [f"  {name} 1.0: the lock offers {line}"]


def test_both_parts_fail_with_the_same_list_when_they_are_installed_at_the_same_time(
    tmp_path: Path,
) -> None:
    write_sdist(tmp_path / "dists", "compiled", tag=HERE, file="fast.so", data=ELF)
    write_tree(tmp_path / "lib", source_files("lib", tag=HERE))
    project = application(tmp_path, "compiled", "lib", sources="lib = { path = '../lib' }\n")
    (tmp_path / "staging").mkdir()
    asked = installation_of(project, target=ARM)
    installer = Installer(asked, into=tmp_path / "staging", run=run, events=ignore)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(installer.sync, which) for which in (THIRD_PARTY, OWN)]
    messages = {str(future.exception()) for future in futures}
    assert len(messages) == 1
    assert messages.pop().count("its build is for this machine") == 2


def test_the_whole_environment_holds_both_parts(tmp_path: Path) -> None:
    write_wheel(tmp_path / "dists", "ready")
    asked = installation_of(application(tmp_path, "ready"))
    (tmp_path / "staging").mkdir()
    installer = Installer(asked, into=tmp_path / "staging", run=run, events=ignore)
    whole = site(installer.sync_whole())
    assert (whole / "ready/__init__.py").is_file()
    assert (whole / "demo/__init__.py").is_file()
