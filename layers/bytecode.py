"""Sources become bytecode, with the target's interpreter and always to the same bytes.

This file is run as a script by that interpreter (``python -I bytecode.py < jobs``), so it imports
nothing but the standard library. Each job is a line of JSON: ``[source, in-image path, result]``.

* Layers carry one modification time for everything, so a pyc checked by time would be stale in
  every container. These are unchecked (PEP 552): the interpreter takes them as they are.
* What marshal writes for a constant depends on the strings that the process has interned and on who
  else holds an object, that is on everything that the process compiled before: over a standard
  library one file in five hundred came out differently in another order. So each file is compiled
  in a child that is forked from a process that has compiled nothing; half a millisecond buys bytes
  that depend on the file alone.
"""

import importlib.util
import json
import marshal
import os
import sys
import traceback
import warnings
from pathlib import Path

_UNCHECKED_HASH = 0b01

# Exit codes of the children; Python itself ends with 1 when it fails.
_DONE, _FAILED, _PASSED_OVER = 0, 1, 2


def compile_file(source: Path, image_path: str, result: Path) -> bool:
    """Compile one file; False when it is not Python this interpreter can read.

    Such files are data that happens to end in ``.py`` (templates, tests of other versions);
    compileall passes over them too. A parser at its limits says MemoryError.

    Args:
        source: the file to read.
        image_path: the file's absolute path in the image; tracebacks will show it.
        result: the pyc to write; its directory is made.

    Raises:
        OSError: a file cannot be read or written.
    """
    data = source.read_bytes()
    try:
        code = compile(data, image_path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little")
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_bytes(header + importlib.util.source_hash(data) + marshal.dumps(code))
    return True


def _compile_alone(job: tuple[str, str, str]) -> bool:
    """``compile_file`` in a child of this process, which stays as it is."""
    child = os.fork()
    if child == 0:
        code = _FAILED
        try:
            code = _DONE if compile_file(Path(job[0]), job[1], Path(job[2])) else _PASSED_OVER
        except BaseException:  # noqa: BLE001 - a forked child must not return into its parent's code
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in {_DONE, _PASSED_OVER}:
        sys.exit(f"compiling {job[0]} ended with {code}")
    return code == _DONE


def main() -> None:
    """Do the jobs on standard input; name each source that was passed over."""
    warnings.simplefilter("ignore")  # of SyntaxWarnings in code that is not ours
    sys.setrecursionlimit(10_000)
    passed_over = [job for job in map(json.loads, sys.stdin) if not _compile_alone(job)]
    for _, image_path, _ in passed_over:
        print(json.dumps(image_path))  # noqa: T201 - the answer, to stdout


if __name__ == "__main__":
    main()
