"""``push`` as its users start it: what it prints, what it writes, and how it refuses."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.destinations.layout import LayoutDestination
from builder.oci.image import Image
from builder.oci.reference import Reference
from builder.store.layout import Layout
from layers.entries import FileEntry
from tests.command import builder
from tests.images import blob_path, make_image, make_layer
from tests.registry import PASSWORD, USERNAME, Registry
from tests.registry_client.fake import closed_port

pytestmark = pytest.mark.engine


@dataclass(frozen=True, slots=True)
class Place:
    """A layout with an image, a registry, and a user without any file."""

    layout: Layout
    image: Image
    registry: Registry
    home: Path

    @property
    def source(self) -> str:
        return f"oci:{self.layout.root}:1"

    @property
    def environ(self) -> dict[str, str]:
        return {
            **dict.fromkeys((name for name in os.environ if name.startswith("BUILDER_")), ""),
            "HOME": str(self.home),
            "BUILDER_STORE": str(self.home / "store"),
        }

    def name(self, rest: str = "team/app:1") -> str:
        return f"{self.registry.host}/{rest}"

    def push(self, *arguments: str, **environ: str) -> str:
        done = builder("push", *arguments, env={**self.environ, **environ}, cwd=self.home)
        return done.stdout

    def refused(self, *arguments: str, code: int, **environ: str) -> str:
        """What it says on stderr when it does not push, with host and port taken out."""
        variables = {**self.environ, **environ}
        done = builder("push", *arguments, env=variables, code=code, cwd=self.home)
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stderr
        return done.stderr.replace(self.registry.host, "HOST")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("open")) as registry:
        yield registry


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("guarded")
    with Registry(folder, users={USERNAME: PASSWORD}) as registry:
        yield registry


@pytest.fixture
def place(tmp_path: Path, opened: Registry) -> Place:
    made = Layout(tmp_path / "made")
    texts = (b"base", os.urandom(2000))
    image = make_image([make_layer(made, [FileEntry.of("file", text)]) for text in texts])
    destination = LayoutDestination(label="test", directory=tmp_path / "layout", tag="1")
    destination.put(image, [Reference.parse("app:1")])
    home = tmp_path / "home"
    home.mkdir()
    return Place(Layout(tmp_path / "layout"), image, opened, home)


def test_every_name_gets_a_line(place: Place) -> None:
    names = [place.name("team/app:1"), place.name("team/app:2"), place.name("other/app")]
    out = place.push(place.source, *names)
    assert out.splitlines() == [f"{name}@{place.image.digest}" for name in names]


def test_files_for_scripts(place: Place, tmp_path: Path) -> None:
    files = {flag: tmp_path / flag for flag in ("metadata-file", "digest-file", "image-refs")}
    flags = [f"--{flag}={path}" for flag, path in files.items()]
    names = [place.name("files:1"), place.name("files:2")]
    out = place.push(place.source, *names, "--json", *flags)
    told = json.loads(out)
    assert json.loads(files["metadata-file"].read_text()) == told
    assert files["digest-file"].read_text() == f"{place.image.digest}\n"
    refs = [f"{name}@{place.image.digest}" for name in names]
    assert files["image-refs"].read_text().splitlines() == refs == told["references"]
    [repository] = told["repositories"]
    assert (repository["registry"], repository["repository"]) == (place.registry.host, "files")
    assert repository["tags"] == repository["changed_tags"] == ["1", "2"]
    assert repository["bytes"] == sum(blob["size"] for blob in repository["layers"]["sent"])
    assert told["size"] == place.image.size
    assert told["platforms"] == [str(place.image.config.value.platform)]
    assert repository["seconds"] > 0


def test_a_dry_run_says_what_would_be_sent(place: Place) -> None:
    told = json.loads(place.push(place.source, place.name("dry:1"), "--dry-run"))
    [repository] = told["repositories"]
    assert len(repository["layers"]["sent"]) == 3
    again = json.loads(place.push(place.source, place.name("dry:1"), "--dry-run"))
    assert again["repositories"][0]["layers"] == repository["layers"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("app:1", "cannot push to app:1: it names no registry"),
        ("HOST/App:1", "a repository is written in lower case"),
        ("HOST/app:a b", "the tag 'a b' is not"),
        ("HOST/app:1@sha256:12", "not a digest"),
        (f"HOST/app:1@sha256:{'0' * 64}", "cannot push to HOST/app:1@sha256:"),
        ("http://HOST/app:1", "not an image reference"),
    ],
)
def test_a_name_that_is_none(place: Place, name: str, words: str) -> None:
    said = place.refused(place.source, name.replace("HOST", place.registry.host), code=2)
    assert f"error: {words}" in said or words in said
    assert "\nhint: " in said


def test_nobody_listens(place: Place) -> None:
    host = closed_port()
    said = place.refused(place.source, f"{host}/app:1", code=3)
    assert f"error: cannot reach {host}: connection refused" in said


def test_nobody_was_named(place: Place, guarded: Registry) -> None:
    said = place.refused(place.source, f"{guarded.host}/app:1", code=3)
    assert "401 Unauthorized" in said
    assert f"python -m builder login {guarded.host}" in said


def test_a_wrong_password(place: Place, guarded: Registry) -> None:
    login = {"BUILDER_REGISTRY_USERNAME": USERNAME, "BUILDER_REGISTRY_PASSWORD": "hunter2"}
    said = place.refused(place.source, f"{guarded.host}/app:1", code=3, **login)
    assert "401 Unauthorized" in said
    assert "hunter2" not in said


def test_a_name_without_a_password(place: Place) -> None:
    said = place.refused(place.source, place.name(), code=2, BUILDER_REGISTRY_USERNAME="ci")
    assert "error: no password was given" in said


def test_one_password_is_not_for_two_registries(place: Place, guarded: Registry) -> None:
    login = {"BUILDER_REGISTRY_USERNAME": USERNAME, "BUILDER_REGISTRY_PASSWORD": PASSWORD}
    names = (place.name(), f"{guarded.host}/app:1")
    said = place.refused(place.source, *names, code=2, **login)
    assert "error: one user name and password, and several registries: " in said


def test_the_environment_s_password_is_shown_to_no_other_registry(
    place: Place, guarded: Registry
) -> None:
    login = {"BUILDER_REGISTRY_USERNAME": USERNAME, "BUILDER_REGISTRY_PASSWORD": PASSWORD}
    source = f"docker://{guarded.host}/team/app:1"
    place.push(place.source, f"{guarded.host}/team/app:1", **login)
    said = place.refused(source, place.name("copied:1"), code=3, **login)
    assert "401 Unauthorized" in said


def test_from_registry_to_registry(place: Place) -> None:
    place.push(place.source, place.name("from:1"))
    out = place.push(f"docker://{place.name('from:1')}", place.name("to:1"), "--json")
    [repository] = json.loads(out)["repositories"]
    assert len(repository["layers"]["mounted"]) == 3


def test_a_missing_layer_is_told_of_before_anything_is_sent(place: Place) -> None:
    lost = blob_path(place.layout, place.image.manifest.value.layers[1])
    lost.unlink()
    before = len(place.registry.requests())
    said = place.refused(place.source, place.name("lost:1"), code=1)
    assert str(place.image.layers[1].digest) in said
    assert len(place.registry.requests()) == before


def test_a_damaged_layer_is_not_sent_under_its_name(place: Place) -> None:
    damaged = blob_path(place.layout, place.image.manifest.value.layers[1])
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    said = place.refused(place.source, place.name("damaged:1"), code=1)
    assert re.search(rf"blob {place.image.layers[1].digest}: wanted .* got", said)
    assert not list((place.registry.storage / "data").glob("**/damaged/_manifests/tags/*"))


def test_flags_for_building_are_no_flags_for_an_image(place: Place) -> None:
    said = place.refused(place.source, place.name(), "--base", "python:3.12", code=2)
    assert said.startswith(f"error: --base is for building, and {place.source} is an image already")


def test_an_argument_may_stand_after_an_option(place: Place) -> None:
    out = place.push(place.source, "--json", place.name("mixed:1"))
    assert json.loads(out)["references"] == [f"{place.name('mixed:1')}@{place.image.digest}"]


@pytest.mark.parametrize("password", [b"", b"not \xff text"])
def test_a_password_that_is_none(place: Place, password: bytes) -> None:
    variables = {"BUILDER_REGISTRY_PASSWORD": os.fsdecode(password)}
    words = ("--username", "ci")
    said = place.refused(place.source, place.name(), *words, code=2, **variables)
    assert "password" in said
    assert "not \\xff" not in said


def test_files_that_are_none_are_told_of_before_anything_is_sent(
    place: Place, tmp_path: Path
) -> None:
    before = len(place.registry.requests())
    for wrong in (str(tmp_path), "/dev/null", ""):
        said = place.refused(place.source, place.name("f:1"), "--digest-file", wrong, code=2)
        assert said.startswith("error: cannot write the result to ")
    twice = (f"--digest-file={tmp_path}/a", f"--metadata-file={tmp_path}/a")
    assert "two results for one file" in place.refused(place.source, place.name(), *twice, code=2)
    assert len(place.registry.requests()) == before


def test_what_was_pushed_is_said_even_when_a_file_cannot_be_written(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    flags = ("--metadata-file", str(tmp_path / "file/below"), "--digest-file", str(tmp_path / "d"))
    name = place.name("kept:1")
    words = ("push", place.source, name, *flags)
    done = builder(*words, env=place.environ, cwd=place.home, code=1)
    assert done.stdout == f"{name}@{place.image.digest}\n"
    assert (tmp_path / "d").read_text() == f"{place.image.digest}\n"


def test_without_stdin_there_is_no_password(place: Place) -> None:
    command = f"{sys.executable} -m builder push {place.source} {place.name()}"
    done = subprocess.run(
        ["bash", "-c", f"{command} --username ci --password-stdin <&-"],
        env={**os.environ, **place.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: no password was given\n")


def test_a_blocked_registry(place: Place, tmp_path: Path) -> None:
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{place.registry.host}"\nblocked = true\n')
    said = place.refused(place.source, place.name(), "--registries-conf", str(conf), code=2)
    assert "blocked" in said
