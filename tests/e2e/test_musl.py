"""A project with native extensions on a base whose C library is musl."""

import io
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest
import uv
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from builder.oci.image import Image
from builder.store.layout import Layout
from tests.command import builder
from tests.e2e.conftest import contents
from tests.e2e.test_formats import run
from tests.images import read_image
from tests.standin_musl import LOADER, MACHINE, musl_standin
from tests.standin_musl import TAG as BASE_TAG
from tests.standin_platforms import interpreter

pytestmark = [pytest.mark.archive, pytest.mark.engine, pytest.mark.index]

TAG = "localhost/musl-e2e:1.0"
PYPROJECT = """\
[project]
name = "tiny"
version = "1.0"
requires-python = ">=3.13"
dependencies = ["cffi", "markupsafe", "orjson"]

[build-system]
requires = ["uv_build>=0.13.9,<0.14"]
build-backend = "uv_build"

[tool.builder]
cmd = ["python", "-m", "tiny.main"]
"""
MAIN = """\
import signal
from http.server import BaseHTTPRequestHandler, HTTPServer

import _cffi_backend
import orjson
from markupsafe import _speedups


class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if _cffi_backend.__version__ else 500)
        self.end_headers()
        self.wfile.write(orjson.dumps({"status": _speedups._escape_inner("ok")}))


def stop(*_):
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    HTTPServer(("0.0.0.0", 8000), Health).serve_forever()
"""
# Imports modules, and prints the files that are mapped then.
PROGRAM = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*(line.split()[-1] for line in open("/proc/self/maps") if "/" in line))
"""


@dataclass(frozen=True, slots=True)
class Built:
    """One build, started and asked."""

    image: Image
    result: Mapping[str, Any]
    stderr: str

    @property
    def files(self) -> dict[str, bytes]:
        """Every regular file of the layers that the project made."""
        named = zip(self.result["layers"], self.image.layers, strict=True)
        own = [layer for told, layer in named if told["name"] != "base"]
        return {path: data for layer in own for path, data in contents(layer).items()}

    @property
    def programs(self) -> dict[str, ELFFile]:
        """Every ELF file among them."""
        return {
            path: ELFFile(io.BytesIO(data))
            for path, data in self.files.items()
            if data.startswith(b"\x7fELF")
        }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    python, base = interpreter(), f"--base=oci:{musl_standin()}:{BASE_TAG}"
    folder = tmp_path_factory.mktemp("musl")
    project = folder / "tiny"
    (project / "src/tiny").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "src/tiny/__init__.py").touch()
    (project / "src/tiny/main.py").write_text(MAIN)
    lock = [uv.find_uv_bin(), "lock", "--quiet", "--python", str(python)]
    subprocess.run(lock, cwd=project, check=True)
    metadata = folder / "metadata.json"
    outputs = [f"--metadata-file={metadata}", f"--output=oci:{folder}/layout"]
    environ = {"BUILDER_STORE": str(folder / "store")}
    done = builder("build", project, base, "--tag", TAG, "--test", *outputs, env=environ)
    yield Built(
        image=read_image(Layout(folder / "layout"), "1.0"),
        result=json.loads(metadata.read_text()),
        stderr=done.stderr,
    )
    subprocess.run(["podman", "rmi", "--force", TAG], capture_output=True, check=False)


def test_it_answers_with_what_its_extensions_made(built: Built) -> None:
    assert "musl 1.2" in built.stderr
    assert "/health answers 200" in built.stderr


def test_the_wheels_are_musl_s(built: Built) -> None:
    told = [data.decode() for path, data in built.files.items() if path.endswith("/WHEEL")]
    tags = [line for text in told for line in text.splitlines() if line.startswith("Tag: ")]
    native = [tag for tag in tags if not tag.endswith("-any")]
    assert len(native) >= 3
    assert [tag for tag in native if "musllinux_1_" not in tag or MACHINE not in tag] == []


def test_every_library_loads_musl_and_nothing_of_glibc(built: Built) -> None:
    needed = {path: _needed(elf) for path, elf in built.programs.items()}
    assert len(needed) >= 3
    loaded = {name for names in needed.values() for name in names}
    assert f"libc.musl-{MACHINE}.so.1" in loaded
    assert not {name for name in loaded if name in {"libc.so.6", "libpthread.so.0"}}
    assert not [path for path, data in built.files.items() if b"\0GLIBC_2." in data]


def test_the_container_loads_every_extension_on_musl(built: Built) -> None:
    site, suffix = "/site-packages/", f".cpython-313-{MACHINE}-linux-musl.so"
    modules = [path for path in built.programs if path.endswith(suffix)]
    names = [path.partition(site)[2].removesuffix(suffix).replace("/", ".") for path in modules]
    assert {"_cffi_backend", "markupsafe._speedups", "orjson.orjson"} <= set(names)
    mapped = run("podman", "run", "--rm", "--network=none", TAG, "python", "-c", PROGRAM, *names)
    libraries = set(mapped.split())
    assert {f"/{LOADER}", *(f"/{path}" for path in modules)} <= libraries
    assert "/lib/libc.so.6" not in libraries


def _needed(elf: ELFFile) -> list[str]:
    sections = (s for s in elf.iter_sections() if isinstance(s, DynamicSection))
    tags = (tag for section in sections for tag in section.iter_tags("DT_NEEDED"))
    return [str(cast("Any", tag).needed) for tag in tags]
