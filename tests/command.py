"""The program as its users start it: another process, its exit code and what it printed."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def builder(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    code: int = 0,
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m builder``; any other exit code than ``code`` fails, showing the output."""
    done = subprocess.run(
        [sys.executable, "-m", "builder", *map(str, arguments)],
        env={**os.environ, **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done
