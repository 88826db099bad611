"""Opening sources as ``push`` does, with a store and registries of the test's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.events import ignore
from builder.oci.platform import Platform
from builder.oci.tree import ManifestTree
from builder.process import CommandRunner, run
from builder.push.source import open_source
from builder.store.layout import Store
from builder.workshop import Workshop
from tests.base.access import open_access


@contextmanager
def opened(
    text: str, store: Store, *, platform: Platform | None = None, runner: CommandRunner = run
) -> Iterator[ManifestTree]:
    shop = Workshop(store=store, run=runner, events=ignore)
    with open_access() as access, open_source(text, access, shop, platform=platform) as tree:
        yield tree


def contents(text: str, store: Store, platform: Platform | None = None) -> dict[str, bytes]:
    """Every document and blob of a source by its digest, read to the end."""
    with opened(text, store, platform=platform) as tree:
        found = {str(each.descriptor.digest): each.raw for each in tree.documents()}
        for blob in tree.all_blobs():
            with blob.open() as stream:
                found[str(blob.descriptor.digest)] = stream.read()
    return found


def files(directory: Path) -> dict[Path, int]:
    """What is in a directory, with the moment of its last change."""
    return {path: path.stat().st_mtime_ns for path in (directory, *directory.rglob("*"))}
