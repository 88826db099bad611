"""Where the commands of a script read from and print to."""

import io
from typing import TYPE_CHECKING

from builder.debian.effects.shell_syntax import Redirect, Redirected, Simple, Text
from builder.debian.effects.unknown import UNKNOWN, to_bytes, to_text

if TYPE_CHECKING:
    from builder.debian.effects.shell import Shell

# Written while a machine runs: what a script tells there, or puts aside there, does not stay.
_PASSING = ("/run/", "/var/log/", "/var/run/")
_STREAMS = {"1", "2", "-"}


def opened(shell: "Shell", redirect: Redirect) -> io.StringIO | None:
    """What a command reads; None when there is no such file."""
    text = shell.expander().text(redirect.word)
    if redirect.operator == "<<":
        return io.StringIO(text)
    content = content_of(shell, text)
    return None if content is None else io.StringIO(content)


def content_of(shell: "Shell", name: str) -> str | None:
    """The content of a file, as far as it is known; None when there is none."""
    if UNKNOWN in name:
        return UNKNOWN
    path = shell.absolute(name)
    if path == "/dev/null":
        return ""
    if path.startswith(("/dev/", "/proc/", "/sys/")):
        return UNKNOWN
    if not shell.files.is_file(path):
        return None
    content = shell.files.read(path)
    text = UNKNOWN if content is None else to_text(content)
    shell.progress.spend(len(text))
    return text


def redirects_to_files(shell: "Shell", command: Redirected) -> list[tuple[Redirect, str]]:
    """The redirections of a command's output that end in files, with their paths."""
    found: list[tuple[Redirect, str]] = []
    for redirect in command.redirects:
        if redirect.operator in {"<", "<<", "<&"}:
            continue
        text = shell.expander().text(redirect.word)
        if redirect.operator == ">&":
            if redirect.descriptor in {None, 1} and text not in _STREAMS:
                shell.want([">&", text])
        else:
            found.append((redirect, shell.absolute(text)))
    return found


def put(shell: "Shell", redirect: Redirect, path: str, text: str) -> bool:
    """Write what a command printed into a file; False when that fails."""
    if shell.is_reading or path.startswith(("/dev/", "/proc/", "/sys/")):
        return True
    if UNKNOWN in path:
        shell.want([redirect.operator, path])
        return True
    files = shell.files
    is_kept = not path.startswith(_PASSING) and not files.is_passing(path)
    if files.is_directory(path) or (is_kept and not files.is_directory(path.rpartition("/")[0])):
        return False
    is_new = not files.has(path)
    before = content_of(shell, path) if redirect.operator == ">>" else ""
    text = (before or "") + text
    shell.progress.spend(len(text))
    if is_new and path.startswith(_PASSING):
        files.pass_over(path)
    is_lost = UNKNOWN in text and not files.is_passing(path)
    is_over = not is_new and redirect.operator != ">>"
    if is_lost or (shell.progress.is_doubtful and is_over):
        shell.want([redirect.operator, path])
    else:
        files.write(path, to_bytes(text), mode=0o666 & ~shell.umask)
    return True


def is_exec_alone(command: Redirected) -> bool:
    """Whether it is ``exec`` that only sets streams for the rest of the script."""
    simple = command.command
    if not isinstance(simple, Simple) or len(simple.words) != 1:
        return False
    return simple.words[0] == (Text("exec"),)


def set_for_good(shell: "Shell", command: Redirected) -> None:
    """``exec`` with redirections: what goes to files from there on is written down."""
    for redirect in command.redirects:
        text = shell.expander().text(redirect.word)
        is_stream = redirect.operator in {">&", "<&"} or redirect.descriptor == 2  # noqa: PLR2004
        if not is_stream and not text.startswith("/dev/"):
            shell.want(["exec", redirect.operator, text])
