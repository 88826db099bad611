"""``logout``: this machine forgets what it knows of a registry."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from builder.cli.console import Console
from builder.cli.logins import forget, registry_argument
from builder.errors import SettingsError
from builder.events import Notice
from builder.process import run
from builder.registry.credential_files import CredentialFile
from builder.registry.keychain import credential_places


def command(options: argparse.Namespace, console: Console) -> int:
    """Run ``logout``; the exit code. Whoever was not logged in has what they want.

    Raises:
        BuilderError: of the settings, reference and store kinds.
    """
    if (options.registry is None) != options.all:
        raise SettingsError("logout takes a registry, or --all in its place")
    paths = [place.path for place in credential_places(os.environ)]
    registries = _all(paths) if options.all else [registry_argument(options.registry)]
    for registry in registries:
        places = [place for path in paths for place in forget(path, registry, run)]
        for place in places:
            console(Notice(f"logged out of {registry}: removed it from {place}"))
        if not places:
            console(Notice(f"was not logged in to {registry}"))
    if not registries:
        console(Notice("was not logged in anywhere"))
    return 0


def _all(paths: Sequence[Path]) -> list[str]:
    files = [CredentialFile.read(path) for path in paths]
    return sorted({registry for file in files for registry in file.registries()})
