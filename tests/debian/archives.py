"""Signed Debian archives on loopback.

```
archive = LocalArchive(tmp_path)
archive.add({"Package": "hello", "Version": "1", "Architecture": "amd64"}, b"bytes of a .deb")
archive.publish()
with archive.serving():
    sources = [archive.source()]  # for Archive(sources, ...)
    archive.deb822()  # the same for a root's etc/apt/sources.list.d/local.sources
```

What a broken archive does is made by hand: its files lie in ``archive.root`` and may be changed
after ``publish``; ``archive.instead`` has answers that the server gives first.
"""

import contextlib
import gzip
import lzma
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pysequoia import SignatureMode, Tsk, sign

from builder.debian.archive.sources import AptSource
from layers.digest import Digest
from tests.registry_client.fake import Answer, Asked, answering

COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lambda data: lzma.compress(data, preset=0),
}


def make_key(user: str = "Local Archive <archive@example.org>") -> Tsk:
    """A key that can sign."""
    return Tsk.generate(user_id=user)


@dataclass(frozen=True, slots=True)
class _Added:
    suite: str
    component: str
    control: Mapping[str, str]
    ships: tuple[str, ...]


@dataclass(slots=True)
class LocalArchive:
    """An archive below ``directory/debian``, with any number of suites.

    Attributes:
        key: signs the suites.
        architectures: that have indexes; packages for ``all`` are in each.
        suffixes: how indexes are compressed; all of them are listed.
        unlisted: suffixes that the Release file is silent about.
        date: of the Release files.
        valid_until: None: they say nothing.
        fields: further fields of Release files, by suite; an empty value takes a field away.
        by_hash: whether indexes can also be had by digest.
        instead: answers by path from the archive's root, given once each, in order.
        asked: every request, in order.
        uri: of the archive, while it is served.
    """

    directory: Path
    key: Tsk = field(default_factory=make_key)
    architectures: Sequence[str] = ("amd64", "arm64")
    suffixes: Sequence[str] = ("", ".gz", ".xz")
    unlisted: Sequence[str] = ()
    date: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(minutes=1))
    valid_until: datetime | None = None
    fields: dict[str, dict[str, str]] = field(default_factory=dict)
    by_hash: bool = True
    instead: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    uri: str = "http://archive.invalid/debian"
    _added: list[_Added] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.directory / "debian"

    @property
    def keyring(self) -> bytes:
        return bytes(self.key.extract_certificate())

    def add(
        self,
        control: Mapping[str, str],
        deb: bytes = b"no deb",
        *,
        suite: str = "bookworm",
        component: str = "main",
        ships: Sequence[str] = (),
    ) -> Path:
        """Put a package into the pool, and its paragraph into a suite's indexes.

        ``control`` wins over what is computed: a wrong ``SHA256`` is a wrong ``SHA256``, and an
        empty value takes a field away. ``ships`` goes into the Contents index.
        """
        name = f"{control['Package']}_{control['Version'].partition(':')[2] or control['Version']}"
        path = f"pool/{component}/{name}_{control['Architecture']}.deb"
        self._write(path, deb)
        computed = {"Filename": path, "Size": str(len(deb)), "SHA256": Digest.of(deb).hex}
        self._added.append(_Added(suite, component, {**computed, **control}, tuple(ships)))
        return self.root / path

    def publish(self, *suites: str) -> None:
        """Write the indexes of all suites that have packages, and of those named."""
        shutil.rmtree(self.root / "dists", ignore_errors=True)
        for suite in sorted({*suites, *(added.suite for added in self._added)}):
            self._publish(suite)

    def source(self, suite: str = "bookworm", **changes: Any) -> AptSource:
        known: dict[str, Any] = {"components": ("main",), "keyring": self.keyring, "uri": self.uri}
        return AptSource(**{"suite": suite, **known, **changes})

    def deb822(self, *suites: str) -> str:
        """A sources file with the key in it, in the deb822 format."""
        lines = str(self.key.extract_certificate()).strip().splitlines()
        armor = "".join(f" {line or '.'}\n" for line in lines)
        names = " ".join(suites or ["bookworm"])
        about = f"Types: deb\nURIs: {self.uri}\nSuites: {names}\nComponents: main\n"
        return f"{about}Signed-By:\n{armor}"

    def paths(self) -> list[str]:
        """What was asked for since the last call, from the archive's root."""
        paths = [asked.path.removeprefix("/debian/") for asked in self.asked]
        self.asked.clear()
        return paths

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Serve the archive, and know its address in ``uri``."""
        with answering(self._answer) as host:
            self.uri = f"http://{host}/debian"
            yield self.uri

    def _answer(self, asked: Asked) -> Answer:
        path = unquote(asked.path)
        self.asked.append(replace(asked, path=path))
        inside = path.removeprefix("/debian/")
        if self.instead.get(inside):
            return self.instead[inside].pop(0)
        file = self.directory / path.lstrip("/")
        return Answer(body=file.read_bytes()) if file.is_file() else Answer(status=404)

    def _publish(self, suite: str) -> None:
        above = f"dists/{suite}"
        listed = {}
        for path, text in self._indexes(suite).items():
            for suffix in self.suffixes:
                data = COMPRESS[suffix](text)
                self._write(f"{above}/{path}{suffix}", data)
                if self.by_hash:
                    hashed = f"{above}/{path.rpartition('/')[0]}/by-hash/SHA256"
                    self._write(f"{hashed}/{Digest.of(data).hex}", data)
                if suffix not in self.unlisted:
                    listed[f"{path}{suffix}"] = data
        release = self._release(suite, listed).encode()
        signer = self.key.signer()
        self._write(f"{above}/Release", release)
        detached = sign(signer, release, mode=SignatureMode.DETACHED)
        self._write(f"{above}/Release.gpg", detached)
        self._write(f"{above}/InRelease", sign(signer, release, mode=SignatureMode.CLEAR))

    def _indexes(self, suite: str) -> dict[str, bytes]:
        added = [each for each in self._added if each.suite == suite]
        indexes = {}
        for component in sorted({each.component for each in added} | {"main"}):
            for architecture in self.architectures:
                own = [
                    each
                    for each in added
                    if each.component == component
                    and each.control["Architecture"] in {architecture, "all"}
                ]
                packages = "\n".join(_paragraph(each.control) for each in own)
                indexes[f"{component}/binary-{architecture}/Packages"] = packages.encode()
                ships = sorted(
                    f"{path}  misc/{each.control['Package']}\n"
                    for each in own
                    for path in each.ships
                )
                indexes[f"{component}/Contents-{architecture}"] = "".join(ships).encode()
        return indexes

    def _release(self, suite: str, listed: Mapping[str, bytes]) -> str:
        until = self.valid_until
        fields = {
            "Origin": "Local",
            "Suite": "stable",
            "Codename": suite,
            "Date": format_datetime(self.date.astimezone(UTC), usegmt=True),
            "Valid-Until": format_datetime(until.astimezone(UTC), usegmt=True) if until else "",
            "Acquire-By-Hash": "yes" if self.by_hash else "",
            "Architectures": " ".join(self.architectures),
            "SHA256": "".join(
                f"\n {Digest.of(data).hex} {len(data):>8} {path}" for path, data in listed.items()
            ),
            **self.fields.get(suite, {}),
        }
        return _paragraph(fields)

    def _write(self, path: str, data: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _paragraph(fields: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)
