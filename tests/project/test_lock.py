import sys
from pathlib import Path
from tomllib import loads

import pytest

from builder.errors import LockError
from builder.process import run
from builder.project.lock import Lock, read_lock
from builder.project.pyproject import read_pyproject
from builder.project.uv import uv_binary
from builder.store.layout import Store
from layers.digest import Digest
from tests.project.projects import UV_BUILD, lock, write_project, write_tree
from tests.wheels import write_wheel

WORKSPACE = '[tool.uv.workspace]\nmembers = ["packages/*"]\nexclude = ["packages/apart"]\n'


def lock_of(project: Path) -> Lock:
    return read_lock(read_pyproject(project))


def refused(project: Path) -> LockError:
    with pytest.raises(LockError) as caught:
        lock_of(project)
    return caught.value


def test_without_a_lock_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    project = write_project(tmp_path / "demo")
    error = refused(project)
    assert error.message == f"no uv.lock in {project}"
    assert error.hint == f"an image is built from a lock; make one: uv lock --project {project}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("<<<<<<< HEAD\n", "line 1, column"),
        (b"name = '\xff'\n", "'utf-8' codec can't decode byte 0xff in position 8: "),
        ("[[package]]\nversion = '1'\n", "'name'"),
        ("[[package]]\nname = 'a'\n", "'source'"),
        ("[[package]]\nname = 'a'\nsource = 1\n", "'int' object has no attribute 'get'"),
        ("package = 'a'\n", "string indices must be integers"),
        ("package = 1\n", "'int' object is not iterable"),
    ],
)
def test_garbage_is_no_lock(content: str | bytes, why: str, tmp_path: Path) -> None:
    project = write_project(tmp_path, {"uv.lock": content})
    error = refused(project)
    assert error.message.startswith(f"{project}/uv.lock is not a lock that uv wrote: ")
    assert why in error.message
    assert error.hint == f"make it anew: rm {project}/uv.lock && uv lock --project {project}"


def test_a_lock_that_cannot_be_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_project(tmp_path)
    # Root may read everything, so the system's refusal is the one thing played here.
    (project / "uv.lock").write_text("")
    pyproject = read_pyproject(project)

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(LockError, match=f"^cannot read {project}/uv.lock: Permission denied$"):
        read_lock(pyproject)


def workspace(root: Path) -> Path:
    write_tree(root, {"pyproject.toml": WORKSPACE})
    write_project(root / "packages/api", name="api")
    write_project(root / "packages/core", name="core")
    write_project(root / "packages/apart", name="apart")
    lock(root)
    return root


