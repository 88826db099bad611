"""``make demo``: backend/ becomes an image that podman runs and that answers /health.

It runs the command that a user would type. Where the base's registry cannot be reached it says so
and composes the stand-in base that the tests use.
"""

import os
import subprocess
import sys

from tests.cache import REPOSITORY
from tests.machine import engine_environ
from tests.standin import TAG, standin_layout

_EXTERNAL = 3


def main() -> int:
    command = ["build", "backend", "--tag", "second-brain:demo", "--test"]
    if _registry_fails():
        sys.stderr.write(
            "\nThe base image's registry does not give it to this machine. Composing a stand-in\n"
            "from Debian packages and the Python that uv finds; the first time takes a while.\n\n"
        )
        command += ["--base", f"oci:{standin_layout()}:{TAG}"]
    return _builder(*command)


def _registry_fails() -> bool:
    """Whether the base cannot be had: a dry run asks nobody else, podman least of all."""
    probe = ("build", "backend", "--no-load", "--dry-run")
    return _builder(*probe, stdout=subprocess.DEVNULL) == _EXTERNAL


def _builder(*words: str, stdout: int | None = None) -> int:
    command = ["-m", "builder", *words]
    sys.stderr.write(f"$ .venv/bin/python {' '.join(command)}\n")
    environ = {**os.environ, **engine_environ()}
    return subprocess.run(
        [sys.executable, *command], cwd=REPOSITORY, env=environ, check=False, stdout=stdout
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
