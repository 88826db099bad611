"""Results for scripts: in files that are whole or not there."""

import os
from collections.abc import Sequence
from pathlib import Path

from builder.destinations.file import replacing
from builder.errors import SettingsError, StoreError


def refuse_files(*paths: str | None) -> None:
    """Find out before the work begins what would make it vain.

    Raises:
        SettingsError: a path is that of something else than a file, or stands there twice.
    """
    chosen = [path for path in paths if path is not None]
    for path in chosen:
        if not path or (Path(path).exists() and not Path(path).is_file()):
            raise SettingsError(f"cannot write the result to {path!r}: not a file")
    if len({os.path.realpath(path) for path in chosen}) < len(chosen):
        raise SettingsError(f"two results for one file: {', '.join(chosen)}")


def write_files(*results: tuple[str | None, Sequence[str]]) -> None:
    """Write lines of text to the files that were named; all that can be, whatever fails.

    Raises:
        StoreError: a file cannot be written; the first of them.
    """
    failed = None
    for path, lines in results:
        try:
            if path is not None:
                with replacing(Path(path)) as file:
                    file.write("".join(f"{line}\n" for line in lines).encode())
        except StoreError as error:
            failed = failed or error
    if failed:
        raise failed
