"""Alternatives: one name, several programs, the link that leads to the best of them.

The state file of each name is what ``update-alternatives`` itself writes, so that it goes on from
there. https://manpages.debian.org/bookworm/dpkg/update-alternatives.1.en.html
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from builder.debian.effects.mutable_root import MutableRoot
from builder.errors import PackageError
from layers.entries import image_path

STATES = "var/lib/dpkg/alternatives"
_LINKS = "etc/alternatives"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One program for a name.

    Attributes:
        path: absolute.
        priority: the highest is taken.
        slaves: paths of what goes with it, by name.
    """

    path: str
    priority: int
    slaves: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A name and what it may lead to.

    Attributes:
        name: of the file in ``/etc/alternatives``.
        link: absolute path of the link that people use.
        is_manual: somebody chose by hand; then it stays.
        slave_links: absolute paths of the links that follow this one, by name.
        choices: those of the state file by path, then new ones.
    """

    name: str
    link: str
    is_manual: bool = False
    slave_links: tuple[tuple[str, str], ...] = ()
    choices: tuple[Choice, ...] = ()

    @property
    def best(self) -> Choice | None:
        """The choice of the highest priority; among equals the one that was there first."""
        return max(self.choices, key=lambda one: one.priority, default=None)

    def with_choice(
        self, choice: Choice, *, link: str, slave_links: tuple[tuple[str, str], ...]
    ) -> "Alternative":
        """The same with one choice more, or another in place of the one of its path."""
        others = [one for one in self.choices if one.path != choice.path]
        return replace(
            self,
            link=link,
            slave_links=tuple(sorted((dict(self.slave_links) | dict(slave_links)).items())),
            choices=(*others, choice),
        )


def install(
    files: MutableRoot, link: str, choice: Choice, *, name: str, slaves: tuple[tuple[str, str], ...]
) -> None:
    """``update-alternatives --install`` in automatic mode.

    Args:
        files: are read, and added to.
        link: absolute path of the link.
        choice: a program; one that is not there makes nothing.
        name: of the alternative.
        slaves: links of the choice's slaves, by name.

    Raises:
        PackageError: the state of the root cannot be read.
    """
    if not files.has(choice.path):
        return
    state = _read(files, name) or Alternative(name=name, link=link)
    state = state.with_choice(choice, link=link, slave_links=slaves)
    files.write(f"{STATES}/{name}", encode(state).encode("utf-8", "surrogateescape"))
    best = state.best
    if state.is_manual or best is None:
        return
    _point(files, name, link, best.path)
    targets = dict(best.slaves)
    for slave, slave_link in state.slave_links:
        target = targets.get(slave)
        if target and files.has(target):
            _point(files, slave, slave_link, target)


def _point(files: MutableRoot, name: str, link: str, target: str) -> None:
    files.link(f"{_LINKS}/{name}", target)
    # A file that stands where the link belongs is left: so does update-alternatives.
    if not files.is_file(link) or files.target(link) is not None:
        files.link(image_path(link), f"/{_LINKS}/{name}")


def _read(files: MutableRoot, name: str) -> Alternative | None:
    content = files.read(f"{STATES}/{name}")
    return None if content is None else decode(name, content.decode("utf-8", "surrogateescape"))


def decode(name: str, text: str) -> Alternative:
    """Read a state file.

    Raises:
        PackageError: it is damaged.
    """
    lines = iter(text.split("\n"))
    try:
        mode, link = next(lines), next(lines)
        slave_links = tuple((slave, next(lines)) for slave in _until_empty(lines))
        choices = tuple(
            Choice(
                path=path,
                priority=int(next(lines)),
                slaves=tuple(
                    (slave, target) for slave, _ in slave_links if (target := next(lines))
                ),
            )
            for path in _until_empty(lines)
        )
    except (StopIteration, RuntimeError, ValueError) as error:
        raise PackageError(f"/{STATES}/{name} of the base is damaged") from error
    return Alternative(
        name=name, link=link, is_manual=mode == "manual", slave_links=slave_links, choices=choices
    )


def _until_empty(lines: Iterator[str]) -> Iterator[str]:
    while line := next(lines):
        yield line


def encode(state: Alternative) -> str:
    """The state file."""
    lines = ["manual" if state.is_manual else "auto", state.link]
    for slave in state.slave_links:
        lines.extend(slave)
    lines.append("")
    for choice in sorted(state.choices, key=lambda one: one.path):
        targets = dict(choice.slaves)
        lines += [choice.path, str(choice.priority)]
        lines += [targets.get(slave, "") for slave, _ in state.slave_links]
    return "\n".join([*lines, "", ""])
