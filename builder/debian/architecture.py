"""Debian's names for architectures.

https://www.debian.org/doc/debian-policy/ch-customized-programs.html#architecture-specification-strings
"""

from builder.errors import PackageError
from builder.oci.platform import Platform

_NAMES = {
    ("386", None): "i386",
    ("amd64", None): "amd64",
    ("arm", "v5"): "armel",
    ("arm", "v6"): "armel",
    ("arm", None): "armhf",
    ("arm64", None): "arm64",
    ("ppc64le", None): "ppc64el",
    ("riscv64", None): "riscv64",
    ("s390x", None): "s390x",
}


def debian_architecture(platform: Platform) -> str:
    """What Debian calls a platform's architecture.

    Raises:
        PackageError: Debian has no packages for it.
    """
    architecture = platform.architecture
    name = _NAMES.get((architecture, platform.variant)) or _NAMES.get((architecture, None))
    if platform.os != "linux" or name is None:
        raise PackageError(f"Debian has no packages for {platform}")
    return name
