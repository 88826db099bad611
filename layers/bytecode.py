"""Sources become bytecode, with the target's interpreter and always to the same bytes.

This file is run as a script by that interpreter (``python -I bytecode.py < jobs``), so it imports
nothing but the standard library. Each job is a line of JSON: ``[source, in-image path, result]``.

* Layers carry one modification time for everything, so a pyc checked by time would be stale in
  every container. These are unchecked (PEP 552): the interpreter takes them as they are.
* Whether marshal writes an object as a reference depends on how many others held it while it was
  compiled, that is on what the process compiled before. Loading and dumping once more settles it.
"""

import importlib.util
import json
import marshal
import os
import sys
from pathlib import Path

_UNCHECKED_HASH = 0b01


def compile_file(source: Path, image_path: str, result: Path) -> bool:
    """Compile one file; False when it is not Python this interpreter can read.

    Such files are data that happens to end in ``.py`` (templates, tests of other versions);
    compileall passes over them too.

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
    except (SyntaxError, ValueError, RecursionError):
        return False
    body = marshal.dumps(marshal.loads(marshal.dumps(code)))  # noqa: S302 - our own bytes
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little")
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_bytes(header + importlib.util.source_hash(data) + body)
    return True


def main() -> None:
    """Do the jobs on standard input; name each source that was passed over."""
    sys.setrecursionlimit(10_000)
    for line in sys.stdin:
        source, image_path, result = json.loads(line)
        if not compile_file(Path(os.fsdecode(source)), image_path, Path(os.fsdecode(result))):
            sys.stdout.write(json.dumps(image_path) + "\n")


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")  # of SyntaxWarnings in code that is not ours
    main()
