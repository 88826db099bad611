"""Sources become bytecode, with the target's interpreter and always to the same bytes.

This file is run as a script by that interpreter (``python -I -S -W ignore bytecode.py``), so it
imports nothing but the standard library, and little of that: it is started for every handful of
files, and json and pathlib would take twice as long as the interpreter itself. A batch is a line of
jobs, each a source, an in-image path and a result (``to_line``); what is no Python comes back, a
line for each path.

* Layers carry one modification time for everything, so a pyc checked by time would be stale in
  every container. These are unchecked (PEP 552): the interpreter takes them as they are.
* What marshal writes for a constant depends on the strings that the process has interned and on who
  else holds an object, that is on everything that the process compiled before: over a standard
  library one file in five hundred came out differently in another order. So each batch is compiled
  in a child that is forked from a process that has compiled nothing: the bytes of a file depend on
  its batch alone, never on how many there are, in what order or in how many processes.
* Nor do they depend on what the interpreter has loaded by then, which differs between machines: in
  some the standard library is frozen. Whatever strings it holds, all of them are held here too.
"""

import codecs
import importlib.util
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

_UNCHECKED_HASH = 0b01
_JOB = 3


def to_line(texts: list[str]) -> str:
    """Texts, none of them empty, as one line of ASCII, whatever is in them."""
    return "\t".join(codecs.encode(text, "unicode_escape").decode("ascii") for text in texts)


def from_line(line: str) -> list[str]:
    """What ``to_line`` made a line of."""
    pieces = line.rstrip("\n").split("\t")
    return [codecs.decode(piece, "unicode_escape") for piece in pieces if piece]


def compile_file(source: str, image_path: str, result: str) -> bool:
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
    with open(source, "rb") as file:  # noqa: PTH123 - see above
        data = file.read()
    try:
        code = compile(data, image_path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    held = _strings(code)
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little")
    os.makedirs(os.path.dirname(result), exist_ok=True)  # noqa: PTH103, PTH120
    with open(result, "wb") as file:  # noqa: PTH123
        file.write(header + importlib.util.source_hash(data) + marshal.dumps(code))
    del held
    return True


def _strings(code: "CodeType") -> list[str]:
    """Every string of a code object, held once more: marshal marks what somebody else holds."""
    found: list[str] = []
    left: list[object] = [code]
    while left:
        item = left.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, tuple | frozenset):
            left.extend(item)
        elif isinstance(item, type(code)):
            found += (*item.co_names, *item.co_varnames, *item.co_freevars, *item.co_cellvars)
            found += (item.co_name, item.co_qualname, item.co_filename)
            left.extend(item.co_consts)
    return found


def compile_batch(texts: list[str]) -> None:
    """Compile files in a child of this process, which stays as it is.

    Args:
        texts: of each file the three arguments of ``compile_file``.

    Raises:
        SystemExit: the child failed; it has said why.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for first in range(0, len(texts), _JOB):
                source, image_path, result = texts[first : first + _JOB]
                if not compile_file(source, image_path, result):
                    print(to_line([image_path]), flush=True)  # noqa: T201 - the answer
            code = 0
        except BaseException:  # noqa: BLE001 - a forked child must not return into its parent's code
            import traceback  # noqa: PLC0415

            traceback.print_exc()
        finally:
            os._exit(code)
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(f"the batch of {texts[0]} ended with {code}")


def main() -> None:
    """Compile the batches on standard input."""
    sys.setrecursionlimit(10_000)
    for number in range(256):
        # There is one string of each such character; marshal tells whether somebody interned it.
        sys.intern(chr(number))
    for line in sys.stdin:
        compile_batch(from_line(line))


if __name__ == "__main__":
    main()
