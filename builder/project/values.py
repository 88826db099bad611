"""Readers of single settings: each takes what TOML or a string gave and returns a typed value.

How a reader refuses: ``builder.project.readers``.
"""

import json
import re
from pathlib import PurePosixPath
from typing import Any

from builder.errors import ReferenceFormatError, SettingsError
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.project import apt_values, check_values, registry_values
from builder.project.readers import (
    PartError,
    Reader,
    distribution,
    each,
    each_table,
    keys,
    list_of,
    one_of,
    part,
    step,
    text,
)
from builder.settings import HealthSettings, Include, LayerPolicy, PullPolicy, User
from layers.compress import CODECS, Codec
from layers.entries import ROOT, Owner

_APP = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_][\w.]*")
_USER_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp|sctp))?")
_MAX_PORT = 65535
_MAX_ID = 2**32 - 2
# The kernel reads at most 127 characters of a script's first line on older systems.
_MAX_WORKDIR = 100
_A_PLATFORM = 'expected "os/architecture", such as "linux/arm64"'


def bases(value: Any) -> tuple[str, ...]:
    """One base, or the list of those that are tried in turn."""
    if isinstance(value, str):
        return (text(value),)
    if not isinstance(value, list) or not value:
        raise ValueError("expected a string that is not empty, or a list of them")
    found = each(text, value)
    for index, base in enumerate(found):
        if base in found[:index]:
            raise PartError("it is in the list already", value=base, path=f"[{index}]")
    return found


def command(value: Any) -> tuple[str, ...]:
    """A command as a list; never split from a string, which would need a shell's rules."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('expected a list of strings, such as ["python", "-m", "app"]')
    return tuple(value)


def tag(value: Any) -> str:
    """A name for an image."""
    try:
        return Reference.parse(text(value)).given
    except ReferenceFormatError as error:
        reason = error.message.removeprefix(f"not an image reference: {value!r}: ")
        raise ValueError(f"{reason}; {error.hint}") from None


def platforms(value: Any) -> tuple[str, ...]:
    """Operating systems and architectures, in the words of Go; a string may hold several."""
    written = ",".join(map(text, value)) if isinstance(value, list) else text(value)
    names = [name for name in map(str.strip, written.split(",")) if name]
    if not names:
        raise ValueError(_A_PLATFORM)
    found: list[Platform] = []
    for index, name in enumerate(names):
        path = f"[{index}]" if len(names) > 1 else ""
        platform = part(path, _platform, name)
        if platform.specific in {other.specific for other in found}:
            raise PartError("it is in the list already", value=name, path=path)
        found.append(platform)
    return tuple(map(str, found))


def _platform(name: str) -> Platform:
    try:
        return Platform.parse(name)
    except SettingsError:
        raise ValueError(_A_PLATFORM) from None


def text_table(value: Any) -> dict[str, str]:
    """A table of strings; numbers are written as they stand, booleans as true and false."""
    if not isinstance(value, dict):
        raise ValueError("expected a table of strings")
    for key in value:
        if not key or "=" in key or "\0" in key:
            raise ValueError(f"{key!r} cannot be a name")
    return {key: part(step(key), _plain, item) for key, item in value.items()}


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float) or "\0" in str(value):
        raise ValueError("expected a string")
    return str(value)


def codec(value: Any) -> Codec:
    """A way to compress, by name."""
    return CODECS[one_of(*CODECS)(value)]


def app(value: Any) -> str:
    """An application as uvicorn names it."""
    if not isinstance(value, str) or not _APP.fullmatch(value):
        raise ValueError('expected "module:attribute", such as "second_brain.main:app"')
    return value


def directory(value: Any) -> str:
    """An absolute in-image path that a script's first line and PATH can hold."""
    path = absolute(value)
    if len(path) > _MAX_WORKDIR or re.search(r"[\s:]", path) or path == "/":
        raise ValueError(
            f"expected an absolute path below /, without spaces and colons and "
            f"of at most {_MAX_WORKDIR} characters"
        )
    return path


