import struct

import pytest

from builder.checks.finding import Finding, Severity
from builder.checks.inspect import inspect
from builder.checks.leaks.junk import check_junk
from builder.checks.subject import Ground, Origin, Subject
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libraries import Libraries
from builder.settings import ChecksSettings
from layers.entries import BytesContent, Entry, FileEntry

SITE = "app/.venv/lib/python3.12/site-packages"
RELOCATABLE, SHARED, CORE = 1, 3, 4


def check(
    *entries: Entry, origin: Origin = Origin.PROJECT, most: int = 1000, **run: object
) -> list[Finding]:
    part = inspect(entries, origin=origin, layer="project")
    ground = Ground(files=FileIndex(), libraries=Libraries())
    subject = Subject(parts=(part,), ground=ground, target=None, run=run)
    return check_junk(subject, ChecksSettings(max_file_size=most))


def files(*paths: str) -> list[Entry]:
    return [FileEntry.of(path, b"x") for path in paths]


def elf(path: str, kind: int) -> FileEntry:
    """A file of 64 bit with a header and nothing else, as far as a loader would read it."""
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    return FileEntry.of(
        path, ident + struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, 0, 64, 0, 0, 64, 56, 0, 64, 0, 0)
    )


@pytest.mark.parametrize(
    ("path", "root", "kind", "pattern"),
    [
        ("app/src/.git/objects/ab/cd", "app/src/.git", "a Git repository", ".git"),
        ("app/.git", "app/.git", "a link to a Git repository", ".git"),
        ("app/.hg/store/a", "app/.hg", "a Mercurial repository", ".hg"),
        ("app/src/.svn/wc.db", "app/src/.svn", "a Subversion working copy", ".svn"),
        *(
            (f"app/src/{name}", f"app/src/{name}", "a copy that an editor made", pattern)
            for name, pattern in (
                *((".main.py.swp", "*.swp"), ("main.py.swo", "*.swo"), ("main.py~", "*~")),
                *(("#main.py#", "#main.py#"), (".#main.py", ".#main.py")),
            )
        ),
    ],
)
def test_what_is_never_meant_for_an_image_is_an_error(
    path: str, root: str, kind: str, pattern: str
) -> None:
    assert check(*files(path)) == [
        Finding(
            check="junk",
            severity=Severity.ERROR,
            message=f"is {kind}",
            fix=f"add **/{pattern} to .dockerignore",
            path=f"/{root}",
            layer="project",
        )
    ]


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("app/.mypy_cache/3.12/a.json", "app/.mypy_cache"),
        ("app/.pytest_cache/v/a", "app/.pytest_cache"),
        ("app/web/node_modules/a/node_modules/b/index.js", "app/web/node_modules"),
        ("app/env/pyvenv.cfg", "app/env"),
        *((f"app/src/{name}",) * 2 for name in (".DS_Store", "Thumbs.db", "a.py.orig", "a.rej")),
        *((f"app/src/{name}",) * 2 for name in ("db.sqlite3", "a.db", ".coverage", "a.prof")),
    ],
)
def test_what_somebody_may_want_is_a_warning(path: str, root: str) -> None:
    [finding] = check(*files(path))
    assert (finding.severity, finding.path) == (Severity.WARNING, f"/{root}")
    name = root.rpartition("/")[2]
    pattern = f"*.{name.rpartition('.')[2]}" if name.endswith((".orig", ".rej", ".prof")) else name
    assert finding.fix == f"add **/{pattern} to .dockerignore"


@pytest.mark.parametrize(
    "path",
    [
        *("app/.gitignore", "app/.gitattributes", "app/src/git/a.py", "app/core", "app/a.swift"),
        *("app/tox.ini", "app/src/core/a.py", "app/#hash", "app/origin", "app/a.database"),
        *("app/__pycache__/a.cpython-312.pyc", "app/.venv/lib/a.py", "app/.hgignore"),
        *("app/node_modules.py", "app/a.dbf", "app/~user", "app/.dockerignore", "pyvenv.cfg"),
    ],
)
def test_an_ordinary_file_is_no_junk(path: str) -> None:
    assert check(*files(path)) == []


def test_a_directory_of_junk_is_one_finding() -> None:
    paths = [f"app/src/.git/{name}" for name in ("HEAD", "config", "objects/ab/cd")]
    assert len(check(*files(*paths, "app/other/.git/HEAD"))) == 2


