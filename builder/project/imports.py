"""Whether the application can be imported, tried with a Python of this machine.

It is a first look: the libraries of the image's base are not those of this machine.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from builder.process import CommandRunner

_SECONDS = 60
_LINES = 20
_BEGIN = "\x1e"
"""Stands before our own words: what is imported may write too."""

# Ends without waiting for threads, which servers begin when they are imported; and when something
# hangs, wherever it does, says where. Of the traceback, our own frames say nothing.
_PROGRAM = """
import faulthandler, json, os, site, sys
asked = json.loads(sys.stdin.readline())
faulthandler.dump_traceback_later(asked["seconds"], exit=True)
for path in asked["paths"]:
    site.addsitedir(path)
try:
    import importlib
    module, _, names = asked["app"].partition(":")
    found = importlib.import_module(module)
    for name in filter(None, names.split(".")):
        found = getattr(found, name)
    code = 0
except BaseException as error:
    import traceback
    frame = error.__traceback__
    inner = ("<string>", importlib.__file__)
    while frame and frame.tb_frame.f_code.co_filename.startswith((*inner, "<frozen importlib")):
        frame = frame.tb_next
    error.__traceback__ = frame
    print(asked["begin"], "".join(traceback.format_exception(error)), sep="", file=sys.stderr)
    code = 1
faulthandler.cancel_dump_traceback_later()
sys.stdout.flush(), sys.stderr.flush()
os._exit(code)
"""


def check_import(  # noqa: PLR0913 - what an import depends on
    app: str,
    site_packages: Sequence[Path],
    interpreter: Path,
    run: CommandRunner,
    environ: Mapping[str, str],
    *,
    directory: Path,
    seconds: float = _SECONDS,
) -> str | None:
    """Import an application, and look up its attribute.

    Nothing of this machine's own packages, variables and user settings is seen, and no bytecode is
    written.

    Args:
        app: ``package.module:attribute``; the attribute may have dots, or be left out.
        site_packages: directories to import from, the first one first; ``.pth`` files count.
        interpreter: of the image's minor version.
        run: starts it.
        environ: all variables that there are.
        directory: where it runs, as the image's command runs in its working directory.
        seconds: how long it may take.

    Returns:
        The last words when it fails, without the directories' own paths; None when it does not.
    """
    asked = {
        "app": app,
        "paths": [str(path) for path in site_packages],
        "seconds": seconds,
        "begin": _BEGIN,
    }
    done = run(
        [str(interpreter), "-I", "-S", "-B", "-X", "utf8", "-c", _PROGRAM],
        cwd=directory,
        environ={**dict.fromkeys(os.environ), **environ},
        stdin=json.dumps(asked) + "\n",
    )
    if done.code == 0:
        return None
    words = done.stderr.rpartition(_BEGIN)[2].strip()
    if done.code < 0:
        words = f"{words}\nPython was ended by signal {-done.code}".strip()
    for path in site_packages:
        words = words.replace(f"{path}/", "")
    return "\n".join((words or f"exit code {done.code}, without a word").splitlines()[-_LINES:])
