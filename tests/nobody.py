"""A user whom file modes stop; root, who often runs the tests, walks through them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def as_nobody(tmp_path: Path) -> Iterator[None]:
    """Inside, this process has the rights of an ordinary user, who may enter ``tmp_path``."""
    if os.geteuid() != 0:
        yield
        return
    for directory in (tmp_path, *tmp_path.parents[:2]):  # pytest's are closed to all others
        directory.chmod(directory.stat().st_mode | 0o055)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
