import sys
from pathlib import Path

import pytest

from builder.errors import InstallError, LockError
from builder.oci.platform import Platform
from builder.process import run
from builder.project.uv import Uv, python_platform, uv_binary
from builder.settings import Settings
from builder.target import Libc, Target
from tests.project.projects import (
    MINOR,
    PYTHON,
    TARGET,
    UV_BUILD,
    install_project,
    lock,
    write_project,
)
from tests.wheels import write_wheel


def uv_for(project: Path, settings: Settings | None = None) -> Uv:
    return Uv(
        run, project=project, interpreter=Path(sys.executable), settings=settings or Settings()
    )


def target(libc: str, major: int, minor: int, machine: str = "amd64") -> Target:
    return Target(
        platform=Platform("linux", machine),
        python=PYTHON,
        libc=Libc(name=libc, version=(major, minor)),
    )


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (target("glibc", 2, 17), "x86_64-manylinux_2_17"),
        (target("glibc", 2, 27), "x86_64-manylinux_2_17"),
        (target("glibc", 2, 28), "x86_64-manylinux_2_28"),
        (target("glibc", 2, 30), "x86_64-manylinux_2_28"),
        (target("glibc", 2, 36), "x86_64-manylinux_2_36"),
        (target("glibc", 2, 41), "x86_64-manylinux_2_40"),
        (target("glibc", 2, 36, "arm64"), "aarch64-manylinux_2_36"),
        (target("musl", 1, 2), "x86_64-unknown-linux-musl"),
        (target("musl", 1, 2, "arm64"), "aarch64-unknown-linux-musl"),
    ],
)
def test_a_target_has_the_newest_name_that_its_libc_serves(wanted: Target, name: str) -> None:
    assert python_platform(wanted) == name


@pytest.mark.parametrize("machine", ["amd64", "arm64"])
@pytest.mark.parametrize("libc", [("musl", 1, 2), *(("glibc", 2, m) for m in range(17, 42))])
def test_uv_knows_every_name(libc: tuple[str, int, int], machine: str) -> None:
    name = python_platform(target(*libc, machine))
    told = run([uv_binary(), "help", "sync"]).stdout
    assert f"- {name}:" in told


def test_a_libc_older_than_every_wheel_is_refused() -> None:
    with pytest.raises(InstallError) as caught:
        python_platform(target("glibc", 2, 12))
    assert caught.value.message == (
        "the base's C library is glibc 2.12; wheels need glibc 2.17 or newer"
    )
    assert caught.value.hint == "choose a newer base"


def test_a_musl_older_than_uv_s_name_for_it_is_refused() -> None:
    with pytest.raises(InstallError) as caught:
        python_platform(target("musl", 1, 1))
    assert caught.value.message == (
        "the base's C library is musl 1.1; uv takes wheels for musl 1.2"
    )
    assert caught.value.hint == "choose a newer base"


@pytest.mark.parametrize("platform", ["linux/s390x", "linux/riscv64", "windows/amd64"])
def test_a_platform_that_uv_has_no_levels_for_is_refused(platform: str) -> None:
    wanted = Target(platform=Platform.parse(platform), python=PYTHON, libc=TARGET.libc)
    with pytest.raises(InstallError) as caught:
        python_platform(wanted)
    assert caught.value.message == f"uv cannot install for {platform}"
    assert caught.value.hint == "supported: linux/amd64, linux/arm64"


def test_a_stale_lock_is_named_with_the_command_that_helps(tmp_path: Path) -> None:
    project = write_project(tmp_path / "demo")
    lock(project)
    path = project / "pyproject.toml"
    path.write_text(path.read_text().replace('">=3.12"', '">=3.12.1"'))
    with pytest.raises(LockError) as caught:
        install_project(project, tmp_path / "staging")
    assert caught.value.message == f"{project}/uv.lock does not fit pyproject.toml any more"
    assert caught.value.hint == f"bring it up to date: uv lock --project {project}"


def test_a_lock_that_uv_cannot_check_comes_with_uv_s_words(tmp_path: Path) -> None:
    project = write_project(tmp_path / "demo", tables="[tool.uv.sources]\na = { path = 1 }\n")
    (project / "uv.lock").write_text("version = 1\n")
    with pytest.raises(LockError) as caught:
        uv_for(project).check_lock(project / "uv.lock")
    first, *words = caught.value.message.splitlines()
    assert first == f"uv cannot check {project}/uv.lock:"
    assert words


