"""Whether RECORD, the list that every installed distribution carries, tells the truth.

https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

import csv
import hashlib
import io
import posixpath
from base64 import urlsafe_b64encode
from collections.abc import Mapping


def hash_and_size(data: bytes) -> tuple[str, str]:
    """A file's columns in RECORD."""
    digest = urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}", str(len(data))


def check_records(files: Mapping[str, bytes]) -> int:
    """Compare every RECORD with the files it names, and return how many rows there were.

    Args:
        files: every regular file by its path relative to the image root.

    Raises:
        AssertionError: a file is missing or another one, or a distribution's file is not listed.
    """
    rows = 0
    for record in files:
        if not record.endswith(".dist-info/RECORD"):
            continue
        info = posixpath.dirname(record)
        site = posixpath.dirname(info)
        listed = set()
        for name, *stated in csv.reader(io.StringIO(files[record].decode(), newline="")):
            path = posixpath.normpath(posixpath.join(site, name))
            assert path in files, f"{record} names {name}, which is not there"
            # RECORD cannot hold its own hash; installers leave out those of bytecode.
            if path != record:
                assert tuple(stated) == hash_and_size(files[path]), f"{record}: {name}"
            listed.add(path)
            rows += 1
        for path in files:
            assert not path.startswith(f"{info}/") or path in listed, f"{record} lacks {path}"
    return rows