def test_files_of_a_kind_beside_each_other_are_one_finding() -> None:
    found = check(*files("app/a.py~", "app/b.py~", "app/c.py~", "app/.a.py.swp", "app/src/a.py~"))
    assert [(finding.path, finding.message) for finding in found] == [
        ("/app/a.py~", "is a copy that an editor made; 2 more beside it"),
        ("/app/.a.py.swp", "is a copy that an editor made"),
        ("/app/src/a.py~", "is a copy that an editor made"),
    ]


def test_the_environment_that_runs_is_no_junk() -> None:
    venv = files("app/.venv/pyvenv.cfg")
    assert check(*venv, Env=["PATH=/app/.venv/bin:/usr/bin"]) == []
    assert check(*venv, Entrypoint=["/app/.venv/bin/python", "-m", "demo"]) == []
    [finding] = check(*venv, Env=["PATH=/opt/venv/bin"], Cmd=None)
    assert finding.message == "is a virtual environment"


def test_a_core_dump_is_an_error_whatever_its_name() -> None:
    [finding] = check(elf("app/core.1234", CORE))
    assert (finding.check, finding.severity) == ("junk", Severity.ERROR)
    assert finding.message == (
        "is the memory of a program that crashed, with all secrets that it knew"
    )
    assert finding.fix == "add **/core.1234 to .dockerignore"


def test_an_object_file_is_a_warning() -> None:
    [finding] = check(elf("app/build/a.o", RELOCATABLE))
    assert (finding.check, finding.severity) == ("junk", Severity.WARNING)


@pytest.mark.parametrize(
    "ending", ["cpython-312-x86_64-linux-gnu.so", "abi3.so", "pypy310-pp73-linux.so"]
)
def test_extension_modules_among_the_sources_are_an_error(ending: str) -> None:
    [finding] = check(*(elf(f"app/src/demo/{name}.{ending}", SHARED) for name in "abc"))
    assert (finding.check, finding.severity) == ("host-build", Severity.ERROR)
    assert finding.path == f"/app/src/demo/a.{ending}"
    assert finding.message.endswith("machine compiled it; 2 more beside it")
    assert finding.fix == (
        f"add **/*.{ending} to .dockerignore, or accept host-build in [tool.builder.checks] "
        "if it is meant to be there"
    )


def test_other_libraries_are_where_they_may_be() -> None:
    module = "fast.cpython-312-x86_64-linux-gnu.so"
    assert check(elf(f"{SITE}/demo/{module}", SHARED)) == []
    assert check(elf("app/src/demo/libfast.so", SHARED)) == []
    assert check(*files(f"app/src/demo/{module}")) == []


def test_a_large_file_is_an_error() -> None:
    large = FileEntry(path="app/src/model.bin", content=BytesContent(b"x"), size=20_000_001)
    [finding] = check(large, most=20_000_000)
    assert (finding.check, finding.severity) == ("large-file", Severity.ERROR)
    assert finding.message == "is 20.0 MB, and a file of the project may be 20.0 MB"
    assert finding.fix == (
        "add **/model.bin to .dockerignore, fetch it at run time, "
        "or raise [tool.builder.checks] max-file-size"
    )
    assert check(large, most=20_000_001) == []


def test_what_is_installed_from_the_source_is_told_once() -> None:
    source, installed = "app/src/demo/a.py~", f"{SITE}/demo/a.py~"
    assert [each.path for each in check(*files(source, installed))] == [f"/{source}"]
    assert [each.path for each in check(*files(installed))] == [f"/{installed}"]
    other = f"{SITE}/demo/b.py~"
    assert [each.path for each in check(*files(source, other))] == [f"/{source}", f"/{other}"]


@pytest.mark.parametrize("origin", [Origin.DISTRIBUTION, Origin.SYSTEM])
def test_what_others_published_is_no_junk(origin: Origin) -> None:
    large = FileEntry(path="app/large", content=BytesContent(b"x"), size=1 << 30)
    module = elf("app/src/fast.abi3.so", SHARED)
    assert check(*files("app/.git/HEAD", "app/a~"), large, module, origin=origin) == []


def test_a_pointer_of_git_lfs_is_an_error() -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    [finding] = check(FileEntry.of("app/model.bin", pointer))
    assert (finding.check, finding.severity) == ("junk", Severity.ERROR)
    assert finding.fix.startswith("fetch it before the build with git lfs pull")
