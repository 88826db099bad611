"""From the user's words to a destination."""

import difflib
from pathlib import Path

from builder.destinations.archives import DockerArchiveDestination, OciArchiveDestination
from builder.destinations.destination import Destination
from builder.destinations.docker import DockerDestination
from builder.destinations.layout import LayoutDestination
from builder.destinations.podman import PodmanDestination
from builder.errors import SettingsError
from builder.process import CommandRunner
from builder.store.layout import Store

_SHAPES = {
    "oci": "oci:DIR[:TAG]",
    "oci-archive": "oci-archive:FILE",
    "docker-archive": "docker-archive:FILE",
    "podman": "podman",
    "docker": "docker",
}
_EXPECTED = f"expected one of: {', '.join(_SHAPES.values())}"


def parse_destination(text: str, *, store: Store, run: CommandRunner) -> Destination:
    """Read a destination.

    Args:
        text: ``oci:DIR[:TAG]``, ``oci-archive:FILE``, ``docker-archive:FILE``, ``podman`` or
            ``docker``; paths are relative to the current directory.
        store: holds the image's blobs; engines load from it, and it keeps what they got.
        run: starts engines.

    Raises:
        SettingsError: it is none of these; the hint has the nearest.
    """
    kind, colon, place = text.partition(":")
    if kind not in _SHAPES:
        raise _unknown(text, kind)
    takes_place = _SHAPES[kind] != kind
    if takes_place != bool(place) or (colon and not takes_place):
        raise SettingsError(f"not a destination: {text!r}", hint=f"write {_SHAPES[kind]}")
    match kind:
        case "oci":
            return _layout(text, place)
        case "oci-archive":
            return OciArchiveDestination(label=text, file=Path(place))
        case "docker-archive":
            return DockerArchiveDestination(label=text, file=Path(place), store=store)
        case "docker":
            return DockerDestination(label=text, store=store, run=run)
        case _:
            return PodmanDestination(label=text, store=store, run=run)


def _layout(text: str, place: str) -> LayoutDestination:
    # At the first colon, as skopeo divides it.
    directory, colon, tag = place.partition(":")
    if not directory or bool(colon) != bool(tag):
        raise SettingsError(f"not a destination: {text!r}", hint=f"write {_SHAPES['oci']}")
    return LayoutDestination(label=text, directory=Path(directory), tag=tag or None)


def _unknown(text: str, kind: str) -> SettingsError:
    if near := difflib.get_close_matches(kind, _SHAPES, n=1):
        hint = f"did you mean {_SHAPES[near[0]]}?"
    elif kind.endswith(".tar"):
        hint = f"did you mean oci-archive:{kind}?"
    elif "/" in kind:
        hint = f"did you mean oci:{text}?"
    else:
        hint = _EXPECTED
    return SettingsError(f"not a destination: {text!r}", hint=hint)
