"""``login``: a registry takes a user name and a password, and they are kept."""

import argparse
import getpass
import os
import sys
from collections.abc import Mapping

from builder.cli.console import Console
from builder.cli.credential import given_credential, incomplete
from builder.cli.flags import REGISTRY_FLAGS, chosen
from builder.cli.logins import keep, registry_argument
from builder.events import Caution, Notice
from builder.oci.reference import Reference
from builder.process import run
from builder.project.settings import read_registry_settings
from builder.registry.credential import Credential
from builder.registry.credential_files import CredentialFile
from builder.registry.hosts import Hosts
from builder.registry.keychain import login_path
from builder.registry.login import check_login
from builder.retry import Retry


def command(options: argparse.Namespace, console: Console) -> int:
    """Run ``login``; the exit code.

    Raises:
        BuilderError: of the settings, reference, registry, transport and store kinds.
    """
    registry = registry_argument(options.registry)
    flags = chosen(options, REGISTRY_FLAGS)
    settings = read_registry_settings(environ=os.environ, flags=flags)
    endpoint = Hosts.read(settings, os.environ).push_endpoint(Reference.parse(f"{registry}/any"))
    path = login_path(os.environ)
    CredentialFile.read(path)  # what is wrong with it is told before a password is typed
    credential = _credential(options, os.environ)
    if not check_login(endpoint, credential, retry=Retry(events=console)):
        console(Caution(f"{registry} lets everybody in: nobody looked at the password"))
    where = keep(path, registry, credential, run)
    console(Notice(f"logged in to {registry} as {credential.username}; kept in {where}"))
    return 0


def _credential(options: argparse.Namespace, environ: Mapping[str, str]) -> Credential:
    username, password = given_credential(options, environ)
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    if not password and not options.password_stdin and is_terminal:
        username = username or _asked("user name: ")
        password = _typed()
    if not username or not password:
        raise incomplete(username)
    return Credential(username=username, password=password)


def _asked(prompt: str) -> str:
    sys.stderr.write(prompt)  # stdout is for data
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _typed() -> str:
    try:
        return getpass.getpass("password: ", stream=sys.stderr)
    except EOFError:
        return ""
