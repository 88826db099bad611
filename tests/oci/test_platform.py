import os

import pytest

from builder.errors import SettingsError
from builder.oci.platform import Platform


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("windows/amd64", Platform("windows", "amd64")),
    ],
)
def test_a_platform_is_written_with_slashes(text: str, parsed: Platform) -> None:
    assert Platform.parse(text) == parsed
    assert str(parsed) == text


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "/amd64", "linux//v7", "linux/arm/v7/x", "linux/arm/"]
)
def test_another_shape_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Platform.parse(text)
    assert caught.value.message == f"not a platform: {text!r}; expected e.g. linux/amd64"


@pytest.mark.parametrize(
    ("offered", "wanted", "serves"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("linux/amd64", "windows/amd64", False),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v9", "linux/arm64/v8", False),
        ("linux/arm64", "linux/arm64/v9", False),
        ("linux/amd64", "linux/amd64/v1", True),
        ("linux/amd64", "linux/amd64/v3", False),
        ("linux/amd64/v3", "linux/amd64", True),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm", "linux/arm/v6", False),
        ("linux/arm/v6", "linux/arm", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/s390x", "linux/s390x", True),
    ],
)
def test_an_image_serves_who_wants_its_variant_or_any(
    offered: str, wanted: str, *, serves: bool
) -> None:
    assert Platform.parse(offered).matches(Platform.parse(wanted)) is serves


@pytest.mark.parametrize(
    ("machine", "architecture"),
    [("x86_64", "amd64"), ("aarch64", "arm64"), ("armv7l", "arm"), ("s390x", "s390x")],
)
def test_the_host_is_linux_on_this_machine(
    machine: str, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = os.uname_result(("Linux", "node", "6.1", "1", machine))
    monkeypatch.setattr(os, "uname", lambda: told)
    assert Platform.host() == Platform("linux", architecture)
