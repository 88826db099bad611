"""Which machines an image runs on, in the words of Go, as the specification has them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

from builder.errors import SettingsError

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}
# https://github.com/containerd/platforms/blob/main/database.go
_VARIANTS = {"amd64": "v1", "arm": "v7", "arm64": "v8"}


@dataclass(frozen=True, slots=True)
class Platform:
    """Operating system, architecture and, for some architectures, a variant."""

    os: str
    architecture: str
    variant: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``os/architecture[/variant]``; kernels' names for machines are understood too.

        Raises:
            SettingsError: the text has another shape.
        """
        system, *parts = text.lower().split("/")
        if len(parts) not in {1, 2} or not all((system, *parts)):
            raise SettingsError(f"not a platform: {text!r}; expected e.g. linux/amd64")
        machine, *variant = parts
        return cls(system, _MACHINES.get(machine, machine), *variant)

    @classmethod
    def host(cls) -> Self:
        """Linux on the architecture of this machine."""
        machine = os.uname().machine
        return cls("linux", _MACHINES.get(machine, machine))

    @property
    def specific(self) -> Platform:
        """With the variant that is meant when there is none: arm64 and arm64/v8 are the same."""
        variant = self.variant or _VARIANTS.get(self.architecture)
        return Platform(self.os, self.architecture, variant)

    def __str__(self) -> str:
        parts = (self.os, self.architecture, self.variant)
        return "/".join(part for part in parts if part)

    def matches(self, wanted: Platform) -> bool:
        """Whether an image for this platform serves one who wants ``wanted``.

        Who names no variant takes any.
        """
        if (self.os, self.architecture) != (wanted.os, wanted.architecture):
            return False
        return wanted.variant is None or self.specific == wanted.specific
