"""Debian packages in an image: found by what needs them, seen by dpkg, on either kind of base."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.base.intake import load_image
from builder.debian.database.installed import read_installed
from builder.debian.root import read_root
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.image import Image
from builder.rootfs.indexing import file_index
from builder.store.layout import Store
from layers.digest import Digest
from tests.command import builder
from tests.project.projects import lock, write_project
from tests.standin import TAG

pytestmark = [pytest.mark.archive, pytest.mark.engine, pytest.mark.index]

EXTENSION = """
#include <Python.h>
extern int PQlibVersion(void);
static PyObject *version(PyObject *self, PyObject *none) { return PyLong_FromLong(PQlibVersion()); }
static PyMethodDef methods[] = {{"version", version, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_pq", 0, -1, methods};
PyMODINIT_FUNC PyInit__pq(void) { return PyModule_Create(&module); }
"""
MAIN = """
import http.server, json, signal, sys
from demo import _pq

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"status": "ok", "libpq": _pq.version()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
http.server.HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
TABLES = """
[build-system]
requires = ["uv_build"]
build-backend = "uv_build"

[tool.builder]
cmd = ["python", "-m", "demo.main"]
apt = ["libpq5"]
health = { expect = false }
"""


@dataclass(frozen=True, slots=True)
class Built:
    """An image with libpq5, and the base it stands on."""

    base: str
    tag: str
    store: Path

    def run(self, *command: str) -> str:
        argv = ["podman", "run", "--rm", "--network=none", self.tag, *command]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a C extension that is linked with libpq.so.5, which this machine lacks."""
    scratch = tmp_path_factory.mktemp("libpq")
    (scratch / "stub.c").write_text("int PQlibVersion(void) { return 0; }")
    (scratch / "pq.c").write_text(EXTENSION)
    project = write_project(scratch / "demo", {"src/demo/main.py": MAIN}, tables=TABLES)
    library, extension = scratch / "libpq.so.5", project / "src/demo/_pq.so"
    compile_c("-Wl,-soname,libpq.so.5", scratch / "stub.c", "-o", library)
    include = f"-I{sysconfig.get_path('include')}"
    compile_c(include, scratch / "pq.c", library, "-o", extension)
    lock(project)
    return project


def compile_c(*arguments: str | Path) -> None:
    subprocess.run(["cc", "-shared", "-fPIC", *map(str, arguments)], check=True)


@pytest.fixture(scope="module", params=["standin", "apt:bookworm"])
def built(
    request: pytest.FixtureRequest,
    project: Path,
    standin: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Built]:
    base = f"oci:{standin}:{TAG}" if request.param == "standin" else request.param
    tag = f"localhost/libpq-{request.param.partition(':')[0]}:1"
    store = tmp_path_factory.mktemp("store")
    environ = {"BUILDER_STORE": str(store)}
    builder("build", project, "--base", base, "--tag", tag, "--test", env=environ)
    yield Built(base, tag, store)
    subprocess.run(["podman", "rmi", "--force", tag], capture_output=True, check=False)


def test_a_c_extension_finds_its_library(built: Built) -> None:
    version = built.run("python", "-c", "from demo import _pq; print(_pq.version())")
    assert int(version) >= 150000


def test_dpkg_sees_what_was_installed(built: Built, project: Path) -> None:
    if built.base.startswith("apt:"):
        look = "import shutil; print(shutil.which('dpkg'), shutil.which('sh'))"
        assert built.run("python", "-c", look) == "None None\n"
        return
    listed = built.run("dpkg-query", "--show", "--showformat=${Status} ${Package} ${Version}\n")
    assert {f"install ok installed {package}" for package in packages(built, project)} <= {
        *listed.splitlines()
    }
    assert built.run("dpkg", "--audit") == ""
    verified = built.run("sh", "-c", "dpkg --verify libpq5 || true").splitlines()
    assert [line for line in verified if not re.search(" /usr/share/(doc|locale)/", line)] == []


def test_the_package_list_is_that_of_the_layers(built: Built, project: Path) -> None:
    store = Store(built.store)
    image = image_of(store)
    root = read_root(image, file_index(image, store), store)
    found = {f"{p.name} {p.version}" for p in read_installed(root, "amd64").packages.values()}
    base = packages_of_base(store)
    assert found == base | packages(built, project)
    assert "libpq5" in {each.split()[0] for each in found - base}


def test_a_second_build_needs_no_network(built: Built, project: Path) -> None:
    command = [sys.executable, "-m", "builder", "build", str(project)]
    environ = {**os.environ, "BUILDER_STORE": str(built.store)}
    done = subprocess.run(
        ["unshare", "--net", *command, "--base", built.base, "--no-load"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "asking" not in done.stderr


def test_another_machine_makes_the_same_image(built: Built, project: Path, tmp_path: Path) -> None:
    environ = {
        "BUILDER_STORE": str(tmp_path / "store"),
        "TZ": "Pacific/Kiritimati",
        "LANG": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "7",
    }
    command = [sys.executable, "-m", "builder", "build", str(project)]
    done = subprocess.run(
        ["taskset", "--cpu-list", "0", *command, "--base", built.base, "--no-load"],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        umask=0o077,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"@{image_of(Store(built.store)).digest}")


def packages(built: Built, project: Path) -> set[str]:
    """Name and version of what the plan adds."""
    environ = {"BUILDER_STORE": str(built.store)}
    done = builder("build", project, "--base", built.base, "--dry-run", "--no-load", env=environ)
    system = next(layer for layer in json.loads(done.stdout)["layers"] if layer["name"] == "system")
    return {" ".join(package.split()[:2]) for package in system["inputs"]["packages"]}


def image_of(store: Store) -> Image:
    """The one image that was built, whatever its names."""
    first, *others = store.index().manifests
    assert {other.digest for other in others} <= {first.digest}
    return load_image(first, store)


def packages_of_base(store: Store) -> set[str]:
    """Name and version of what the base has."""
    annotations = image_of(store).manifest.value.annotations
    digest = Digest(annotations["org.opencontainers.image.base.digest"])
    size = (store.root / "blobs/sha256" / digest.hex).stat().st_size
    pointer = Descriptor(media_type=media_types.MANIFEST, digest=digest, size=size)
    image = load_image(pointer, store)
    root = read_root(image, file_index(image, store), store)
    return {f"{p.name} {p.version}" for p in read_installed(root, "amd64").packages.values()}
