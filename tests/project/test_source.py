import os
from pathlib import Path

import pytest

from builder.errors import ContentError, SettingsError
from builder.project.pyproject import read_pyproject
from builder.project.settings import read_settings
from builder.project.source import find_source
from layers.entries import DirEntry, Entry, FileEntry, Owner
from tests.nobody import as_nobody
from tests.project.projects import write_project, write_tree

APP = Owner(1001, 1001)


def entries_of(project: Path) -> dict[str, Entry]:
    pyproject = read_pyproject(project)
    settings = read_settings(pyproject, environ={}, flags={})
    found = find_source(pyproject, settings).entries(settings)
    paths = [entry.path for entry in found]
    assert len(paths) == len(set(paths))
    return {entry.path: entry for entry in found}


def files_of(project: Path) -> set[str]:
    return {path for path, entry in entries_of(project).items() if not isinstance(entry, DirEntry)}


def refused(project: Path) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        entries_of(project)
    return caught.value


def plain_project(directory: Path, builder: str, *files: str, packaged: bool = False) -> Path:
    """A project without ``src``."""
    system = "[build-system]\n" if packaged else ""
    text = f'[project]\nname = "demo"\n{system}[tool.builder]\n{builder}\n'
    return write_tree(directory, {"pyproject.toml": text} | dict.fromkeys(files, ""))


def test_src_is_taken_as_a_whole_and_belongs_to_the_application(tmp_path: Path) -> None:
    project = write_project(tmp_path, {"src/demo/data/a.txt": "a", "src/other.py": ""})
    found = entries_of(project)
    assert set(found) == {
        "app/src",
        "app/src/demo",
        "app/src/demo/__init__.py",
        "app/src/demo/data",
        "app/src/demo/data/a.txt",
        "app/src/other.py",
    }
    assert {entry.owner for entry in found.values() if isinstance(entry, FileEntry)} == {APP}


def test_without_src_the_app_s_own_package_is_taken(tmp_path: Path) -> None:
    project = plain_project(
        tmp_path, 'app = "demo.web.main:app"', "demo/web/main.py", "other/a.py", "demo.txt"
    )
    assert files_of(project) == {"app/demo/web/main.py"}


def test_without_src_a_module_comes_with_its_neighbours(tmp_path: Path) -> None:
    project = plain_project(tmp_path, 'app = "main:app"', "main.py", "other.py", "data/a.txt")
    assert files_of(project) == {
        "app/main.py",
        "app/other.py",
        "app/data/a.txt",
        "app/pyproject.toml",
    }


def test_a_project_of_which_nothing_would_be_taken_is_refused(tmp_path: Path) -> None:
    project = plain_project(tmp_path, 'cmd = ["python", "main.py"]', "main.py")
    error = refused(project)
    assert error.message == (
        f"{project}/pyproject.toml: nothing of the project would be in the image: it has no src, "
        "and neither a build system nor [tool.builder] app says what else there is"
    )
    assert error.hint == (
        'add [tool.builder] source = ["main.py"], or ["."] for all of it, or [] for none'
    )


