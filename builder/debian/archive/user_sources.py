"""Where packages come from: what the user's settings make of a root's own sources."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from builder.debian.archive.host_sources import for_suite, host_root, of_same_release
from builder.debian.archive.keyring import certificates, global_keys, joined
from builder.debian.archive.sources import (
    AptSource,
    at_snapshot,
    read_sources,
    with_mirror,
)
from builder.debian.root import Root
from builder.errors import PackageError, SettingsError
from builder.settings import AptSourceSettings, Settings


def base_sources(settings: Settings, root: Root, *, project: Path) -> tuple[AptSource, ...]:
    """The archives that a base's packages come from, as ``apt-get`` inside it would use them.

    Args:
        settings: its ``apt-sources`` replace those of the root; ``apt-snapshot`` and then
            ``apt-mirror`` say where each of them is really asked for.
        root: the base's.
        project: keyrings are named relative to it.

    Raises:
        PackageError: a sources file of the root cannot be understood, or nothing says whose
            signature counts for a source.
        SettingsError: a keyring cannot be read.
    """
    own = _own(settings, lambda: root, project)
    return _moved(own or read_sources(root), settings)


def release_sources(settings: Settings, suite: str, *, project: Path) -> tuple[AptSource, ...]:
    """The archives for a release of Debian: those of the settings, else this machine's own.

    Args:
        settings: as for ``base_sources``.
        suite: the release: ``bookworm``.
        project: keyrings are named relative to it.

    Raises:
        PackageError: neither settings nor this machine have sources for the release, or nothing
            says whose signature counts for a source.
        SettingsError: a keyring cannot be read.
    """
    own = _own(settings, host_root, project)
    if own and not any(re.split("[-/]", source.suite)[0] == suite for source in own):
        suites = ", ".join(source.suite for source in own)
        raise PackageError(
            f"apt-sources names no archive of {suite}, only of {suites}",
            hint=f"add one of {suite}, or choose a base of the release that is there",
        )
    return _moved(own or for_suite(read_sources(host_root()), suite), settings)


def _own(settings: Settings, read_root: Callable[[], Root], project: Path) -> tuple[AptSource, ...]:
    """Those of the settings; a root is read only when they leave the keys to it."""
    chosen = settings.apt_sources
    root = Root() if all(each.keyring for each in chosen) else read_root()
    return tuple(source for each in chosen for source in _sources(each, root, project))


def _moved(sources: tuple[AptSource, ...], settings: Settings) -> tuple[AptSource, ...]:
    if settings.apt_snapshot:
        sources = at_snapshot(sources, settings.apt_snapshot)
    return with_mirror(sources, settings.apt_mirror) if settings.apt_mirror else sources


def _sources(chosen: AptSourceSettings, root: Root, project: Path) -> Iterator[AptSource]:
    given = _given(project / chosen.keyring) if chosen.keyring else None
    for suite in chosen.suites:
        source = AptSource(
            uri=chosen.uri, suite=suite, components=chosen.components, keyring=given or b""
        )
        yield source if given is not None else _with_keys(source, root)


def _with_keys(source: AptSource, root: Root) -> AptSource:
    """With the keys that apt in a root would check it with.

    Those for every source, those of the same archive, and for another mirror of Debian, those
    that the release is checked with; not what the root trusts for something else only.
    """
    own = read_sources(root)
    same = [each for each in own if _place(each) == _place(source)]
    relevant = (*same, *of_same_release(own, source.suite))
    keyring = joined([global_keys(root), *map(_keys, relevant)])
    unread = tuple(dict.fromkeys(why for each in same for why in each.unread))
    if not keyring:
        raise PackageError(
            f"apt-sources: nothing says whose signature counts for {source}: "
            f"{'; '.join(unread) or 'no key is for every source, and none for one like it'}",
            hint="name a file with the archive's public keys as its keyring",
        )
    named = dict.fromkeys(("/etc/apt/trusted.gpg.d", *(each.signed_by for each in relevant)))
    return replace(source, keyring=keyring, signed_by=" or ".join(named), unread=unread)


def _place(source: AptSource) -> str:
    return f"{source.host.lower()}{urlsplit(source.uri).path.rstrip('/')}"


def _keys(source: AptSource) -> bytes:
    """The keys of a source that count for it."""
    if not source.fingerprints:
        return source.keyring
    return b"".join(
        bytes(cert)
        for cert in certificates(source.keyring)
        if cert.fingerprint.upper() in source.fingerprints
    )


def _given(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"apt-sources: cannot read the keyring {path}: {error.strerror}",
            hint="name a file with the archive's public keys, relative to the project",
        ) from error
