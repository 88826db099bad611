"""``pam-auth-update``: the common PAM stacks from the profiles that packages bring.

https://manpages.debian.org/bookworm/libpam-runtime/pam-auth-update.8.en.html
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.shell_call import DONE, Answer, Call, Command

_PROFILES, _TEMPLATES, _STACKS = "usr/share/pam-configs", "usr/share/pam", "etc/pam.d"
_STATE = "var/lib/pam"
_TYPES = ("account", "auth", "password", "session", "session-noninteractive")
_NULL = "[default=1]\t\t\tpam_permit.so"
_FIELD = re.compile(r"([A-Za-z-]+):[ \t]*(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Profile:
    name: str
    fields: Mapping[str, Sequence[str]]

    def value(self, field: str) -> str:
        return next(iter(self.fields.get(field, ())), "")

    @property
    def order(self) -> tuple[int, str]:
        priority = self.value("Priority")
        return (-int(priority) if priority.isdecimal() else 0, self.name)

    def modules(self, kind: str, block: str, *, is_first: bool) -> Sequence[str]:
        """Its lines in one block of a stack."""
        base = "Session" if kind.startswith("session") else kind.capitalize()
        is_left_out = kind == "session-noninteractive" and self.value("Session-Interactive-Only")
        if self.value(f"{base}-Type") != block or is_left_out == "yes":
            return ()
        initial = self.fields.get(f"{base}-Initial") if is_first else None
        return initial or self.fields.get(base, ())


def update_pam(files: MutableRoot) -> bool:
    """Write the stacks for the profiles that are on by default.

    Returns:
        False when the templates are not at hand: then nothing is written.
    """
    profiles = sorted(_profiles(files), key=lambda one: one.order)
    enabled = [one for one in profiles if one.value("Default") == "yes"]
    stacks: dict[str, str] = {}
    for kind in _TYPES:
        template = files.read(f"{_TEMPLATES}/common-{kind}")
        if template is None:
            return False
        blocks = {block: _block(enabled, kind, block) for block in ("Primary", "Additional")}
        stacks[kind] = _stack(template.decode("utf-8", "surrogateescape"), kind, blocks)
        _remember(files, kind, blocks)
    for kind, stack in stacks.items():
        files.write(f"{_STACKS}/common-{kind}", stack.encode("utf-8", "surrogateescape"))
    seen = "".join(f"{profile.name}\n" for profile in profiles)
    files.write(f"{_STATE}/seen", seen.encode("utf-8", "surrogateescape"))
    return True


def _profiles(files: MutableRoot) -> Iterator[_Profile]:
    for path in files.matching(f"/{_PROFILES}/*"):
        fields: dict[str, list[str]] = {}
        current: list[str] = []
        for line in files.text(path).split("\n"):
            if found := _FIELD.fullmatch(line):
                current = fields.setdefault(found[1], [])
                current += [found[2]] if found[2] else []
            elif line[:1].isspace() and line.strip():
                current.append(line.strip())
        yield _Profile(name=path.rpartition("/")[2], fields=fields)


def _block(profiles: Sequence[_Profile], kind: str, block: str) -> list[tuple[str, str]]:
    """Names of profiles and their lines; an empty primary block passes over the refusal."""
    found: list[tuple[str, str]] = []
    for profile in profiles:
        lines = profile.modules(kind, block, is_first=not found)
        found += [(profile.name, line) for line in lines]
    if block == "Primary" and not found:
        found.append(("null", _NULL))
    return found


def _stack(template: str, kind: str, blocks: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    pam_type = kind.partition("-")[0]
    variable = kind.replace("noninteractive", "nonint").replace("-", "_")
    for block, lines in blocks.items():
        text = ""
        for index, (_, line) in enumerate(lines):
            ended = line.replace("=end", f"={len(lines) - index}")
            # A module without options keeps the blank that would stand before them.
            text += f"{pam_type}\t{ended}{'' if ' ' in ended.rpartition('.so')[2] else ' '}\n"
        text = text.replace(f"{_NULL} \n", f"{_NULL}\n")
        template = template.replace(f"${variable}_{block.lower()}\n", text)
    return template


def _remember(
    files: MutableRoot, kind: str, blocks: Mapping[str, Sequence[tuple[str, str]]]
) -> None:
    text = ""
    last = ""
    for name, line in (pair for block in blocks.values() for pair in block):
        text += f"Module: {name}\n" if name != last else ""
        text += f"{line}\n"
        last = name
    files.write(f"{_STATE}/{kind}", text.encode("utf-8", "surrogateescape"))


def _update(call: Call) -> Answer:
    if not update_pam(call.files):
        call.left_undone()
    return DONE


PAM_COMMANDS: Mapping[str, Command] = {"pam-auth-update": _update}
