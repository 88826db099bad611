import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.base.rehome import rehomed_program, rehomed_settings
from builder.errors import BaseError

_PREFIX = "/home/me/.pyenv/versions/3.12.1"


def _settings(name: str, text: str) -> object:
    new = rehomed_settings(name, text.encode(), [_PREFIX]).decode()
    if name.endswith(".json"):
        return json.loads(new)
    return ast.literal_eval(new.removeprefix("build_time_vars = "))


def test_a_string_in_a_program_names_the_new_place_and_nothing_moves() -> None:
    before = f"\1\2\0{_PREFIX}/lib\0after\0".encode()
    after = rehomed_program(before, [_PREFIX])
    assert len(after) == len(before)
    assert after.startswith(b"\1\2\0/usr/local/lib\0")
    assert after.endswith(b"\0after\0")
    assert b"/home/me" not in after


def test_the_end_of_a_string_stays_for_those_who_point_into_it() -> None:
    # A linker keeps "3.12.1" as the end of the prefix: it is what sys.version begins with.
    before = f"\0{_PREFIX}\0".encode()
    after = rehomed_program(before, [_PREFIX])
    assert after.index(b"3.12.1\0") == before.index(b"3.12.1\0")


def test_several_directories_in_one_string_are_all_told() -> None:
    before = f"\0{_PREFIX}/lib:/opt/ssl/lib:{_PREFIX}/x\0".encode()
    after = rehomed_program(before, [_PREFIX])
    assert after.startswith(b"\0/usr/local/lib:/opt/ssl/lib:/usr/local/x\0")


def test_a_prefix_too_short_for_the_new_place_is_hidden() -> None:
    after = rehomed_program(b"\0/home/me/lib\0", ["/home/me"])
    assert b"/home" not in after
    assert len(after) == len(b"\0/home/me/lib\0")


@pytest.mark.parametrize(
    "data",
    [
        f"\0{_PREFIX}0/lib\0".encode(),
        b"\0/home/me/.pyenv\0",
        f"\x80\x90{_PREFIX}\0".encode("latin-1"),
    ],
    ids=["another release", "a directory above", "no text"],
)
def test_other_bytes_stay(data: bytes) -> None:
    assert rehomed_program(data, [_PREFIX]) == data


@given(st.lists(st.sampled_from([b"\0", b"/p/q", b"/p/q/lib", b"abc", b"\x80", b"/"])))
def test_a_program_keeps_its_length(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert len(rehomed_program(data, ["/p/q"])) == len(data)


def test_sysconfig_names_the_new_place() -> None:
    text = (
        f"# made by a machine\nbuild_time_vars = {{'prefix': '{_PREFIX}', 'WITH_DOC': 1,\n"
        f" 'LDFLAGS': '-L{_PREFIX}/lib '\n            '-Wl,-rpath,{_PREFIX}/lib',\n"
        " 'COVERAGE_INFO': '/tmp/build.1/Python-3.12.1/coverage.info',\n"
        " 'RUNSHARED': 'LD_LIBRARY_PATH=/tmp/build.1/Python-3.12.1'}\n"
    )
    assert _settings("_sysconfigdata_x.py", text) == {
        "prefix": "/usr/local",
        "WITH_DOC": 1,
        "LDFLAGS": "-L/usr/local/lib -Wl,-rpath,/usr/local/lib",
        "COVERAGE_INFO": "/usr/src/python/coverage.info",
        "RUNSHARED": "LD_LIBRARY_PATH=/usr/src/python",
    }


def test_newer_versions_tell_it_in_json() -> None:
    text = json.dumps({"base_prefix": _PREFIX, "libpython": {"dynamic": f"{_PREFIX}/lib/l.so"}})
    assert _settings("build-details.json", text) == {
        "base_prefix": "/usr/local",
        "libpython": {"dynamic": "/usr/local/lib/l.so"},
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_sysconfigdata_x.py", "x = 1"),
        ("_sysconfigdata_x.py", "build_time_vars = open('f')"),
        ("_sysconfigdata_x.py", "if:"),
        ("build-details.json", "[]"),
        ("build-details.json", "{"),
    ],
)
def test_other_files_are_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(BaseError, match=name):
        rehomed_settings(name, text.encode(), [_PREFIX])
