"""The options of every command, as argparse has them: known before anything else is imported."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NoReturn, cast

_DESCRIPTION = """\
Container images from uv projects: no Dockerfile, no daemon, no root.
"""
_EXIT_CODES = """\
exit codes: 0 done, 1 the build or a check failed, 2 wrong usage or settings,
3 a registry, archive or engine failed, 130 interrupted
"""


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The options; of ``push``, arguments may also stand after an option."""
    parser = _parser()
    options, extras = parser.parse_known_args(argv)
    arguments = getattr(options, "arguments", None)
    if extras and (arguments is None or any(extra.startswith("-") for extra in extras)):
        parser.error(f"unrecognized arguments: {' '.join(extras)}")
    if arguments is not None:
        arguments.extend(extras)
    return options


def version() -> str:
    """Of the installed distribution."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("image-builder")
    except PackageNotFoundError:
        return "(not installed)"


class _Parser(argparse.ArgumentParser):
    """Gets a command's options once it is called: each takes its time, and no run uses them all.

    It finds out how wide the terminal is without what archives files, which is slow to load.
    """

    def __init__(self, *, fill: Callable[["_Parser"], None] | None = None, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)
        self._fill = fill

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        """As argparse has it, with the options there by then."""
        fill, self._fill = self._fill, None
        if fill:
            fill(self)
        return super().parse_known_args(*args, **kwargs)

    def _get_formatter(self) -> argparse.HelpFormatter:
        formatter = cast("type[argparse.HelpFormatter]", self.formatter_class)
        return formatter(prog=self.prog, width=_width())


@cache
def _width() -> int:
    """As ``shutil.get_terminal_size`` has it, and argparse's margin."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns) - 2
    try:
        return (os.get_terminal_size(sys.stdout.fileno()).columns or 80) - 2
    except (AttributeError, ValueError, OSError):
        return 78


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="builder",
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_commands(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when asked: importlib.metadata takes its time."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"builder {version()}")  # noqa: T201 - data, to stdout
        parser.exit()


type _Commands = "argparse._SubParsersAction[_Parser]"  # noqa: SLF001 - typeshed's


def _add_commands(commands: _Commands) -> None:
    add = commands.add_parser
    add(
        "build",
        help="build an image from a uv project",
        description="Build an image from a uv project, and load it into podman when it is there.",
        fill=_fill_build,
    )
    add(
        "push",
        help="send a project's image, or one that exists, to registries",
        description="Send an image to registries: that of a project, built when it is not yet, or "
        "one that exists. Only what a registry lacks is sent.",
        fill=_fill_push,
    )
    add(
        "lock",
        help="write image.lock: the base's digest and every system package",
        description="Write down, beside uv.lock, the digest of the base and the version and hash "
        "of every system package; build uses them. What is locked and still fits stays.",
        fill=_fill_lock,
    )
    add(
        "check",
        help="look for what is wrong with an image, whoever built it",
        description="Look into an image, whoever built it, for what breaks or gives away secrets: "
        "missing libraries, wrong machines, keys and tokens, files that nobody meant to ship. "
        "Findings go to stdout. The exit code is 1 when one of them is an error.",
        fill=_fill_check,
    )
    add(
        "test",
        help="start an image that podman has and prove that it is healthy",
        description="Start an image that podman has, wait for its health, prove who it runs as "
        "and where it listens, and stop it. Settings come from the project, when there is one.",
        fill=_fill_test,
    )
    add(
        "login",
        help="keep a user name and password for a registry",
        description="Ask a registry whether it takes a user name and password, and keep them where "
        "podman, skopeo and Docker look, too: in REGISTRY_AUTH_FILE, or DOCKER_CONFIG/config.json, "
        "or XDG_RUNTIME_DIR/containers/auth.json, or ~/.config/containers/auth.json; or in the "
        "credential helper that such a file names. The password is that of "
        "BUILDER_REGISTRY_PASSWORD, or it is asked for.",
        fill=_fill_login,
    )
    add(
        "logout",
        help="forget what is kept for a registry",
        description="Remove what is kept for a registry from every file that is looked at, and "
        "from the credential helpers that they name.",
        fill=_fill_logout,
    )
    add(
        "cache",
        help="look into the builder's store, make it smaller, prove that it is sound",
        description="The store is in BUILDER_STORE, else in XDG_CACHE_HOME/image-builder, else in "
        "~/.cache/image-builder. Whatever is removed from it costs the next build time, and no "
        "more.",
        fill=_fill_cache,
    )


def _fill_build(parser: argparse.ArgumentParser) -> None:
    _add_foundation(parser)
    add = parser.add_argument
    add("--tag", metavar="REF", action="append", dest="tags", help="a name for the image")
    _add_locked(parser)
    add(
        "--output",
        metavar="DEST",
        action="append",
        dest="outputs",
        help="oci:DIR, oci-archive:FILE, docker-archive:FILE or podman; repeatable",
    )
    add(
        "--load",
        action=argparse.BooleanOptionalAction,
        help="load into podman (default: when podman is there)",
    )
    add("--test", action="store_true", help="start the image and prove that it is healthy")
    _add_env(parser)
    add("--dry-run", action="store_true", help="print the plan as JSON and build nothing")
    add("--json", action="store_true", help="print the result as JSON")
    add("--metadata-file", metavar="FILE", help="write the result as JSON to FILE")
    _add_trace(parser)
    parser.set_defaults(command="build")


def _fill_push(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "arguments",
        metavar="[SOURCE] REF",
        nargs="*",
        help="SOURCE: a project's directory (default: here), oci:DIR[:TAG], oci-archive:FILE, "
        "docker-archive:FILE, containers-storage:NAME, docker://REF, or a name that build gave; "
        "REF: where to push (default: the project's tags that name a registry)",
    )
    _add_base(parser)
    _add_locked(parser)
    _add_registry(parser)
    add("--username", metavar="NAME", help="at the registry that is pushed to")
    add("--password-stdin", action="store_true", help="read the password from the first line")
    add("--dry-run", action="store_true", help="print what would be sent as JSON and send nothing")
    add("--json", action="store_true", help="print the result as JSON")
    add("--metadata-file", metavar="FILE", help="write the result as JSON to FILE")
    add("--digest-file", metavar="FILE", help="write the digest to FILE")
    add("--image-refs", metavar="FILE", help="write REF@DIGEST to FILE, a line for each REF")
    _add_trace(parser)
    parser.set_defaults(command="push")


def _fill_lock(parser: argparse.ArgumentParser) -> None:
    _add_foundation(parser)
    parser.add_argument(
        "--upgrade", action="store_true", help="take the newest base and packages instead"
    )
    parser.set_defaults(command="lock")


def _fill_check(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "image",
        metavar="IMAGE",
        help="a name that build gave, or one in a registry; an image layout's directory; "
        "oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, containers-storage:NAME or "
        "docker://REF",
    )
    _add_platform(parser, "of those that an index has (default: all of them)")
    add(
        "--project",
        metavar="DIR",
        help="whose settings say what is accepted (default: nobody's)",
    )
    _add_registry(parser)
    add("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(command="check")


def _fill_test(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("image", metavar="IMAGE", help="its name in podman")
    add("--project", metavar="DIR", help="whose settings count (default: those here, if any)")
    add(
        "--publish",
        metavar="PORT",
        type=_port,
        help="the loopback port to use (default: a free one)",
    )
    add("--timeout", metavar="SECONDS", type=_seconds, help="until the first healthy answer")
    _add_env(parser)
    add("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(command="test")


def _fill_login(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("registry", metavar="REGISTRY", help="its host, such as ghcr.io or docker.io")
    add("--username", metavar="NAME", help="default: BUILDER_REGISTRY_USERNAME")
    add("--password-stdin", action="store_true", help="read the password from stdin, all of it")
    _add_registry(parser)
    parser.set_defaults(command="login")


def _fill_logout(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("registry", metavar="REGISTRY", nargs="?", help="its host, such as ghcr.io or docker.io")
    add("--all", action="store_true", help="forget all registries")
    parser.set_defaults(command="logout")


def _fill_cache(parser: argparse.ArgumentParser) -> None:
    from builder.cli.cache_arguments import add_actions

    add_actions(parser)
    parser.set_defaults(command="cache")


def _add_foundation(parser: argparse.ArgumentParser) -> None:
    """What chooses base and system packages."""
    add = parser.add_argument
    add("project", metavar="PROJECT", nargs="?", default=".", help="its directory (default: here)")
    _add_base(parser)
    _add_registry(parser)


def _add_base(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--base",
        metavar="BASE",
        action="append",
        help="a registry reference, apt:SUITE, oci:DIR[:TAG], oci-archive:FILE, ...; repeatable: "
        "the next is for when the registry of the one before cannot be reached",
    )
    add("--base-mirror", metavar="URL", help="a registry to ask instead of the base's own")
    add("--apt-mirror", metavar="URL", help="a server to ask instead of those in apt's sources")
    add("--pull", metavar="POLICY", help="missing (default), always or never")
    _add_platform(parser, "what to build for (default: this machine)")


def _add_platform(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--platform", metavar="OS/ARCH[,OS/ARCH...]", action="append", help=f"{what}; repeatable"
    )


def _add_locked(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--locked",
        action=argparse.BooleanOptionalAction,
        help="refuse what is not as image.lock has it (default: when CI=true and there is one)",
    )


def _add_registry(parser: argparse.ArgumentParser) -> None:
    """How registries are spoken with."""
    add = parser.add_argument
    add(
        "--insecure-registry",
        metavar="HOST",
        action="append",
        dest="insecure_registries",
        help="a registry without a good certificate, or with plain http; repeatable",
    )
    add("--registry-certs", metavar="DIR", help="certificates, in one directory per HOST[:PORT]")
    add("--registries-conf", metavar="FILE", help="a registries.conf in place of the system's")


def _add_trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trace", metavar="FILE", help="write where the time went to FILE, for ui.perfetto.dev"
    )


def _add_env(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--env",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a variable for the container under test; repeatable",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected a port, from 1 to 65535")
    return int(text)


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected a whole number of seconds")
    return int(text)