@pytest.mark.parametrize(
    ("builder", "packaged"), [("source = []", False), ('cmd = ["demo"]', True)]
)
def test_nothing_is_taken_where_that_is_meant(
    builder: str,
    packaged: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    project = plain_project(tmp_path, builder, "main.py", packaged=packaged)
    assert entries_of(project) == {}


def test_parts_are_what_the_setting_says(tmp_path: Path) -> None:
    project = plain_project(
        tmp_path, 'source = ["manage.py", "site/templates"]', "manage.py", "site/templates/a.html"
    )
    assert set(entries_of(project)) == {
        "app/manage.py",
        "app/site/templates",
        "app/site/templates/a.html",
    }


def test_all_of_a_project_is_what_its_rules_let_in(tmp_path: Path) -> None:
    project = plain_project(tmp_path, 'source = ["."]', "main.py", "db/a.py", ".env", "tests/t.py")
    write_tree(project, {".dockerignore": "*\n!db\n!*.py\n"})
    assert files_of(project) == {"app/main.py", "app/db/a.py"}
    assert set(entries_of(project)) == {"app", "app/main.py", "app/db", "app/db/a.py"}


def test_dockerignore_and_the_built_in_excludes_hold(tmp_path: Path) -> None:
    project = write_project(
        tmp_path,
        {
            ".dockerignore": "**/*.sql\n!src/demo/schema.sql\n!src/demo/tests\n",
            "src/demo/.env": "SECRET=1",
            "src/demo/server.key": "",
            "src/demo/a.sql": "",
            "src/demo/schema.sql": "",
            "src/demo/__pycache__/__init__.cpython-312.pyc": "",
            "src/demo/tests/test_a.py": "",
            "src/lib/tests/test_b.py": "",
        },
    )
    assert files_of(project) == {
        "app/src/demo/__init__.py",
        "app/src/demo/schema.sql",
        "app/src/demo/tests/test_a.py",
    }


@pytest.mark.parametrize(
    ("source", "rules"), [("main.py", "*.py\n"), (".env", ""), ("tests", ""), ("src", "*\n")]
)
def test_a_part_that_the_rules_leave_out_is_refused(
    source: str, rules: str, tmp_path: Path
) -> None:
    project = plain_project(
        tmp_path, f'source = ["{source}"]', "main.py", ".env", "tests/a.py", "src/a.py"
    )
    write_tree(project, {".dockerignore": rules})
    error = refused(project)
    assert error.message == (
        f"{project}/pyproject.toml: tool.builder.source: got {source!r}; "
        ".dockerignore or the built-in excludes leave it out"
    )
    assert error.hint == f"if it shall be in the image, add !{source} to .dockerignore"


def test_a_part_may_be_named_by_rules_that_leave_out_all_else(tmp_path: Path) -> None:
    project = write_project(tmp_path, {".dockerignore": "*\n!src/demo\n", "src/other/a.py": ""})
    assert files_of(project) == {"app/src/demo/__init__.py"}


def test_a_part_that_is_not_there_is_refused(tmp_path: Path) -> None:
    project = plain_project(tmp_path, 'source = ["main.py", "lib"]', "main.py")
    assert refused(project).message == (
        f"{project}/pyproject.toml: tool.builder.source: got 'lib'; "
        "there is no such file or directory in the project"
    )


def including(directory: Path, table: str, **files: str) -> Path:
    project = plain_project(directory, f"source = []\ninclude = [{{ {table} }}]")
    return write_tree(project, {name.replace("__", "/"): text for name, text in files.items()})


def test_an_included_file_has_the_name_mode_and_owner_that_are_asked_for(tmp_path: Path) -> None:
    project = including(
        tmp_path,
        'source = "conf/gunicorn", destination = "/etc/app/server", mode = "0640", owner = "0:7"',
        conf__gunicorn="x",
    )
    (entry,) = entries_of(project).values()
    assert isinstance(entry, FileEntry)
    assert (entry.path, entry.mode, entry.owner) == ("etc/app/server", 0o640, Owner(0, 7))


@pytest.mark.parametrize(("destination", "path"), [("/etc/app/", "etc/app/conf"), ("/", "conf")])
def test_a_slash_at_the_end_means_into_that_directory(
    destination: str, path: str, tmp_path: Path
) -> None:
    project = including(tmp_path, f'source = "conf", destination = "{destination}"', conf="x")
    assert set(entries_of(project)) == {path}


@pytest.mark.parametrize("destination", ["/etc/app", "/etc/app/"])
def test_an_included_directory_brings_what_is_in_it(destination: str, tmp_path: Path) -> None:
    project = including(
        tmp_path,
        f'source = "conf", destination = "{destination}", mode = "0600"',
        conf__a="",
        conf__sub__b="",
    )
    found = entries_of(project)
    assert set(found) == {"etc/app", "etc/app/a", "etc/app/sub", "etc/app/sub/b"}
    modes = {entry.mode for entry in found.values() if isinstance(entry, FileEntry)}
    assert modes == {0o600}


def test_a_directory_may_be_laid_over_the_root(tmp_path: Path) -> None:
    project = including(tmp_path, 'source = "root", destination = "/"', root__etc__a="")
    assert set(entries_of(project)) == {"etc", "etc/a"}


def test_the_executable_bit_decides_where_no_mode_is_given(tmp_path: Path) -> None:
    project = including(tmp_path, 'source = "bin", destination = "/opt/bin"', bin__a="", bin__b="")
    (project / "bin/a").chmod(0o700)
    (project / "bin/b").chmod(0o600)
    found = entries_of(project)
    modes = {path: entry.mode for path, entry in found.items() if isinstance(entry, FileEntry)}
    assert modes == {"opt/bin/a": 0o755, "opt/bin/b": 0o644}


def test_the_rules_hold_in_an_included_directory(tmp_path: Path) -> None:
    project = including(
        tmp_path, 'source = "conf", destination = "/etc/app"', conf__a="", conf__b__sql=""
    )
    write_tree(project, {"conf/.env": "", ".dockerignore": "conf/b\n"})
    assert set(entries_of(project)) == {"etc/app", "etc/app/a"}


@pytest.mark.parametrize("source", [".env", "tests", "notes/a.md", "data"])
def test_an_included_file_that_the_rules_leave_out_is_refused(source: str, tmp_path: Path) -> None:
    project = including(tmp_path, f'source = "{source}", destination = "/x"')
    files = (".env", "tests/a.py", "notes/a.md", "data/a")
    write_tree(project, dict.fromkeys(files, ""))
    write_tree(project, {".dockerignore": "**/*.md\ndata\n"})
    error = refused(project)
    assert error.message == (
        f"{project}/pyproject.toml: tool.builder.include[0].source: got {source!r}; "
        ".dockerignore or the built-in excludes leave it out"
    )
    assert error.hint == f"if it shall be in the image, add !{source} to .dockerignore"
    write_tree(project, {".dockerignore": f"**/*.md\ndata\n!{source}\n"})
    assert files_of(project)


def test_an_included_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    project = including(tmp_path, 'source = "conf", destination = "/x"')
    assert refused(project).message == (
        f"{project}/pyproject.toml: tool.builder.include[0].source: got 'conf'; "
        "there is no such file or directory in the project"
    )


def test_a_dockerignore_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    project = write_project(tmp_path / "demo", {".dockerignore": ""})
    (project / ".dockerignore").chmod(0)
    with as_nobody(tmp_path), pytest.raises(ContentError) as caught:
        entries_of(project)
    assert caught.value.message == f"cannot read {project}/.dockerignore: Permission denied"


def test_a_link_out_of_the_image_is_refused(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    os.symlink("../../../../etc", project / "src/demo/link")  # noqa: PTH211 - as it is written
    with pytest.raises(ContentError, match=r"app/src/demo/link -> .* leaves the image root"):
        entries_of(project)


@pytest.mark.parametrize("key", ["source", "include"])
def test_a_path_through_a_link_out_of_the_project_is_refused(key: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {"outside/sub/hosts": ""})
    wanted = {
        "source": 'source = ["conf/sub/hosts"]',
        "include": 'source = []\ninclude = [{ source = "conf/sub/hosts", destination = "/x" }]',
    }
    project = plain_project(tmp_path / "demo", wanted[key])
    (project / "conf").symlink_to("../outside")
    error = refused(project)
    place = {"source": "source", "include": "include[0].source"}[key]
    assert error.message == (
        f"{project}/pyproject.toml: tool.builder.{place}: got 'conf/sub/hosts'; "
        "conf is a link that leads out of the project"
    )
    assert error.hint


def test_a_path_through_a_link_inside_the_project_is_taken(tmp_path: Path) -> None:
    project = plain_project(tmp_path, 'source = ["conf/a"]', "config/a")
    (project / "conf").symlink_to("config")
    assert files_of(project) == {"app/conf/a"}


def test_what_builds_write_stays_out(tmp_path: Path) -> None:
    files = ("main.py", "st[o]re/blobs/a", "out/app.tar", "out/b")
    project = plain_project(tmp_path, 'source = ["."]', *files)
    (tmp_path / "link").symlink_to(project)
    pyproject = read_pyproject(project)
    settings = read_settings(pyproject, environ={}, flags={})
    apart = [tmp_path / "link/st[o]re", project / "out/app.tar", tmp_path, project, Path("/var/x")]
    found = {entry.path for entry in find_source(pyproject, settings, apart).entries(settings)}
    assert {"app/main.py", "app/out/b"} <= found
    assert not any("st[o]re" in path or "app.tar" in path for path in found)
