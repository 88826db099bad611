"""The applications that are built: made and locked here, where packages come from this machine's
own index, and kept from one run to the next.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uv

from bench.engines import run
from tests.cache import composed_once

_BUMPED = "idna"
_OLDER = "3.10"
"""A small package without code of other packages in it, that half of all services depend on."""
_MODULES = 24
_FORMAT = 2

_SERVICE = {
    "fastapi": "fastapi",
    "uvicorn[standard]": "uvicorn",
    "sqlalchemy": "sqlalchemy",
    "alembic": "alembic",
    "psycopg[binary]": "psycopg",
    "redis": "redis",
    "cryptography": "cryptography.fernet",
    "httpx": "httpx",
    "orjson": "orjson",
    "lxml": "lxml.etree",
    "pillow": "PIL.Image",
    "celery": "celery",
    "jinja2": "jinja2",
    "pydantic-settings": "pydantic_settings",
    "structlog": "structlog",
    "python-multipart": "python_multipart",
    "email-validator": "email_validator",
}
_DATA = {
    "fastapi": "fastapi",
    "uvicorn[standard]": "uvicorn",
    "numpy": "numpy",
    "pandas": "pandas",
    "scipy": "scipy.stats",
    "scikit-learn": "sklearn.linear_model",
    "pyarrow": "pyarrow.parquet",
}
_APPLICATION = """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """An application, locked.

    Attributes:
        name: what the tables call it.
        project: its directory; ``uv.lock`` names an older version of one package.
        other: another application with the same dependencies.
        bumped: a ``uv.lock`` with the newer version.
    """

    name: str
    project: Path
    other: Path
    bumped: Path

    @property
    def lock(self) -> Path:
        """The one that is replaced by ``bumped``."""
        return self.project / "uv.lock"


def service() -> Sample:
    """A web service: some fifty packages, a third of them compiled, the largest 15 MB."""
    return sample("service", _SERVICE)


def data() -> Sample:
    """Numerical Python behind a web service: five packages make almost all of its half gigabyte."""
    return sample("data", _DATA)


def sample(name: str, dependencies: dict[str, str]) -> Sample:
    """An application that imports what it depends on.

    Args:
        name: of the application.
        dependencies: of each, the module that is imported.
    """
    facts = json.dumps([_FORMAT, _OLDER, _MODULES, _APPLICATION, dependencies])
    key = hashlib.sha256(facts.encode()).hexdigest()[:12]

    def compose(folder: Path) -> None:
        _compose(folder, name, dependencies)

    root = composed_once(f"bench-{name}-{key}", compose)
    return Sample(
        name=name, project=root / "project", other=root / "other", bumped=root / "bumped.lock"
    )


def warm(made: Sample, *flags: str) -> None:
    """Have every wheel that a build will ask for in uv's cache.

    Args:
        made: the application.
        flags: of ``uv sync``: for another Python or platform than this machine's.
    """
    for lock in (made.lock, made.bumped):
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder) / "project"
            shutil.copytree(made.project, project)
            shutil.copyfile(lock, project / "uv.lock")
            _uv(project, "sync", "--frozen", "--no-dev", "--no-editable", "--quiet", *flags)


def _compose(folder: Path, name: str, dependencies: dict[str, str]) -> None:
    project, other = folder / "project", folder / "other"
    _write(project, f"bench-{name}", dependencies)
    _write(other, f"bench-other-{name}", dependencies)
    _uv(project, "lock", "--quiet")
    shutil.copyfile(project / "uv.lock", folder / "bumped.lock")
    _uv(project, "lock", "--quiet", "--upgrade-package", f"{_BUMPED}=={_OLDER}")
    if (project / "uv.lock").read_bytes() == (folder / "bumped.lock").read_bytes():
        sys.exit(f"{_BUMPED} {_OLDER} is the newest version, or nobody depends on it")
    shutil.copyfile(project / "uv.lock", other / "uv.lock")
    _uv(other, "lock", "--quiet")


def _write(project: Path, name: str, dependencies: dict[str, str]) -> None:
    source = project / "src" / "application"
    source.mkdir(parents=True)
    (project / "pyproject.toml").write_text(_pyproject(name, [*dependencies]))
    imports = "".join(f"import {module}  # noqa\n" for module in dependencies.values())
    (source / "main.py").write_text(imports + _APPLICATION)
    (source / "__init__.py").touch()
    for number in range(_MODULES):
        body = "\n".join(f"def function_{n}(x):\n    return x + {n}\n" for n in range(20))
        (source / f"module_{number}.py").write_text(f'"""{name}, {number}."""\n\n{body}')


def _pyproject(name: str, dependencies: Sequence[str]) -> str:
    return f"""\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.12,<3.14"
dependencies = {json.dumps(list(dependencies))}

[build-system]
requires = ["uv_build"]
build-backend = "uv_build"

[tool.uv.build-backend]
module-name = "application"

[tool.builder]
app = "application.main:app"
"""


def _uv(project: Path, *arguments: str) -> None:
    run(uv.find_uv_bin(), *arguments, "--directory", project)
