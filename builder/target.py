"""What an image is built for: a platform, a Python and a C library."""

from dataclasses import dataclass

from builder.oci.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Libc:
    """The C library of a base: ``glibc`` or ``musl``, and its version."""

    name: str
    version: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.name} {self.version[0]}.{self.version[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """The Python of a base.

    Attributes:
        version: major and minor.
        path: absolute in-image path of the interpreter, with its minor version in the name.
    """

    version: tuple[int, int]
    path: str

    @property
    def minor(self) -> str:
        """``3.12``."""
        return f"{self.version[0]}.{self.version[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the image will run."""

    platform: Platform
    python: Python
    libc: Libc
