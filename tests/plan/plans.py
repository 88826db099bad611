"""Plans of small applications, whose sources and locks are written but never installed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builder.base.base import Base
from builder.oci.platform import Platform
from builder.plan import Application, BuildPlan, make_plan
from builder.project.lock import read_lock
from builder.project.private_copy import source_digest
from builder.project.pyproject import read_pyproject
from builder.project.revision import Revision
from builder.project.settings import read_settings
from builder.project.source import find_source
from builder.target import Libc, Python, Target
from tests.plan.bases import a_base

TARGET = Target(
    platform=Platform("linux", "amd64"),
    python=Python(version=(3, 12), path="/usr/local/bin/python3.12"),
    libc=Libc(name="glibc", version=(2, 36)),
)
REVISION = Revision(seconds=1_700_000_000, commit="abc", origin="git HEAD")
PATH = "/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BASE_RUN: dict[str, Any] = {
    "Env": [f"PATH={PATH}", "LANG=C.UTF-8", "PYTHON_VERSION=3.12.1"],
    "Cmd": ["python3"],
    "Labels": {"org.opencontainers.image.title": "Python", "maintainer": "them"},
    "StopSignal": "SIGINT",
}
UVICORN = ["uvicorn", "demo:app", "--host", "0.0.0.0", "--port", "8000"]
LOCK = """\
version = 1

[[package]]
name = "demo"
version = "{version}"
source = {{ editable = "." }}
dependencies = [{{ name = "third" }}]

[[package]]
name = "third"
version = "{third}"
source = {{ registry = "https://index.example.com/simple" }}
wheels = [{{ url = "https://files/third-{third}-py3-none-any.whl", hash = "sha256:0" }}]
"""


def application(  # noqa: PLR0913 - what a plan is made from
    directory: Path,
    builder: str = 'app = "demo:app"',
    *,
    metadata: str = "",
    tables: str = "[build-system]\n",
    version: str = "1.0",
    third: str = "1.0",
    environ: Mapping[str, str] | None = None,
) -> Application:
    (directory / "src/demo").mkdir(parents=True, exist_ok=True)
    (directory / "src/demo/__init__.py").write_text("")
    (directory / "uv.lock").write_text(LOCK.format(version=version, third=third))
    (directory / "pyproject.toml").write_text(
        f'[project]\nname = "Demo_App"\nversion = "{version}"\n{metadata}\n{tables}'
        f"[tool.builder]\n{builder}\n"
    )
    pyproject = read_pyproject(directory)
    settings = read_settings(pyproject, environ=environ or {}, flags={})
    return Application(
        pyproject=pyproject,
        settings=settings,
        lock=read_lock(pyproject),
        source=find_source(pyproject, settings),
        revision=REVISION,
    )


def planned(app: Application, base: Base | None = None, target: Target = TARGET) -> BuildPlan:
    digest = source_digest(app.lock, app.pyproject, app.source)
    return make_plan(app, base or a_base(BASE_RUN), target, digest)


def plan_of(directory: Path, builder: str = 'app = "demo:app"', **other: Any) -> BuildPlan:
    return planned(application(directory, builder, **other))


def keys(plan: BuildPlan) -> dict[str, str]:
    return {layer.name: str(layer.key) for layer in plan.layers}
