import hashlib
import importlib.util
import marshal
import os
import random
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CodeType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import layers.bytecode
from layers.bytecode import compile_file, from_line, to_line

SITE_PACKAGES = Path(pytest.__file__).parent.parent
STDLIB = Path(sysconfig.get_path("stdlib"))
type Job = tuple[Path, str, Path]
"""Source, in-image path and result."""

# The known offenders of compileall, where they are installed, before all others.
OFFENDERS = ("pycparser/c_parser.py", "pycparser/yacctab.py", "pycparser/lextab.py")


def compile_elsewhere(
    *batches: Sequence[Job], environ: Mapping[str, str] | None = None
) -> list[str]:
    """Run the module as the builder does; return what was passed over."""
    done = run_script(*batches, environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    return [from_line(line)[0] for line in done.stdout.splitlines()]


def run_script(
    *batches: Sequence[Job], environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    lines = [to_line([str(text) for job in batch for text in job]) + "\n" for batch in batches]
    return subprocess.run(
        [sys.executable, "-I", "-S", "-W", "ignore", "-X", "utf8", layers.bytecode.__file__],
        input="".join(lines),
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, **(environ or {})},
    )


def code_objects(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from code_objects(constant)


def compiled(source: Path, image_path: str = "/app/m.py") -> bytes:
    result = source.with_suffix(".pyc")
    assert compile_elsewhere([(source, image_path, result)]) == []
    return result.read_bytes()


def some_sources() -> list[Path]:
    """A few hundred real modules: the odd ones, some large ones and many small ones."""
    odd = [SITE_PACKAGES / path for path in OFFENDERS if (SITE_PACKAGES / path).exists()]
    large = [STDLIB / "_pydecimal.py", STDLIB / "typing.py", STDLIB / "inspect.py"]
    others = sorted(STDLIB.glob("*.py"))
    for package in ("asyncio", "encodings", "email", "importlib", "json", "xml", "unittest"):
        others += sorted((STDLIB / package).rglob("*.py"))
    for package in ("_pytest", "pygments", "hypothesis", "packaging", "rich"):
        others += sorted((SITE_PACKAGES / package).glob("*.py"))
    small = [path for path in others if path.stat().st_size < 20_000]
    return [*odd, *large, *small[:320]]


def compile_all(
    sources: Sequence[Path], results: Path, *, workers: int, seed: int, environ: dict[str, str]
) -> str:
    """One digest of everything compiled, a directory at a time, in any order of those."""
    batches: dict[Path, list[Job]] = {}
    for number, path in enumerate(sources):
        job = (path, f"/usr{path}", results / f"{number}.pyc")
        batches.setdefault(path.parent, []).append(job)
    shuffled = random.Random(seed).sample(list(batches.values()), len(batches))  # noqa: S311
    with ThreadPoolExecutor(workers) as pool:
        shares = [shuffled[start::workers] for start in range(workers)]
        list(pool.map(lambda share: compile_elsewhere(*share, environ=environ), shares))
    total = hashlib.sha256()
    for number in range(len(sources)):
        result = results / f"{number}.pyc"
        total.update(result.read_bytes() if result.exists() else b"-")
    shutil.rmtree(results)
    return total.hexdigest()


def test_order_workers_and_environ_do_not_matter(tmp_path: Path) -> None:
    sources = some_sources()
    assert len(sources) > 300
    ways = [
        (1, 1, {"PYTHONHASHSEED": "0", "TZ": "UTC", "LANG": "C.UTF-8"}),
        (2, 2, {"PYTHONHASHSEED": "1", "TZ": "Pacific/Auckland", "LC_ALL": "C"}),
        (5, 3, {"PYTHONHASHSEED": "random", "PYTHONOPTIMIZE": "2", "HOME": "/nonexistent"}),
    ]
    found = {
        compile_all(sources, tmp_path / str(seed), workers=workers, seed=seed, environ=environ)
        for workers, seed, environ in ways
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    "source",
    [
        "a = {'x', 'y'} == b\nc = d in {'x', 'y'}\ne = f in ('x', 'y')\n",
        "a = (1, 'p q', (2.5, 'p q'))\nb = (1, 'p q', (2.5, 'p q'))\n",
        "def f(a='some text here'):\n    return 'some text here', b'bytes', 2**70, ...\n",
        "x: 'int' = 1\nclass C:\n    '''doc'''\n    def m(self): return [i for i in 'abc']\n",
    ],
)
def test_what_was_compiled_before_does_not_matter(source: str, tmp_path: Path) -> None:
    path, alone, after = tmp_path / "m.py", tmp_path / "alone.pyc", tmp_path / "after.pyc"
    path.write_text(source)
    other = tmp_path / "other.py"
    other.write_text(f"# coding: latin-1\nimport re, decimal\n{source}\nxy = 'x', 'y', 'p q'\n")
    others = [(STDLIB / "argparse.py", "/a.py", tmp_path / "a"), (other, "/o.py", tmp_path / "o")]
    assert compile_elsewhere([(path, "/app/m.py", alone)]) == []
    assert compile_elsewhere(others, [], [(path, "/app/m.py", after)]) == []
    assert alone.read_bytes() == after.read_bytes()


@pytest.mark.parametrize("frozen", ["on", "off"])
def test_what_the_interpreter_has_loaded_does_not_matter(frozen: str, tmp_path: Path) -> None:
    source, alone, after = tmp_path / "m.py", tmp_path / "alone.pyc", tmp_path / "after.pyc"
    source.write_text(
        "from os import path\ndef getaddrinfo(Decimal, *, headers='*'):\n"
        "    return [Decimal.quantize, 'not a name', '/', {'status', 'reason'}, headers]\n"
    )
    assert compile_elsewhere([(source, "/app/m.py", alone)]) == []
    loading = (
        "import sys, runpy, decimal, http.client, socket, argparse, unittest.mock\n"
        "held = [sys.intern(text) for text in ('not a name', '*', 'reason')]\n"
        "runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    subprocess.run(
        [
            *(sys.executable, "-I", f"-Xfrozen_modules={frozen}", "-Wignore", "-Xutf8"),
            *("-c", loading, layers.bytecode.__file__),
        ],
        input=to_line([str(source), "/app/m.py", str(after)]) + "\n",
        text=True,
        check=True,
    )
    assert alone.read_bytes() == after.read_bytes()


def test_a_header_says_unchecked_hash(tmp_path: Path) -> None:
    source = tmp_path / "m.py"
    source.write_bytes(b"x = 1\n")
    data = compiled(source)
    assert data[:4] == importlib.util.MAGIC_NUMBER
    assert data[4:8] == b"\x01\0\0\0"
    assert data[8:16] == importlib.util.source_hash(b"x = 1\n")


def test_every_code_object_names_the_path_in_the_image(tmp_path: Path) -> None:
    source = tmp_path / "m.py"
    source.write_text(
        "class A:\n    async def f(self):\n        return [x async for x in self]\n"
        "def g[T](x: T = lambda: 0): return (y for y in x)\n"
    )
    data = compiled(source, "/app/.venv/lib/m.py")
    names = [code.co_filename for code in code_objects(marshal.loads(data[16:]))]  # noqa: S302
    assert len(names) > 6
    assert set(names) == {"/app/.venv/lib/m.py"}
    assert str(tmp_path).encode() not in data


@pytest.mark.parametrize("name", ["caf\xe9.py", "caf\udce9.py", "new\nline.py", "a b'\".py"])
def test_any_name_will_do(name: str, tmp_path: Path) -> None:
    source = tmp_path / name
    source.write_text("x = 1\n")
    result = tmp_path / "deep" / "er" / f"{name}c"
    assert compile_elsewhere([(source, f"/app/{name}", result)]) == []
    code = marshal.loads(result.read_bytes()[16:])  # noqa: S302
    assert code.co_filename == f"/app/{name}"


NOT_PYTHON = {
    "template": b"class {{ name }}:\n    pass\n",
    "python 2": b"print 'hello'\n",
    "not UTF-8": b"x = '\xff'\n",
    "unknown coding": b"# coding: klingon\n",
    "NUL": b"x = 1\0\n",
    "too deep": b"x = " + b"(" * 300 + b")" * 300 + b"\n",
    "deeper than the parser": b"x = " + b"not " * 100_000 + b"1\n",
    "too long a chain": b"if a: pass\n" + b"elif a: pass\n" * 20_000,
    "too large a number": b"x = " + b"9" * 5000 + b"\n",
    "too deep a tree": b"x = " + b"+".join([b"y"] * 100_000) + b"\n",
    "bad indentation": b" x = 1\n",
    "return outside": b"return 1\n",
}


def test_what_is_not_python_is_passed_over_and_named(tmp_path: Path) -> None:
    jobs = []
    for name, data in {**NOT_PYTHON, "good": b"x = 1\n"}.items():
        source = tmp_path / f"{name}.py"
        source.write_bytes(data)
        jobs.append((source, f"/app/{name}.py", tmp_path / f"{name}.pyc"))
    assert compile_elsewhere(jobs) == [f"/app/{name}.py" for name in NOT_PYTHON]
    assert [path.name for path in tmp_path.glob("*.pyc")] == ["good.pyc"]


def test_warnings_about_code_that_is_not_ours_are_not_shown(tmp_path: Path) -> None:
    source = tmp_path / "m.py"
    source.write_text("x = '\\d' is 'y'\nassert (x, 'always true')\n")
    assert compile_elsewhere([(source, "/app/m.py", tmp_path / "m.pyc")]) == []


def test_coding_and_byte_order_marks_are_honoured(tmp_path: Path) -> None:
    for data in (b"# coding: latin-1\nx = '\xe9'\n", b"\xef\xbb\xbfx = '\xc3\xa9'\n"):
        source = tmp_path / "m.py"
        source.write_bytes(data)
        space: dict[str, object] = {}
        exec(marshal.loads(compiled(source)[16:]), space)  # noqa: S102, S302
        assert space["x"] == "\xe9"


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    missing = tmp_path / "missing.py"
    with pytest.raises(FileNotFoundError):
        compile_file(str(missing), "/m.py", str(tmp_path / "m.pyc"))
    done = run_script([(missing, "/m.py", tmp_path / "m.pyc")])
    assert done.returncode == 1
    assert f"FileNotFoundError: [Errno 2] No such file or directory: '{missing}'" in done.stderr
    assert done.stderr.endswith(f"the batch of {missing} ended with 1\n")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A module with its bytecode beside it, as it lies in an image."""
    source = tmp_path / "app" / "greeting.py"
    source.parent.mkdir()
    source.write_text("word = 'compiled'\n")
    result = Path(importlib.util.cache_from_source(source))
    assert compile_elsewhere([(source, "/app/greeting.py", result)]) == []
    os.utime(source, (315_532_801, 315_532_801))
    return source.parent


def run(package: Path, code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-B",
            *flags,
            "-c",
            f"import sys; sys.path.insert(0, {str(package)!r})\n{code}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_interpreter_takes_it_whatever_the_source_is_now(package: Path) -> None:
    (package / "greeting.py").write_text("word = 'from the source'\n")
    assert run(package, "import greeting; print(greeting.word)").stdout == "compiled\n"


def test_an_interpreter_says_that_it_takes_it(package: Path) -> None:
    told = run(package, "import greeting", "-v").stderr
    cached = package / "__pycache__" / f"greeting.{sys.implementation.cache_tag}.pyc"
    assert f"# code object from '{cached}'" in told or f"# code object from {cached}" in told
    assert f"# code object from {package / 'greeting.py'}" not in told


@given(st.lists(st.text(st.characters(), min_size=1)))
def test_a_line_is_of_ascii_and_gives_back_its_texts(texts: list[str]) -> None:
    line = to_line(texts)
    assert line.isascii()
    assert line.splitlines() == ([line] if line else [])
    assert from_line(f"{line}\n") == texts