def absolute(value: Any) -> str:
    """An absolute in-image path, normal and without ``..``."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ValueError('expected an absolute path in the image, such as "/app"')
    parts = [part for part in value.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ValueError('expected an absolute path without ".."')
    return f"/{'/'.join(parts)}"


def inside(value: Any) -> str:
    """A path in the project; ``.`` is the whole of it."""
    if not isinstance(value, str) or not value or value.startswith("/"):
        raise ValueError("expected a path relative to the project")
    path = PurePosixPath(value)
    if ".." in path.parts or "\0" in value:
        raise ValueError("expected a path in the project's directory")
    return str(path)


def insides(value: Any) -> tuple[str, ...]:
    """A list of paths in the project; one that lies in another is a part of that one already."""
    paths = dict.fromkeys(map(PurePosixPath, list_of(inside)(value)))
    return tuple(str(path) for path in paths if not any(up in paths for up in path.parents))


def ports(value: Any) -> tuple[str, ...]:
    """A list of ports, each a number with or without a protocol."""
    if isinstance(value, int):
        return (_port(value),)
    found = tuple(dict.fromkeys(list_of(_port, "expected a list of ports")(value)))
    if not found:
        raise ValueError("expected at least one port")
    return found


def _port(value: Any) -> str:
    found = _PORT.fullmatch(str(value))
    if isinstance(value, bool) or not found or not 0 < int(found[1]) <= _MAX_PORT:
        raise ValueError('expected ports such as 8000 or "8000/udp"')
    return f"{int(found[1])}/{found[2] or 'tcp'}"


def user(value: Any) -> User:
    """``UID``, ``UID:GID``, ``root`` or a table with ``name``, ``uid`` and ``gid``."""
    if isinstance(value, dict):
        known = keys(value, "name", "uid", "gid")
        name = part(".name", _user_name, known.get("name", "app"))
        uid = part(".uid", _id, known.get("uid", 1001))
        return User(name=name, uid=uid, gid=part(".gid", _id, known.get("gid", uid)))
    owned = owner("0" if value == "root" else value)
    if owned == ROOT:
        return User(name="root", uid=0, gid=0)
    return User(uid=owned.uid, gid=owned.gid)


def _user_name(value: Any) -> str:
    if not isinstance(value, str) or not _USER_NAME.fullmatch(value):
        raise ValueError("expected lower-case letters, digits, '_' and '-'")
    return value


def owner(value: Any) -> Owner:
    """``UID`` or ``UID:GID``."""
    uid, colon, gid = str(value).partition(":")
    return Owner(_id(uid), _id(gid if colon else uid))


def _id(value: Any) -> int:
    if isinstance(value, bool) or not str(value).isdecimal() or int(value) > _MAX_ID:
        raise ValueError('expected numbers, such as "1001:1001": Kubernetes needs them')
    return int(value)


def include(value: Any) -> tuple[Include, ...]:
    """A list of tables with ``source``, ``destination``, ``mode`` and ``owner``."""
    return each_table(_include, value, '[{source = "a", destination = "/b"}]')


def _include(table: dict[str, Any]) -> Include:
    known = keys(table, "source", "destination", "mode", "owner")
    if "source" not in known or "destination" not in known:
        raise ValueError("expected both source and destination")
    return Include(
        source=part(".source", inside, known["source"]),
        destination=part(".destination", _destination, known["destination"]),
        mode=part(".mode", _mode, known["mode"]) if "mode" in known else None,
        owner=part(".owner", owner, known["owner"]) if "owner" in known else None,
    )


def _destination(value: Any) -> str:
    path = absolute(value)
    return f"{path}/" if value.endswith("/") and path != "/" else path


def _mode(value: Any) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"0?[0-7]{3}", value):
        raise ValueError('expected an octal string such as "0640"')
    return int(value, 8)


def health(value: Any) -> HealthSettings:
    """A table with ``path``, ``expect``, ``env`` and ``timeout``."""
    if not isinstance(value, dict):
        raise ValueError("expected a table")
    known = keys(value, "path", "expect", "env", "timeout")
    default = HealthSettings()
    return HealthSettings(
        path=part(".path", _url_path, known.get("path", default.path)),
        expect=part(".expect", _expected, known.get("expect", default.expect)),
        env=part(".env", text_table, known.get("env", {})),
        timeout=part(".timeout", _seconds, known.get("timeout", default.timeout)),
    )


def _url_path(value: Any) -> str:
    """As it is sent: a slash at its end is a difference to the application."""
    if not isinstance(value, str) or not re.fullmatch(r"/[!-~]*", value):
        raise ValueError('expected the path of a URL, such as "/health"')
    return value


def _seconds(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("expected a number of seconds")
    return value


def _expected(value: Any) -> dict[str, Any] | None:
    if value is False:
        return None
    if not isinstance(value, dict):
        raise ValueError("expected a table, or false when status 200 is enough")
    try:
        json.dumps(value)
    except TypeError:
        raise ValueError("expected what JSON can say: no dates or times") from None
    return value


def layer_groups(value: Any) -> LayerPolicy | tuple[tuple[str, ...], ...]:
    """A policy's name, or lists of distributions."""
    if isinstance(value, str):
        return LayerPolicy(one_of(*LayerPolicy)(value))
    if not isinstance(value, list) or not value:
        words = ", ".join(LayerPolicy)
        raise ValueError(f'expected one of {words}, or groups such as [["numpy", "scipy"]]')
    groups = each(names, value)
    named: set[str] = set()
    for index, name in ((index, name) for index, group in enumerate(groups) for name in group):
        if name in named:
            raise PartError("it is in a group already", value=name, path=f"[{index}]")
        named.add(name)
    return groups


def names(value: Any) -> tuple[str, ...]:
    """Names of distributions, normalised."""
    if not isinstance(value, list):
        raise ValueError("expected a list of names")
    return each(distribution, value)


READERS: dict[str, Reader] = {
    "app": app,
    "base": bases,
    "base-mirror": text,
    "pull": lambda value: PullPolicy(one_of(*PullPolicy)(value)),
    "platform": platforms,
    "workdir": directory,
    "user": user,
    "ports": ports,
    "cmd": command,
    "entrypoint": command,
    "env": text_table,
    "labels": text_table,
    "source": insides,
    "include": include,
    "extras": list_of(text),
    "groups": list_of(text),
    "compression": codec,
    "layers": layer_groups,
    "tags": list_of(tag),
    "outputs": list_of(text),
    "health": health,
    "apt": apt_values.requests,
    "apt-mirror": apt_values.url,
    "apt-sources": apt_values.sources,
    "apt-snapshot": apt_values.snapshot,
    "apt-docs": apt_values.docs,
    "apt-accept": apt_values.names,
    "checks": check_values.checks,
    "insecure-registries": registry_values.insecure,
    "registry-certs": registry_values.place,
    "registries-conf": registry_values.place,
}
"""Every key of ``[tool.builder]``; the field of ``Settings`` has ``_`` where the key has ``-``."""

_STRUCTURED = {
    *("cmd", "entrypoint", "env", "labels", "include", "health", "apt-sources", "checks"),
}
FROM_ENVIRON = {
    f"BUILDER_{key.upper().replace('-', '_')}": key for key in READERS if key not in _STRUCTURED
}
"""Environment variables that choose a setting; those with structure are pyproject's alone."""
