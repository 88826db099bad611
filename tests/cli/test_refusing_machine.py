"""What the machine refuses: no podman, a broken one, a full disk, no right to write."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import MINOR, Place, make_place, reference
from tests.command import builder
from tests.interpreter import world_python
from tests.machine import RootlessUser, run_as
from tests.project.projects import snapshot

SETTINGS = "settings T s  demo 1.0\n"
NO_PODMAN = "error: podman is not installed, or not on PATH\n"
NO_ROOM = "hint: free some space, or name another place in BUILDER_STORE\n"


@pytest.fixture
def no_podman(tmp_path: Path) -> str:
    """A PATH with git alone."""
    (tmp_path / "bin").mkdir()
    if git := shutil.which("git"):
        (tmp_path / "bin/git").symlink_to(git)
    return str(tmp_path / "bin")


def test_without_podman_an_image_is_built_and_not_loaded(place: Place, no_podman: str) -> None:
    done = builder("build", place.project, env={**place.environ, "PATH": no_podman})
    assert reference(done)
    assert "\npodman is not installed: the image will not be loaded\n" in done.stderr


@pytest.mark.parametrize("flags", [["--load"], ["--test"], ["--no-load", "--output", "podman"]])
def test_without_podman_nothing_begins_that_needs_it(
    place: Place, no_podman: str, flags: list[str]
) -> None:
    assert place.refused(*flags, code=3, PATH=no_podman) == (
        f"{SETTINGS}{NO_PODMAN}hint: install podman; without it an image can be built, and "
        "written to oci:DIR, oci-archive:FILE or docker-archive:FILE\n"
    )


def test_without_podman_nothing_is_tested(no_podman: str) -> None:
    done = builder("test", "x", env={"PATH": no_podman}, code=3)
    assert (done.stdout, done.stderr) == ("", f"{NO_PODMAN}hint: install podman\n")


@pytest.mark.engine
def test_a_broken_podman_speaks_for_itself(place: Place, tmp_path: Path) -> None:
    conf = tmp_path / "containers.conf"
    conf.write_text('[engine]\nruntime = "nonesuch"\n')
    words = 'Error: default OCI runtime "nonesuch" not found: invalid argument\n'
    hint = (
        "hint: podman's own configuration is at fault, before any image: "
        "see what `podman info` says\n"
    )
    said = place.refused("--load", code=3, CONTAINERS_CONF=str(conf))
    assert said.endswith(f":localhost/demo:latest: {words}{hint}")
    done = builder("test", "x", env={"CONTAINERS_CONF": str(conf)}, code=3)
    assert done.stdout == ""
    assert done.stderr == f"error: podman cannot give the image x: {words}{hint}"
    reference(place.build())


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """A filesystem in memory, of that size; only root can make one."""
    path.mkdir()
    mount: list[str | Path] = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path]
    if os.getuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no small filesystem can be mounted here")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def _leave(disk: Path, free: int) -> Path:
    """Fill a filesystem up to a few kilobytes."""
    status = os.statvfs(disk)
    size = status.f_bavail * status.f_frsize - (free << 10)
    filler = disk / "filler"
    filler.write_bytes(bytes(size))
    return filler


def _with_store(place: Place, store: Path) -> Place:
    return replace(place, store=store, environ={**place.environ, "BUILDER_STORE": str(store)})


def test_no_room_for_the_base(place: Place, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        tiny = _with_store(place, disk / "store")
        tiny.build("--dry-run")
        shutil.rmtree(disk / "store/facts")
        shutil.rmtree(disk / "store/blobs")
        filler = _leave(disk, 4)
        said = tiny.refused(code=1)
        assert said.startswith(f"{SETTINGS}error: cannot write ")
        assert said.endswith(f" in STORE: No space left on device\n{NO_ROOM}")
        filler.unlink()
        assert reference(tiny.build()) == reference(place.build())


@pytest.mark.parametrize("free", [0, 48])
def test_no_room_to_stage(place: Place, tmp_path: Path, free: int) -> None:
    expected = reference(place.build())
    with small_disk(tmp_path / "disk", "2m") as disk:
        tiny = _with_store(place, disk / "store")
        assert reference(tiny.build()) == expected
        place.append("A = 1\n", "src/demo/__init__.py")
        expected = reference(place.build())
        filler = _leave(disk, free)
        said = tiny.refused(code=1)
        assert "No space left on device" in said
        assert "STORE" in said
        assert said.splitlines()[-1].startswith("hint: free some space, or name another place ")
        assert "BUILDER_STORE" in said.splitlines()[-1]
        filler.unlink()
        assert reference(tiny.build()) == expected


@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive"])
def test_no_room_for_an_output(place: Place, tmp_path: Path, kind: str) -> None:
    with small_disk(tmp_path / "disk", "256k") as disk:
        filler = _leave(disk, 8)
        target = disk / "image"
        done = place.build("--output", f"{kind}:{target}", code=1)
        assert done.stdout == ""
        assert (
            place.plain(done.stderr)
            .replace(str(disk), "DISK")
            .endswith(
                "error: cannot write DISK/image: No space left on device\n"
                "hint: free some space, or name another place\n"
            )
        )
        assert place.leftovers() == []
        assert not [path for path in disk.rglob("*") if path.name.startswith(".")]
        filler.unlink()
        reference(place.build("--output", f"{kind}:{target}"))


def test_no_room_for_the_metadata(place: Place, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        filler = _leave(disk, 0)
        done = place.build("--metadata-file", disk / "build.json", code=1)
        assert done.stdout == ""
        assert done.stderr.endswith(
            f"error: cannot write {disk}/build.json: No space left on device\n"
            "hint: free some space, or name another place\n"
        )
        assert list(disk.iterdir()) == [filler]


def test_nobody_takes_the_result(place: Place) -> None:
    argv: list[str | Path] = [sys.executable, "-m", "builder", "build", place.project, "--no-load"]
    environ = os.environ | place.environ
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            argv, stdout=full, stderr=subprocess.PIPE, text=True, env=environ, check=False
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "error: cannot write the result to stdout: No space left on device"
    )
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            argv, stdout=pipe, stderr=subprocess.PIPE, text=True, env=environ, check=False
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: cannot write the result to stdout: Broken pipe"
    assert "Traceback" not in done.stderr


def test_nobody_listens_to_the_messages(place: Place) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "builder", "build", str(place.project), "--no-load"],
            stdout=subprocess.PIPE,
            stderr=pipe,
            text=True,
            env=os.environ | place.environ,
            check=False,
        )
    assert done.returncode == 0
    reference(done)


@pytest.fixture
def others(
    rootless_user: RootlessUser, base: str, locked_project: Path
) -> Iterator[tuple[Place, RootlessUser]]:
    """A place of an ordinary user's, whom modes stop; the base lies in it too."""
    folder = rootless_user.folder()
    shutil.copytree(base.removeprefix("oci:"), folder / "base")
    place = make_place(folder, f"oci:{folder}/base", locked_project)
    subprocess.run(["chown", "-R", str(rootless_user.uid), folder], check=True)
    yield place, rootless_user
    subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    shutil.rmtree(folder)


