"""Credential helpers as real programs: shell scripts that keep one file per registry."""

from dataclasses import dataclass
from pathlib import Path

import pytest

_SCRIPT = """\
#!/bin/sh
# As docker-credential-helpers do: the answer, or the reason, goes to stdout.
kept="$0.kept"
mkdir -p "$kept"
name() { printf %s "$1" | tr -c 'a-zA-Z0-9' _; }
echo "$1" >> "$0.calls"
case "$1" in
get)
    server=$(cat); file="$kept/$(name "$server")"
    if [ -e "$file" ]; then cat "$file"; else echo "credentials not found in native keychain"; exit 1; fi ;;
store)
    said=$(cat); server=$(printf %s "$said" | sed 's/.*"ServerURL": "\\([^"]*\\)".*/\\1/')
    printf %s "$said" > "$kept/$(name "$server")" ;;
erase)
    rm -f "$kept/$(name "$(cat)")" ;;
esac
"""  # noqa: E501 - a shell's line


@dataclass(frozen=True, slots=True, kw_only=True)
class Helpers:
    """Programs in a directory that is on PATH."""

    directory: Path

    def keeping(self, name: str, **servers: str) -> None:
        """One that works, and knows what each server's file shall say."""
        self.saying(name, _SCRIPT)
        for server, answer in servers.items():
            kept = self._program(name).with_suffix(".kept")
            kept.mkdir(exist_ok=True)
            (kept / server).write_text(answer)

    def saying(self, name: str, script: str) -> None:
        """One that is any script."""
        self._program(name).write_text(script)
        self._program(name).chmod(0o755)

    def kept(self, name: str) -> dict[str, str]:
        kept = self._program(name).with_suffix(".kept")
        return {path.name: path.read_text() for path in kept.iterdir()} if kept.exists() else {}

    def calls(self, name: str) -> list[str]:
        path = self._program(name).with_suffix(".calls")
        return path.read_text().split() if path.exists() else []

    def _program(self, name: str) -> Path:
        return self.directory / f"docker-credential-{name}"


def helpers_on_path(directory: Path, patch: pytest.MonkeyPatch) -> Helpers:
    """A place for helpers that comes first on PATH."""
    directory.mkdir()
    patch.setenv("PATH", str(directory), prepend=":")
    return Helpers(directory=directory)
