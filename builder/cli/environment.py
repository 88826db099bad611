"""Variables for a container, as the command line gives them."""

from collections.abc import Sequence

from builder.errors import SettingsError


def container_env(pairs: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` pairs.

    Raises:
        SettingsError: one of them has no name or no ``=``; a value is never shown.
    """
    env = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise SettingsError(f"--env {name!r}: expected NAME=VALUE")
        env[name] = value
    return env
