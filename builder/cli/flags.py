"""Flags that choose settings, as settings are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

BASE_FLAGS = ("base", "base-mirror", "apt-mirror", "pull", "platform")
"""What chooses base and system packages."""
REGISTRY_FLAGS = ("insecure-registries", "registry-certs", "registries-conf")
"""How registries are spoken with."""


def chosen(options: argparse.Namespace, flags: Iterable[str]) -> dict[str, Any]:
    """What was given for each of the flags; None, or nothing in a list, where it was not."""
    return {flag: value_of(options, flag) for flag in flags}


def value_of(options: argparse.Namespace, flag: str) -> Any:
    """What was given for a flag."""
    return getattr(options, flag.replace("-", "_"))
