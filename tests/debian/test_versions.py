import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.debian.versions import OPERATORS, compare, satisfies, sort_key
from builder.errors import PackageError

_UPSTREAM = st.from_regex(r"[0-9]{1,2}[a-b0-1.+~]{0,4}(-[a0.+~]{1,2})?", fullmatch=True)
_REVISION = st.from_regex(r"(-[a-b0-1.+~]{1,3})?", fullmatch=True)
_EPOCH = st.sampled_from(["", "0:", "1:"])
_VERSION = st.tuples(_EPOCH, _UPSTREAM, _REVISION).map("".join)
_DPKG = {"<<": "lt", "<=": "le", "=": "eq", ">=": "ge", ">>": "gt"}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0~rc1", "1.0"),
        ("1.0", "1.0-1"),
        ("1.9", "1.10"),
        ("9", "1:1"),
        ("1.0-1", "1.0-1+deb12u1"),
        ("1.0-1~bpo12+1", "1.0-1"),
        ("1.0a", "1.0+"),
        ("2.36-9+deb12u9", "2.36-9+deb12u10"),
    ],
)
def test_one_is_older(older: str, newer: str) -> None:
    assert compare(older, newer) < 0 < compare(newer, older)


@pytest.mark.parametrize(("a", "b"), [("1.0", "1.0-0"), ("0:1", "1"), ("1.01", "1.1")])
def test_equal_though_written_differently(a: str, b: str) -> None:
    assert compare(a, b) == 0


def test_sorted_from_the_oldest_on() -> None:
    assert sorted(["1:0", "2", "10", "2~a"], key=sort_key) == ["2~a", "2", "10", "1:0"]


@pytest.mark.parametrize("version", ["", "a b", "1:", "1_0", "x:1"])
def test_what_is_no_version(version: str) -> None:
    with pytest.raises(PackageError, match="is not a version"):
        compare(version, "1")


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg on this machine")
@settings(max_examples=60, deadline=None)
@given(a=_VERSION, b=_VERSION, operator=st.sampled_from(sorted(OPERATORS)))
def test_as_dpkg_says(a: str, b: str, operator: str) -> None:
    command = ["dpkg", "--compare-versions", a, _DPKG[operator], b]
    answer = subprocess.run(command, check=False).returncode
    assert answer in {0, 1}
    assert satisfies(a, operator, b) == (answer == 0)
