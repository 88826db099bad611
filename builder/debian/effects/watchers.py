"""Packages of the root that watch directories: new files there would have woken their scripts.

https://manpages.debian.org/bookworm/dpkg-dev/deb-triggers.5.en.html
"""

from collections.abc import Collection, Iterator

from builder.debian.database.triggers import TRIGGERS
from builder.debian.root import Root

# What a watcher would have run. The others keep caches that programs do without, or wait for
# services: fonts, icons, menus, manuals, the message bus.
_MATTER = {
    "usr/share/glib-2.0/schemas": "glib-compile-schemas /usr/share/glib-2.0/schemas",
    "usr/share/mime/packages": "update-mime-database /usr/share/mime",
}
_MATTER_BY_END = {"gdk-pixbuf-2.0/2.10.0/loaders": "gdk-pixbuf-query-loaders > loaders.cache"}


def watchers(root: Root, paths: Collection[str]) -> Iterator[tuple[str, str]]:
    """Packages of the root and what they would have run because of new files.

    Args:
        root: whose packages watch.
        paths: of the new files.
    """
    for line in root.text(f"{TRIGGERS}/File").split("\n"):
        directory, _, package = line.partition(" ")
        real = root.files.resolve(directory)
        command = _MATTER.get(real) or next(
            (text for end, text in _MATTER_BY_END.items() if real.endswith(end)), None
        )
        if command and package and any(path.startswith(f"{real}/") for path in paths):
            yield package.partition("/")[0], command
