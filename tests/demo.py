"""``make demo``: backend/ becomes an image that podman runs and that answers /health.

It runs the command that a user would type, with what podman needs on this machine.
"""

import os
import subprocess
import sys

from tests.cache import REPOSITORY
from tests.machine import engine_environ


def main() -> int:
    command = ["-m", "builder", "build", "backend", "--tag", "second-brain:demo", "--test"]
    sys.stderr.write(f"$ .venv/bin/python {' '.join(command)}\n")
    environ = {**os.environ, **engine_environ()}
    return subprocess.run(
        [sys.executable, *command], cwd=REPOSITORY, env=environ, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
