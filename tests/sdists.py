"""Source distributions made by the tests: they build without a package index."""

import io
import tarfile
from pathlib import Path

_BACKEND = """
from pathlib import Path
from zipfile import ZipFile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    info = "{name}-1.0.dist-info"
    tag = "{tag}"
    if not tag:
        raise RuntimeError("no compiler for {name}")
    wheel = f"{name}-1.0-{{tag}}.whl"
    with ZipFile(Path(directory, wheel), "w") as archive:
        archive.writestr("{name}/__init__.py", "VALUE = 1")
        archive.writestr("{name}/{file}", {data!r})
        pure = str(tag.endswith("-any")).lower()
        archive.writestr(
            f"{{info}}/WHEEL", f"Wheel-Version: 1.0\\nRoot-Is-Purelib: {{pure}}\\nTag: {{tag}}\\n"
        )
        archive.writestr(
            f"{{info}}/METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n"
        )
        archive.writestr(f"{{info}}/RECORD", "")
    return wheel
"""


def source_files(
    name: str, *, tag: str = "py3-none-any", file: str = "data.txt", data: bytes = b"x"
) -> dict[str, str]:
    """Files of a project whose own backend makes a wheel.

    Args:
        name: of the distribution, as file names spell it; its version is 1.0.
        tag: of the wheel; the build fails without one.
        file: in the package, beside ``__init__.py``.
        data: what the file holds.
    """
    return {
        "pyproject.toml": f'[project]\nname = "{name}"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": _BACKEND.format(name=name, tag=tag, file=file, data=data),
    }


def write_sdist(
    directory: Path,
    name: str,
    *,
    tag: str = "py3-none-any",
    file: str = "data.txt",
    data: bytes = b"x",
) -> Path:
    """Write an archive of what ``source_files`` gives, below a directory that is made."""
    directory.mkdir(parents=True, exist_ok=True)
    files = source_files(name, tag=tag, file=file, data=data)
    files["PKG-INFO"] = f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n"
    path = directory / f"{name}-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for inner, text in files.items():
            info = tarfile.TarInfo(f"{name}-1.0/{inner}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path
