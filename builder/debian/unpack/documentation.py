"""What packages ship for people to read, and an image has nobody for.

The rule is that of Debian's slim images, without what programs read themselves (``groff`` cannot
run without ``/usr/share/groff``). As with dpkg's own ``path-exclude``, what is left out still
stands in the package's list of files.
"""

import re

_DIRECTORIES = re.compile(
    r"usr/share/(?:man|info|lintian|linda|omf|help|gnome/help)/.+|usr/share/locale/.+"
)
_KEPT_LOCALE = "usr/share/locale/locale.alias"
_DOC = re.compile(r"usr/share/doc/(?P<package>[^/]+)(?P<below>/.+)?")


def is_documentation(path: str, kind: str) -> bool:
    """Whether a path stays out of an image without documentation.

    Licences stay, and with them the directory of each package in ``/usr/share/doc``, which may
    also be a link to another's.

    Args:
        path: as packed, without a leading slash.
        kind: ``directory``, ``file``, ``hard link`` or ``symbolic link``.
    """
    if not path.startswith("usr/share/"):
        return False
    if doc := _DOC.fullmatch(path):
        if doc["below"] is None:
            return kind in {"file", "hard link"}
        return kind == "directory" or not path.endswith("/copyright")
    return path != _KEPT_LOCALE and _DIRECTORIES.fullmatch(path) is not None
