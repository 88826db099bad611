"""Sources become bytecode, with the target's interpreter and always to the same bytes.

This file is run as a script by that interpreter (``python -I bytecode.py < batches``), so it
imports nothing but the standard library. A batch is a line of JSON, a list of jobs; a job is a list
of source, in-image path and result. What is no Python comes back, a line of JSON for each path.

* Layers carry one modification time for everything, so a pyc checked by time would be stale in
  every container. These are unchecked (PEP 552): the interpreter takes them as they are.
* What marshal writes for a constant depends on the strings that the process has interned and on who
  else holds an object, that is on everything that the process compiled before: over a standard
  library one file in five hundred came out differently in another order. So each batch is compiled
  in a child that is forked from a process that has compiled nothing: the bytes of a file depend on
  its batch alone, never on how many there are, in what order or in how many processes.
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


def compile_batch(jobs: list[tuple[str, str, str]]) -> None:
    """Compile files in a child of this process, which stays as it is.

    Raises:
        SystemExit: the child failed; it has said why.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for source, image_path, result in jobs:
                if not compile_file(Path(source), image_path, Path(result)):
                    print(json.dumps(image_path), flush=True)  # noqa: T201 - the answer
            code = 0
        except BaseException:  # noqa: BLE001 - a forked child must not return into its parent's code
            traceback.print_exc()
        finally:
            os._exit(code)
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(f"the batch of {jobs[0][0]} ended with {code}")


def main() -> None:
    """Compile the batches on standard input."""
    warnings.simplefilter("ignore")  # of SyntaxWarnings in code that is not ours
    sys.setrecursionlimit(10_000)
    for line in sys.stdin:
        compile_batch(json.loads(line))


if __name__ == "__main__":
    main()