def _caches(place: Place) -> dict[str, str]:
    places = {"UV_CACHE_DIR": "uv", "PYTHONPYCACHEPREFIX": "bytecode"}
    return {"UV_OFFLINE": "1", **{name: str(place.out / at) for name, at in places.items()}}


def _build_as(
    user: RootlessUser, place: Place, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    argv: list[str | Path] = [
        world_python(),
        "-m",
        "builder",
        "build",
        place.project,
        "--no-load",
        *arguments,
    ]
    variables = {**place.environ, **_caches(place)}
    return run_as(user, argv, env={**variables, **environ}, check=False)


@pytest.mark.engine
def test_a_read_only_project(others: tuple[Place, RootlessUser]) -> None:
    place, user = others
    subprocess.run(["chmod", "-R", "a-w", place.project], check=True)
    before = snapshot(place.project)
    done = _build_as(user, place)
    assert done.returncode == 0, done.stderr
    assert reference(done)
    assert snapshot(place.project) == before
    assert place.leftovers() == []


@pytest.mark.engine
def test_places_that_may_not_be_written(others: tuple[Place, RootlessUser]) -> None:
    place, user = others
    closed = place.out / "closed"
    closed.mkdir(mode=0o755)  # ours, who are root or the user: for the latter, of its own
    closed.chmod(0o555)
    done = _build_as(user, place, BUILDER_STORE=f"{closed}/store")
    assert (done.returncode, done.stdout) == (1, "")
    assert place.plain(done.stderr) == (
        "error: cannot open a store in OUT/closed/store: Permission denied\n"
        "hint: name a directory you may write in BUILDER_STORE\n"
    )
    before = _build_as(user, place)
    place.store.chmod(0o555)
    assert _build_as(user, place).stdout == before.stdout  # nothing changed, nothing is written
    place.append("A = 1\n", "src/demo/__init__.py")
    done = _build_as(user, place)
    assert (done.returncode, done.stdout) == (1, "")
    assert place.plain(done.stderr).endswith(
        "error: cannot stage a build in STORE: Permission denied\n"
        "hint: name a directory you may write in BUILDER_STORE\n"
    )
    place.store.chmod(0o755)
    for kind in ("oci-archive", "oci"):
        done = _build_as(user, place, "--output", f"{kind}:{closed}/image")
        assert (done.returncode, done.stdout) == (1, "")
        assert place.plain(done.stderr).endswith(
            "error: cannot write OUT/closed/image: Permission denied\n"
            "hint: name a directory you may write\n"
        )
    done = _build_as(user, place, "--metadata-file", f"{closed}/build.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert place.plain(done.stderr).endswith(
        "error: cannot write OUT/closed/build.json: Permission denied\n"
        "hint: name a directory you may write\n"
    )
    assert list(closed.iterdir()) == []


def test_without_a_home_the_store_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    assert reference(place.build())


@pytest.mark.engine
@pytest.mark.skipif(os.getuid() != 0, reason="only root can be a user that is not")
def test_a_user_without_name_and_home(others: tuple[Place, RootlessUser]) -> None:
    place, user = others
    subprocess.run(["chmod", "-R", "a+rwX", place.out], check=True)
    nobody = RootlessUser(
        name="nobody-at-all",
        uid=54321,
        gid=54321,
        home=Path("/"),
        runtime=user.runtime,
        python=user.python,
    )
    environ = {name: value for name, value in user.environ().items() if name != "HOME"}
    environ |= {**place.environ, **_caches(place)}
    argv: list[str | Path] = [world_python(), "-m", "builder", "build", place.project, "--no-load"]

    def build(**changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            env=environ | changed,
            cwd="/",
            user=nobody.uid,
            group=nobody.gid,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )

    folder = place.project.parent
    folder.chmod(0o755)
    done = build(BUILDER_STORE="")
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        (
            "error: this user has no home directory to keep a store in\n"
            "hint: name a directory you may write in BUILDER_STORE\n"
        ),
    )
    done = build(BUILDER_STORE=str(place.out / "store"))
    assert done.returncode == 0, done.stderr
    assert reference(done)
    assert f"Python {MINOR}" in done.stderr
