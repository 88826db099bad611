import pytest

from builder.debian.architecture import debian_architecture
from builder.errors import PackageError
from builder.oci.platform import Platform


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("linux/amd64", "amd64"),
        ("linux/amd64/v3", "amd64"),
        ("linux/arm64/v8", "arm64"),
        ("linux/arm/v7", "armhf"),
        ("linux/arm/v6", "armel"),
        ("linux/386", "i386"),
        ("linux/ppc64le", "ppc64el"),
    ],
)
def test_debians_name(platform: str, name: str) -> None:
    assert debian_architecture(Platform.parse(platform)) == name


@pytest.mark.parametrize("platform", ["linux/mips", "windows/amd64"])
def test_what_debian_is_not_built_for(platform: str) -> None:
    with pytest.raises(PackageError, match=platform):
        debian_architecture(Platform.parse(platform))
