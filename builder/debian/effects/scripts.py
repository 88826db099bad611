"""The maintainer scripts of packages, followed over a root."""

from collections.abc import Mapping
from dataclasses import dataclass

from builder.debian.effects.condition import CONDITIONS
from builder.debian.effects.file_commands import FILE_COMMANDS
from builder.debian.effects.harmless import REASONS
from builder.debian.effects.listing_commands import LISTING_COMMANDS
from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.package_commands import PACKAGE_COMMANDS
from builder.debian.effects.package_queries import Packages, package_queries
from builder.debian.effects.shell import Shell
from builder.debian.effects.shell_builtins import SHELL_BUILTINS, debconf
from builder.debian.effects.shell_call import Command, nothing
from builder.debian.effects.shell_programs import PATHS, SHEBANG
from builder.debian.effects.shell_words import ScriptError
from builder.debian.effects.text_commands import TEXT_COMMANDS
from builder.debian.effects.unknown import shown
from builder.errors import BuilderError

_NO_PACKAGES = Packages(is_known=False)
_DOUBTS = ("depends on:", "would have failed here:", "config ")
_MOST_SHOWN = 120  # characters of a command
# Native, as a whole: what these do is done from the files alone.
# Locales are generated on request only: the defaults of debconf's questions ask for none.
_NATIVE = frozenset({"ca-certificates", "locales"})
# Waits for another package's trigger before it does what it is there for.
_TRIGGERED = {"ca-certificates-java": ("keytool > /etc/ssl/certs/java/cacerts",)}


_COMMANDS: Mapping[str, Command] = {
    **dict.fromkeys(REASONS, nothing),
    **CONDITIONS,
    **TEXT_COMMANDS,
    **LISTING_COMMANDS,
    **FILE_COMMANDS,
    **PACKAGE_COMMANDS,
    **SHELL_BUILTINS,
}
# Before a package is unpacked its scripts take old files away. Here all is unpacked already, and
# what would be taken away is the package's own.
_BEFORE: Mapping[str, Command] = {**_COMMANDS, **dict.fromkeys(("rm", "rmdir", "mv"), nothing)}
# Questions are asked before anything is unpacked: nothing is written for them.
_READING: Mapping[str, Command] = {
    **_COMMANDS,
    **dict.fromkeys(
        (*FILE_COMMANDS.keys() - {"cd", "pwd", "readlink", "realpath"}, *PACKAGE_COMMANDS), nothing
    ),
    "id": PACKAGE_COMMANDS["id"],
    "getent": PACKAGE_COMMANDS["getent"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose scripts are followed.

    Attributes:
        package: its name.
        architecture: its architecture.
        members: of its control archive.
        packages: that its scripts find.
    """

    package: str
    architecture: str
    members: Mapping[str, bytes]
    packages: Packages = _NO_PACKAGES


def follow(
    script: str, arguments: list[str], subject: Subject, files: MutableRoot
) -> tuple[str, ...]:
    """Do what a maintainer script would have done, and the ``config`` script before ``postinst``.

    Args:
        script: ``preinst`` or ``postinst``.
        arguments: it is called with, as dpkg does.
        subject: the package.
        files: are read, and changed.

    Returns:
        What was not done though it may matter: commands as they would have been called.
    """
    if subject.package in _NATIVE:
        return ()
    if subject.package in _TRIGGERED:
        return _TRIGGERED[subject.package] if script == "postinst" else ()
    answers = debconf(subject.members.get("templates", b""))
    answers = {
        **answers,
        **package_queries(subject.package, subject.architecture, subject.packages),
    }
    if script == "preinst":
        return _run(script, arguments, subject, files, {**_BEFORE, **answers})
    # Questions change nothing themselves: of what they want, only what decides answers matters.
    asked = _run("config", arguments, subject, files, {**_READING, **answers})
    doubts = tuple(want for want in asked if want.startswith(_DOUBTS))
    return doubts + _run(script, arguments, subject, files, {**_COMMANDS, **answers})


def _run(
    script: str,
    arguments: list[str],
    subject: Subject,
    files: MutableRoot,
    commands: Mapping[str, Command],
) -> tuple[str, ...]:
    content = subject.members.get(script)
    if content is None:
        return ()
    text = content.decode("utf-8", "surrogateescape")
    if not SHEBANG.match(text):
        return (f"{script}: {shown(text.partition('\n')[0])[:_MOST_SHOWN]}",)
    shell = Shell(
        files=files,
        commands=commands,
        environment={
            "DEBIAN_FRONTEND": "noninteractive",
            "DPKG_MAINTSCRIPT_ARCH": subject.architecture,
            "DPKG_MAINTSCRIPT_NAME": script,
            "DPKG_MAINTSCRIPT_PACKAGE": subject.package,
            "PATH": ":".join(PATHS),
            "0": f"/var/lib/dpkg/info/{subject.package}.{script}",
        },
        arguments=arguments,
        is_reading=script == "config",
    )
    try:
        shell.run(text)
    except RecursionError:
        shell.progress.want(f"{script} cannot be followed: its functions call themselves")
    except (ScriptError, BuilderError, ValueError) as error:
        # The boundary of what a script may bring about: whatever it is, the rest is not done.
        shell.progress.want(f"{script} cannot be followed: {error}")
    return tuple(want[:_MOST_SHOWN] for want in shell.wants)
