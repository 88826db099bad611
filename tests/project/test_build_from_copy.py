import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interpreter import world_python
from tests.project.projects import (
    MINOR,
    UV_BUILD,
    files_below,
    install_project,
    lock,
    snapshot,
    workspace,
    write_project,
)

# A build backend that leaves files where it works, as setuptools does.
LITTERING = {
    "backend/littering.py": """
        import pathlib
        from zipfile import ZipFile

        def build_wheel(directory, config_settings=None, metadata_directory=None):
            pathlib.Path("build").mkdir()
            pathlib.Path("src/demo/written.py").write_text("")
            pathlib.Path("pyproject.toml").open("a").write("# built")
            name = "demo-1.0-py3-none-any.whl"
            with ZipFile(pathlib.Path(directory, name), "w") as wheel:
                wheel.writestr("demo/__init__.py", "")
                info = "demo-1.0.dist-info"
                wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n")
                metadata = "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n"
                wheel.writestr(f"{info}/METADATA", metadata)
                wheel.writestr(f"{info}/RECORD", "")
            return name
        """
}

LITTERING_SYSTEM = """
[build-system]
requires = []
build-backend = "littering"
backend-path = ["backend"]
"""


def test_a_workspace_is_installed_from_its_copy(tmp_path: Path) -> None:
    api = workspace(tmp_path / "here")
    staged = install_project(api, tmp_path / "staging")
    site = f"lib/python{MINOR}/site-packages"
    own = {path.name.split("-")[0] for path in (staged.own / site).glob("*.dist-info")}
    third = {path.name.split("-")[0] for path in (staged.third_party / site).glob("*.dist-info")}
    assert own == {"api", "core", "lib", "wheel"}
    assert third == {"third"}
    assert (staged.own / site / "lib/__init__.py").is_file()


def test_a_member_inside_the_project_is_copied_whatever_dockerignore_says(tmp_path: Path) -> None:
    project = write_project(
        tmp_path / "demo",
        {".dockerignore": "*\n!src\n", "packages/other/a": ""},
        project='dependencies = ["member"]',
        tables=f"{UV_BUILD}\n[tool.uv.sources]\nmember = {{ workspace = true }}\n"
        '[tool.uv.workspace]\nmembers = ["packages/member"]\n',
    )
    write_project(project / "packages/member", name="member")
    lock(project)
    staged = install_project(project, tmp_path / "staging")
    assert not (staged.project / "packages/other").exists()
    assert (staged.own / f"lib/python{MINOR}/site-packages/member").is_dir()


def test_a_readme_that_dockerignore_names_is_there_for_the_build(tmp_path: Path) -> None:
    project = write_project(
        tmp_path / "demo",
        {".dockerignore": "*.md\n", "README.md": "# Read me\n"},
        project='readme = "README.md"',
    )
    lock(project)
    staged = install_project(project, tmp_path / "staging")
    (metadata,) = staged.own.rglob("METADATA")
    assert "# Read me" in metadata.read_text()


def test_what_the_rules_leave_out_is_not_in_the_installed_package(tmp_path: Path) -> None:
    project = write_project(
        tmp_path / "demo",
        {
            ".dockerignore": "**/*.sql\n",
            "src/demo/.env": "SECRET=1",
            "src/demo/a.sql": "",
            "src/demo/kept.txt": "",
        },
    )
    lock(project)
    staged = install_project(project, tmp_path / "staging")
    package = staged.own / f"lib/python{MINOR}/site-packages/demo"
    assert files_below(package) == {"__init__.py", "kept.txt"}


def test_what_dockerignore_names_is_in_no_wheel_of_a_flat_project(tmp_path: Path) -> None:
    project = write_project(
        tmp_path / "demo",
        {
            ".dockerignore": "**/secrets.json\n",
            "demo/__init__.py": "",
            "demo/secrets.json": "{}",
            "demo/data.json": "{}",
        },
        tables=f'{UV_BUILD}\n[tool.uv.build-backend]\nmodule-root = ""\n'
        "[tool.builder]\nsource = []\n",
    )
    lock(project)
    staged = install_project(project, tmp_path / "staging")
    package = staged.own / f"lib/python{MINOR}/site-packages/demo"
    assert files_below(package) == {"__init__.py", "data.json"}


def littered_project(directory: Path) -> Path:
    project = write_project(directory, LITTERING, tables=LITTERING_SYSTEM)
    lock(project)
    return project


def test_a_backend_that_writes_where_it_works_writes_into_the_copy(tmp_path: Path) -> None:
    project = littered_project(tmp_path / "demo")
    before = snapshot(project)
    staged = install_project(project, tmp_path / "staging")
    assert snapshot(project) == before
    assert (staged.project / "build").is_dir()


@pytest.mark.index
def test_setuptools_writes_nothing_into_the_project(tmp_path: Path) -> None:
    system = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    project = write_project(tmp_path / "demo", tables=system)
    lock(project)
    before = snapshot(project)
    staged = install_project(project, tmp_path / "staging")
    assert snapshot(project) == before
    assert (staged.project / "src/demo.egg-info").is_dir()


READ_ONLY_BUILD = """
import sys
from pathlib import Path
from builder.events import ignore
from builder.oci.platform import Platform
from builder.process import run
from builder.project.install import OWN, Installation, Installer
from builder.project.lock import read_lock
from builder.project.pyproject import read_pyproject
from builder.project.source import find_source
from builder.settings import Settings
from builder.target import Libc, Python, Target

pyproject = read_pyproject(Path(sys.argv[1]))
version = sys.version_info[:2]
target = Target(
    platform=Platform.host(),
    python=Python(version=version, path="/usr/bin/python3"),
    libc=Libc(name="glibc", version=(2, 36)),
)
asked = Installation(
    pyproject=pyproject, lock=read_lock(pyproject), source=find_source(pyproject, Settings()),
    settings=Settings(), target=target, interpreter=Path(sys.executable), environ={},
)
print(Installer(asked, into=Path(sys.argv[2]), run=run, events=ignore).sync(OWN))
"""


@pytest.mark.index  # the interpreter that every user can run is installed with the project's lock
def test_an_ordinary_user_builds_a_project_that_nobody_may_write(tmp_path: Path) -> None:
    project = littered_project(tmp_path / "demo")
    staging = tmp_path / "staging"
    staging.mkdir()
    argv = [str(world_python()), "-c", READ_ONLY_BUILD, str(project), str(staging)]
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("no setpriv on this machine")
        for directory in (tmp_path, *tmp_path.parents[:2]):
            directory.chmod(0o755)
        os.chown(staging, 65534, 65534)
        dropped = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
        argv = ["setpriv", *dropped, *argv]
    for path in [project, *project.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = snapshot(project)
    environ = {**os.environ, "HOME": str(staging), "UV_CACHE_DIR": str(staging / "cache")}
    done = subprocess.run(
        argv, cwd=staging, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.strip()) / f"lib/python{MINOR}/site-packages/demo").is_dir()
    assert snapshot(project) == before