def test_a_workspace_member_has_the_lock_of_its_root(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    found = lock_of(root / "packages/api")
    assert found.path == root / "uv.lock"
    assert found.directory == root
    assert set(found.local_paths) == {root / "packages/api", root / "packages/core"}


def test_a_project_that_the_workspace_excludes_has_not(tmp_path: Path) -> None:
    project = workspace(tmp_path) / "packages/apart"
    assert refused(project).message == f"no uv.lock in {project}"
    lock(project)
    assert lock_of(project).path == project / "uv.lock"


def test_the_lock_of_a_parent_that_is_no_workspace_is_not_taken(tmp_path: Path) -> None:
    write_project(tmp_path, name="outer")
    lock(tmp_path)
    inner = write_project(tmp_path / "inner", name="inner")
    assert refused(inner).message == f"no uv.lock in {inner}"
    write_tree(tmp_path, {"pyproject.toml": "not TOML"})
    assert refused(inner).message == f"no uv.lock in {inner}"


def with_dependencies(root: Path) -> Path:
    """A project with one third-party package of a flat index, and an unrelated member."""
    write_wheel(root / "wheels", "third", "1.0")
    write_wheel(root / "wheels", "other", "1.0")
    project = write_project(
        root / "demo",
        project='dependencies = ["third"]',
        tables=f'{UV_BUILD}\n[dependency-groups]\nlab = ["other"]\n[tool.uv]\nno-index = true\n'
        'find-links = ["../wheels"]\n[tool.uv.workspace]\nmembers = ["member"]\n',
    )
    write_project(project / "member", name="member")
    lock(project)
    return project


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("part", ["", "member"])
def test_a_release_of_local_packages_keeps_the_third_party_identity(
    part: str, tmp_path: Path
) -> None:
    project = with_dependencies(tmp_path)
    before = lock_of(project).third_party
    edit(project / part / "pyproject.toml", 'version = "1.0"', 'version = "2.0"')
    lock(project)
    assert lock_of(project).third_party == before


def test_another_version_of_a_dependency_is_another_third_party_identity(tmp_path: Path) -> None:
    project = with_dependencies(tmp_path)
    before = lock_of(project).third_party
    write_wheel(tmp_path / "wheels", "third", "1.1")
    upgrade = [uv_binary(), "lock", "--upgrade", "--python", sys.executable]
    assert run(upgrade, cwd=project).code == 0
    assert lock_of(project).third_party != before


def test_a_dependency_that_moves_into_a_group_changes_what_is_installed(tmp_path: Path) -> None:
    project = with_dependencies(tmp_path)
    before = lock_of(project)
    edit(project / "pyproject.toml", '["third"]', "[]")
    edit(project / "pyproject.toml", '["other"]', '["other", "third"]')
    lock(project)
    after = lock_of(project)
    assert [p for p in after.packages if p["name"] == "third"] == [
        p for p in before.packages if p["name"] == "third"
    ]
    assert after.third_party != before.third_party


def test_local_paths_are_of_all_kinds_and_normal(tmp_path: Path) -> None:
    write_wheel(tmp_path / "wheels", "wheel")
    write_project(tmp_path / "editable", name="editable")
    write_project(tmp_path / "directory", name="directory")
    write_project(tmp_path / "virtual", name="virtual", tables="")
    project = write_project(
        tmp_path / "demo",
        project='dependencies = ["wheel", "editable", "directory", "virtual"]',
        tables=f"""
        {UV_BUILD}
        [tool.uv.sources]
        wheel = {{ path = "../wheels/wheel-1.0-py3-none-any.whl" }}
        editable = {{ path = "../editable", editable = true }}
        directory = {{ path = "../directory" }}
        virtual = {{ path = "../virtual", package = false }}
        """.replace("\n        ", "\n"),
    )
    lock(project)
    found = lock_of(project)
    kinds = {next(iter(package["source"])) for package in found.packages}
    assert kinds == {"editable", "directory", "path", "virtual"}
    wheel = tmp_path / "wheels/wheel-1.0-py3-none-any.whl"
    directories = {tmp_path / name for name in ("demo", "editable", "directory", "virtual")}
    assert set(found.local_paths) == {wheel} | directories
    assert found.wheel_directories == ()


def test_directories_of_wheels_are_known_when_they_lie_beside_the_lock(tmp_path: Path) -> None:
    project = with_dependencies(tmp_path)
    found = lock_of(project)
    assert found.wheel_directories == (tmp_path / "wheels",)
    assert found.without_wheels == frozenset()


def test_packages_without_wheels_are_those_that_are_built_here(tmp_path: Path) -> None:
    lines = """
    [[package]]
    name = "only-source"
    version = "1"
    source = { registry = "https://index.example.com/simple" }
    sdist = { url = "https://files/only-source.tar.gz" }
    [[package]]
    name = "from-git"
    version = "1"
    source = { git = "https://git/x?rev=1#2" }
    [[package]]
    name = "with-wheel"
    version = "1"
    source = { registry = "https://index.example.com/simple" }
    wheels = [{ url = "https://files/with_wheel-1-py3-none-any.whl" }]
    [[package]]
    name = "for-linux"
    version = "1"
    source = { registry = "https://index.example.com/simple" }
    wheels = [{ url = "https://files/for_linux-1-cp312-cp312-musllinux_1_2_x86_64.whl" }]
    [[package]]
    name = "for-windows"
    version = "1"
    source = { registry = "https://index.example.com/simple" }
    sdist = { url = "https://files/for-windows.tar.gz" }
    wheels = [{ url = "https://files/for_windows-1-cp312-cp312-win_amd64.whl" }]
    [[package]]
    name = "demo"
    version = "1"
    source = { editable = "." }
    """
    found = lock_of(write_project(tmp_path, {"uv.lock": lines}))
    assert found.without_wheels == {"only-source", "from-git", "for-windows"}
    assert found.wheels["for-windows"] == {"for_windows-1-cp312-cp312-win_amd64.whl"}
    assert "with-wheel" not in found.wheels
    assert found.wheel_directories == ()


def decisive(lock: Lock) -> tuple[object, ...]:
    """What layers depend on."""
    return lock.third_party, lock.local_paths, lock.wheel_directories, lock.without_wheels


def test_a_lock_that_was_read_before_is_not_parsed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyproject = read_pyproject(with_dependencies(tmp_path))
    store = Store(tmp_path / "store")
    plain = read_lock(pyproject)
    first = read_lock(pyproject, store)
    parsed: list[str] = []

    def parse(text: str) -> dict[str, object]:
        parsed.append(text)
        return loads(text)

    monkeypatch.setattr("tomllib.loads", parse)
    again = read_lock(pyproject, store)
    assert decisive(plain) == decisive(first) == decisive(again)
    assert parsed == []
    assert again.wheels == plain.wheels  # what a build needs, and then it is read
    assert len(parsed) == 1


def test_a_changed_lock_is_not_mistaken_for_the_one_before(tmp_path: Path) -> None:
    pyproject = read_pyproject(with_dependencies(tmp_path))
    store = Store(tmp_path / "store")
    before = decisive(read_lock(pyproject, store))
    edit(pyproject.directory / "uv.lock", "third-1.0", "third-1.1")
    assert decisive(read_lock(pyproject, store)) == decisive(read_lock(pyproject)) != before


@pytest.mark.parametrize(
    "fact", [{}, {"format": 0}, {"third_party": "x"}, {"local": 1}, {"without_wheels": None}]
)
def test_a_fact_about_a_lock_that_is_none_costs_reading_it(
    fact: dict[str, object], tmp_path: Path
) -> None:
    pyproject = read_pyproject(with_dependencies(tmp_path))
    store = Store(tmp_path / "store")
    found = decisive(read_lock(pyproject, store))
    key = str(Digest.of((pyproject.directory / "uv.lock").read_bytes()))
    kept = store.fact("lock", key) or {}
    assert kept
    store.remember("lock", key, kept | fact if fact else {})
    assert decisive(read_lock(pyproject, store)) == found
    assert store.fact("lock", key) == kept
