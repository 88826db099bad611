"""Programs of a root that are shell scripts themselves."""

import re

from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.unknown import to_text
from layers.entries import FileEntry

_MOST_SCRIPT = 1 << 18  # bytes
PATHS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
SHEBANG = re.compile(r"#!\s*/(?:usr/)?bin/(?:env\s+)?(?:sh|dash|bash)\b([^\n]*)")


def script_at(files: MutableRoot, name: str) -> str | None:
    """The script that a command is; None when it is none, or too long to be one."""
    for directory in ("",) if name.startswith("/") else PATHS:
        path = f"{directory}/{name}" if directory else name
        if files.files.is_executable(path):
            entry = files.packed.get(files.files.resolve(path))
            if not isinstance(entry, FileEntry) or entry.size > _MOST_SCRIPT:
                return None
            text = to_text(files.read(path) or b"")
            return text if SHEBANG.match(text) else None
    return None
