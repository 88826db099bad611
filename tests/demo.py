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
    code = _build()
    if code != _EXTERNAL:
        return code
    sys.stderr.write(
        "\nThe base image's registry cannot be reached from this machine. Composing a stand-in\n"
        "from Debian packages and the Python that uv finds; the first time takes a while.\n\n"
    )
    return _build("--base", f"oci:{standin_layout()}:{TAG}")


def _build(*more: str) -> int:
    command = ["-m", "builder", "build", "backend", "--tag", "second-brain:demo", "--test", *more]
    sys.stderr.write(f"$ .venv/bin/python {' '.join(command)}\n")
    environ = {**os.environ, **engine_environ()}
    return subprocess.run(
        [sys.executable, *command], cwd=REPOSITORY, env=environ, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
