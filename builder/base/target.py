"""What a base can run."""

from builder.base.base import Base
from builder.errors import BaseError
from builder.target import Target

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_target(base: Base) -> Target:
    """Platform, Python and C library of a base.

    Raises:
        BaseError: it has no Python, or no C library that is known.
    """
    config = base.image.config.value
    python = base.files.python(config.env.get("PATH", _DEFAULT_PATH))
    hint = 'choose one that has, such as "python:3.12-slim-bookworm"'
    if python is None:
        raise BaseError(f"the base {base.name} has no Python on its PATH", hint=hint)
    if base.files.libc is None:
        raise BaseError(f"the base {base.name} has neither glibc nor musl", hint=hint)
    return Target(platform=config.platform, python=python, libc=base.files.libc)
