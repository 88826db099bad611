"""The command line: parse, call, print. One module per command, imported when it is called."""

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from builder.cli.console import Console

_INTERRUPTED = 130
_DESCRIPTION = """\
Container images from uv projects: no Dockerfile, no daemon, no root.
"""
_EXIT_CODES = """\
exit codes: 0 done, 1 the build or a check failed, 2 wrong usage or settings,
3 a registry or engine failed, 130 interrupted
"""


def run() -> NoReturn:
    """The program: ``python -m builder`` and the console script."""
    # CI systems cancel with SIGTERM; what has to be cleaned up is the same as on Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(argv)
    from builder.cli.console import Console
    from builder.errors import BuilderError, exit_code

    console = Console(sys.stderr)
    try:
        code: int = options.command(options, console)
    except BuilderError as error:
        console.error(error)
        return exit_code(error)
    except KeyboardInterrupt:
        console.interrupted()
        return _INTERRUPTED
    return code


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="builder",
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_build(commands)
    _add_test(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when asked: importlib.metadata takes its time."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"builder {version('image-builder')}")  # noqa: T201 - data, to stdout
        parser.exit()


type _Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - typeshed's


def _add_build(commands: _Commands) -> None:
    parser = commands.add_parser(
        "build",
        help="build an image from a uv project",
        description="Build an image from a uv project, and load it into podman when it is there.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("project", metavar="PROJECT", nargs="?", default=".", help="its directory (default: here)")
    add("--tag", metavar="REF", action="append", dest="tags", help="a name for the image")
    add("--base", metavar="BASE", help="a registry reference, oci:DIR[:TAG], oci-archive:FILE, ...")
    add("--base-mirror", metavar="URL", help="a registry to ask instead of the base's own")
    add("--pull", metavar="POLICY", help="missing (default), always or never")
    add("--platform", metavar="OS/ARCH", help="what to build for (default: this machine)")
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
    parser.set_defaults(command=_build)


def _add_test(commands: _Commands) -> None:
    parser = commands.add_parser(
        "test",
        help="start an image that podman has and prove that it is healthy",
        description="Start an image that podman has, wait for its health, prove who it runs as "
        "and where it listens, and stop it. Settings come from the project, when there is one.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("image", metavar="IMAGE", help="its name in podman")
    add("--project", metavar="DIR", default=".", help="whose settings count (default: here)")
    add("--publish", metavar="PORT", type=int, help="the loopback port to use (default: any free)")
    add("--timeout", metavar="SECONDS", type=int, help="until the first healthy answer")
    _add_env(parser)
    add("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(command=_test)


def _add_env(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--env",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a variable for the container under test; repeatable",
    )


def _build(options: argparse.Namespace, console: "Console") -> int:
    from builder.cli.build import command

    return command(options, console)


def _test(options: argparse.Namespace, console: "Console") -> int:
    from builder.cli.test import command

    return command(options, console)
