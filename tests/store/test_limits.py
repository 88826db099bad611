import pytest

from builder.errors import SettingsError
from builder.store.limits import parse_age, parse_size, store_bound


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("7b", 7),
        ("5GB", 5_000_000_000),
        ("5 gb", 5_000_000_000),
        ("5G", 5_000_000_000),
        ("500MB", 500_000_000),
        ("1.5kB", 1500),
        ("2GiB", 2 << 30),
        ("2Gi", 2 << 30),
        ("0.5KiB", 512),
        (" 1TB ", 10**12),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text, "--max-size") == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "5 GB more", "5ib", "5PB", "1e9", "5", "1.5"])
def test_what_is_no_size_is_told(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_size(text, "--max-size")
    assert caught.value.message == f"--max-size is {text!r}; expected a size"
    assert caught.value.hint == "such as 5GB, 500MB or 2GiB"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("2 w", 1_209_600)],
)
def test_an_age_is_read(text: str, seconds: int) -> None:
    assert parse_age(text, "--older-than") == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7 days", "1.5h", "7D"])
def test_what_is_no_age_is_told(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_age(text, "--older-than")
    assert caught.value.message == f"--older-than is {text!r}; expected an age"


def test_the_bound_is_the_environments() -> None:
    assert store_bound({}) is None
    assert store_bound({"BUILDER_STORE_MAX_SIZE": ""}) is None
    assert store_bound({"BUILDER_STORE_MAX_SIZE": "5GB"}) == 5_000_000_000
    with pytest.raises(SettingsError, match="is 'much'; expected a size"):
        store_bound({"BUILDER_STORE_MAX_SIZE": "much"})
