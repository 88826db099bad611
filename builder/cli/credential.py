"""The user name and password that flags, stdin or the environment give."""

import argparse
import sys
from collections.abc import Mapping

from builder.errors import SettingsError

_USERNAME = "BUILDER_REGISTRY_USERNAME"
_PASSWORD = "BUILDER_REGISTRY_PASSWORD"  # noqa: S105 - a variable's name


def given_credential(options: argparse.Namespace, environ: Mapping[str, str]) -> tuple[str, str]:
    """User name and password, each empty when it was not given; what flags say wins.

    Raises:
        SettingsError: what stdin holds is no text.
    """
    username = options.username or environ.get(_USERNAME, "")
    password = _all_of_stdin() if options.password_stdin else environ.get(_PASSWORD, "")
    for what, value in (("user name", username), ("password", password)):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise SettingsError(f"the {what} is not UTF-8") from None
    return username, password


def incomplete(username: str) -> SettingsError:
    """The error for a user name without a password, or the other way round."""
    return SettingsError(
        f"no {'password' if username else 'user name'} was given",
        hint=f"use --username and --password-stdin, or set {_USERNAME} and {_PASSWORD}",
    )


def _all_of_stdin() -> str:
    """All of it: a service account's key is a password of many lines."""
    if sys.stdin is None:
        return ""
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise SettingsError("the password on stdin is not UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")