def test_a_failing_sync_comes_with_uv_s_words(tmp_path: Path) -> None:
    project = write_project(
        tmp_path / "demo",
        {"src/demo/__init__.py": "", "failing.py": "raise SystemExit('no compiler here')\n"},
        tables="""
        [build-system]
        requires = []
        build-backend = "failing"
        backend-path = ["."]
        """,
    )
    lock(project)
    with pytest.raises(InstallError) as caught:
        install_project(project, tmp_path / "staging")
    first, *words = caught.value.message.splitlines()
    level = python_platform(TARGET)
    assert first == f"uv sync --frozen --no-dev failed for {TARGET.platform} ({level}):"
    assert "no compiler here" in "\n".join(words)


def test_an_unknown_extra_comes_with_uv_s_words(tmp_path: Path) -> None:
    project = write_project(
        tmp_path / "demo", tables=f'{UV_BUILD}[tool.builder]\nextras = ["metrics"]\n'
    )
    lock(project)
    with pytest.raises(InstallError, match="Extra `metrics` is not defined"):
        install_project(project, tmp_path / "staging")


def test_a_venv_without_an_interpreter_fails_with_uv_s_words(tmp_path: Path) -> None:
    uv = Uv(run, project=tmp_path, interpreter=tmp_path / "none", settings=Settings())
    with pytest.raises(InstallError, match=r"^uv could not make a virtual environment:\n.*none"):
        uv.make_venv(tmp_path / "venv")


def files_of(venv: Path) -> dict[str, tuple[bytes, bool]]:
    """What a build would read of a staged environment; its interpreter links are machine facts."""
    return {
        str(path.relative_to(venv)): (path.read_bytes(), path.is_symlink())
        for path in sorted(venv.rglob("*"))
        if path.is_file() and path.name != "pyvenv.cfg" and not path.name.startswith("activate")
    }


@pytest.mark.parametrize(
    "variables",
    [
        {"UV_LOCKED": "1"},
        {"UV_FROZEN": "1"},
        {"UV_LINK_MODE": "symlink"},
        {"UV_COMPILE_BYTECODE": "1"},
        {"UV_PROJECT_ENVIRONMENT": "/nowhere", "VIRTUAL_ENV": "/nowhere"},
        {"UV_PROJECT": "/", "UV_WORKING_DIR": "/"},
        {"UV_PYTHON": "2.7", "UV_VENV_SEED": "1", "UV_MANAGED_PYTHON": "1"},
        {"UV_PYTHON_PREFERENCE": "only-managed"},
        {"UV_DEV": "1", "UV_EDITABLE": "1", "UV_NO_INSTALL_PROJECT": "1"},
        {"UV_NO_SOURCES": "1", "UV_NO_BUILD": "1", "UV_NO_BINARY": "1", "UV_NO_GROUP": "jobs"},
        {"UV_NO_INSTALLER_METADATA": "0", "UV_VENV_RELOCATABLE": "0", "UV_NO_CACHE": "1"},
    ],
    ids=" ".join,
)
def test_the_user_s_own_variables_do_not_disturb(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(tmp_path / "wheels", "third", entry_points={"third": "third:run"})
    write_wheel(tmp_path / "wheels", "linter")
    project = write_project(
        tmp_path / "demo",
        project='dependencies = ["third"]\nscripts.demo = "demo:main"\n',
        tables=f'{UV_BUILD}[dependency-groups]\ndev = ["linter"]\n'
        '[tool.uv]\nno-index = true\nfind-links = ["../wheels"]\ncompile-bytecode = true\n'
        'python-preference = "only-managed"\n',
    )
    lock(project)
    plain = install_project(project, tmp_path / "plain")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    disturbed = install_project(project, tmp_path / "disturbed")
    for before, after in (
        (plain.third_party, disturbed.third_party),
        (plain.own, disturbed.own),
    ):
        assert files_of(after) == files_of(before)
    names = {path.name for path in disturbed.third_party.rglob("*")}
    assert "third" in names
    assert "linter" not in names
    assert not [name for name in names if name.endswith(".pyc")]
    assert (disturbed.own / f"lib/python{MINOR}/site-packages/demo").is_dir()


def test_extras_and_groups_are_installed_when_they_are_chosen(tmp_path: Path) -> None:
    for name in ("metrics", "worker", "linter"):
        write_wheel(tmp_path / "wheels", name)
    project = write_project(
        tmp_path / "demo",
        project='optional-dependencies.more = ["metrics"]\n',
        tables=f'{UV_BUILD}[dependency-groups]\ndev = ["linter"]\njobs = ["worker"]\n'
        '[tool.uv]\nno-index = true\nfind-links = ["../wheels"]\n'
        '[tool.builder]\nextras = ["more"]\ngroups = ["jobs"]\n',
    )
    lock(project)
    staged = install_project(project, tmp_path / "staging")
    site = staged.third_party / f"lib/python{MINOR}/site-packages"
    assert {path.name for path in site.glob("*.dist-info")} == {
        "metrics-1.0.dist-info",
        "worker-1.0.dist-info",
    }
