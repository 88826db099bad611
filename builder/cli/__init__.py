"""The command line: parse, call, print. One module per command, imported when it is called."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from builder.cli.console import Console

_INTERRUPTED = 130
_CANCELS = (signal.SIGINT, signal.SIGTERM)
_SPACE = "free some space; temporary files go where TMPDIR says, the store where BUILDER_STORE says"
# What the operating system may refuse anywhere, through no fault of ours.
_MACHINE = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: "may this user read and write there?",
    errno.EROFS: "name a place that can be written",
    errno.EIO: "look at the disk",
    errno.EMFILE: "raise the limit of open files: ulimit -n",
    errno.ENFILE: "this machine has too many open files",
    errno.ENOMEM: "this machine is out of memory",
    errno.EAGAIN: "this user may start no more processes: ulimit -u",
}
_DESCRIPTION = """\
Container images from uv projects: no Dockerfile, no daemon, no root.
"""
_EXIT_CODES = """\
exit codes: 0 done, 1 the build or a check failed, 2 wrong usage or settings,
3 a registry, archive or engine failed, 130 interrupted
"""


def run() -> NoReturn:
    """The program: ``python -m builder`` and the console script."""
    # CI systems cancel with SIGTERM; what has to be cleaned up is the same as on Ctrl-C.
    for number in _CANCELS:
        signal.signal(number, _interrupt)
    code = main(sys.argv[1:])
    if code == _INTERRUPTED:
        _leave_at_once(code)
    sys.exit(code)


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        return _run(_parsed(argv))
    except KeyboardInterrupt:
        from builder.cli.console import Console

        Console(sys.stderr).interrupted()
        return _INTERRUPTED


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The options; of ``push``, arguments may also stand after an option."""
    parser = _parser()
    options, extras = parser.parse_known_args(argv)
    arguments = getattr(options, "arguments", None)
    if extras and (arguments is None or any(extra.startswith("-") for extra in extras)):
        parser.error(f"unrecognized arguments: {' '.join(extras)}")
    if arguments is not None:
        arguments.extend(extras)
    return options


def _run(options: argparse.Namespace) -> int:
    from builder.cli.console import Console
    from builder.errors import BuilderError, exit_code

    console = Console(sys.stderr)
    try:
        code: int = options.command(options, console)
    except BuilderError as error:
        console.error(error)
        return exit_code(error)
    except Exception as error:  # noqa: BLE001 - the last resort: what arrives here is a bug
        return _unexpected(error, console)
    return code


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Once is enough: wrappers repeat the signal, and cleaning up must not be interrupted.
    for number in _CANCELS:
        signal.signal(number, signal.SIG_IGN)
    # Not imported here: the signal may have come in the middle of that very import.
    if end_children := getattr(sys.modules.get("builder.process"), "end_children", None):
        end_children()
    raise KeyboardInterrupt


def _leave_at_once(code: int) -> NoReturn:
    """Exit without waiting for threads: one may hang on a server that says nothing."""
    if drop := getattr(sys.modules.get("builder.store.layout"), "drop_unfinished", None):
        drop()
    sys.stdout.flush()
    os._exit(code)


def _unexpected(error: Exception, console: "Console") -> int:
    from builder.errors import StoreError, exit_code

    if isinstance(error, OSError) and error.errno in _MACHINE:
        place = f"{error.filename}: " if error.filename else ""
        refused = StoreError(
            f"the operating system refused: {place}{error.strerror}", hint=_MACHINE[error.errno]
        )
        console.error(refused)
        return exit_code(refused)
    console.bug(error, f"image-builder {_version()}, Python {sys.version.split()[0]}")
    return 1


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("image-builder")
    except PackageNotFoundError:
        return "(not installed)"


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
    _add_push(commands)
    _add_lock(commands)
    _add_test(commands)
    _add_login(commands)
    _add_logout(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when asked: importlib.metadata takes its time."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"builder {_version()}")  # noqa: T201 - data, to stdout
        parser.exit()


type _Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - typeshed's


def _add_build(commands: _Commands) -> None:
    parser = commands.add_parser(
        "build",
        help="build an image from a uv project",
        description="Build an image from a uv project, and load it into podman when it is there.",
        allow_abbrev=False,
    )
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
    parser.set_defaults(command=_build)


def _add_push(commands: _Commands) -> None:
    parser = commands.add_parser(
        "push",
        help="send a project's image, or one that exists, to registries",
        description="Send an image to registries: that of a project, built when it is not yet, or "
        "one that exists. Only what a registry lacks is sent.",
        allow_abbrev=False,
    )
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
    parser.set_defaults(command=_push)


def _add_lock(commands: _Commands) -> None:
    parser = commands.add_parser(
        "lock",
        help="write image.lock: the base's digest and every system package",
        description="Write down, beside uv.lock, the digest of the base and the version and hash "
        "of every system package; build uses them. What is locked and still fits stays.",
        allow_abbrev=False,
    )
    _add_foundation(parser)
    parser.add_argument(
        "--upgrade", action="store_true", help="take the newest base and packages instead"
    )
    parser.set_defaults(command=_lock)


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
    add("--platform", metavar="OS/ARCH", help="what to build for (default: this machine)")


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
    parser.set_defaults(command=_test)


def _add_login(commands: _Commands) -> None:
    parser = commands.add_parser(
        "login",
        help="keep a user name and password for a registry",
        description="Ask a registry whether it takes a user name and password, and keep them where "
        "podman, skopeo and Docker look, too: in REGISTRY_AUTH_FILE, or DOCKER_CONFIG/config.json, "
        "or XDG_RUNTIME_DIR/containers/auth.json, or ~/.config/containers/auth.json; or in the "
        "credential helper that such a file names. The password is that of "
        "BUILDER_REGISTRY_PASSWORD, or it is asked for.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("registry", metavar="REGISTRY", help="its host, such as ghcr.io or docker.io")
    add("--username", metavar="NAME", help="default: BUILDER_REGISTRY_USERNAME")
    add("--password-stdin", action="store_true", help="read the password from stdin, all of it")
    _add_registry(parser)
    parser.set_defaults(command=_login)


def _add_logout(commands: _Commands) -> None:
    parser = commands.add_parser(
        "logout",
        help="forget what is kept for a registry",
        description="Remove what is kept for a registry from every file that is looked at, and "
        "from the credential helpers that they name.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("registry", metavar="REGISTRY", nargs="?", help="its host, such as ghcr.io or docker.io")
    add("--all", action="store_true", help="forget all registries")
    parser.set_defaults(command=_logout)


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


def _build(options: argparse.Namespace, console: "Console") -> int:
    from builder.cli.build import command

    return command(options, console)


def _push(options: argparse.Namespace, console: "Console") -> int:
    from builder.cli.push import command

    return command(options, console)


def _lock(options: argparse.Namespace, console: "Console") -> int:
    from builder.cli.lock import command

    return command(options, console)


def _test(options: argparse.Namespace, console: "Console") -> int:
    from builder.cli.test import command

    return command(options, console)


def _login(options: argparse.Namespace, console: "Console") -> int:
    from builder.cli.login import command

    return command(options, console)


def _logout(options: argparse.Namespace, console: "Console") -> int:
    from builder.cli.logout import command

    return command(options, console)
