"""What is about a manifest: signatures, inventories and the like, found by the manifest's digest.

Registries that know of ``subject`` list such manifests themselves. At the others a tag that is
made of the digest holds the list, and whoever pushes such a manifest has to write it there.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#unavailable-referrers-api
"""

import random
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from builder.errors import DocumentError, RegistryError
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.document import MAX_DOCUMENT, parse_object
from builder.oci.manifest import parse_index, parse_manifest
from builder.oci.members import optional_text, text_map
from builder.registry.client import RegistryClient
from builder.registry.referrers_tag import TaggedList
from builder.retry import passing
from builder.transport import Request, Response
from layers.digest import Digest

_UNSUPPORTED = frozenset({400, 404, 405, 406, 501})
"""What servers answer that know nothing of referrers."""
_NEXT = re.compile(r'<([^>]*)>\s*;[^,<]*\brel="?next"?')
_MOST_PAGES = 1000
_TRIES = 10
_PAUSE_SECONDS = (0.2, 0.6)
_ONE_AT_A_TIME = threading.Lock()
"""Between reading a list and writing it: threads of one process need not meet there at all."""


def referrer_of(raw: bytes, media_type: str) -> Descriptor:
    """What a list of referrers says of a manifest or index: its kind and annotations too.

    A manifest that does not name its kind is of the kind of its config.

    Raises:
        DocumentError: the bytes are neither.
    """
    what = "manifest"
    value = parse_object(raw, what)
    kind = optional_text(value, "artifactType", what)
    if media_type not in media_types.INDEXES:
        kind = kind or parse_manifest(raw, media_type).value.config.media_type
    return Descriptor(
        media_type=media_type,
        digest=Digest.of(raw),
        size=len(raw),
        annotations=text_map(value, "annotations", what),
        artifact_type=kind,
    )


def list_referrers(
    client: RegistryClient, digest: Digest, artifact_type: str | None = None
) -> tuple[Descriptor, ...]:
    """The manifests of a repository whose subject is the manifest ``digest``.

    Args:
        client: of the repository.
        digest: of a manifest or index, which need not be there.
        artifact_type: the only kind that is wanted; every kind when None.

    Raises:
        RegistryError: the registry does not say, or pages lead nowhere.
        TransportError: the registry cannot be reached.
        DocumentError: what stands in the place of a list is none.
    """
    found = _ask(client, digest, artifact_type)
    if found is None:
        found = TaggedList.read(client, digest).descriptors()
    # Each once; and a registry need not filter.
    once = {each.digest: each for each in found}.values()
    return tuple(each for each in once if artifact_type in {None, each.artifact_type})


def announce(
    client: RegistryClient, subject: Descriptor, referrer: Descriptor, answer: Response
) -> None:
    """Have a manifest that was pushed found by its subject.

    A registry that lists referrers itself has said so in its answer, and nothing is left to do.
    At any other one the list under the subject's tag is read, completed and written.

    The specification has no way to write a list only if nobody else did meanwhile. So it is read
    again after a pause of random length, and written again, with all that was ever seen in it,
    as long as anything of that is missing. What this promises: threads of this process lose
    nothing to each other. Another process that writes the same list may still drop this entry,
    if more time passes between its reading and its writing than the pause lasts; and an entry
    that somebody deletes on purpose in these moments may come back. What another tool keeps in
    the list beside its entries stays; entries whose manifests are gone are left out where the
    registry wants that.

    Args:
        client: of the repository.
        subject: what the manifest is about.
        referrer: the manifest, with its kind and annotations, as ``referrer_of`` has them.
        answer: to the request that pushed the manifest.

    Raises:
        RegistryError: the registry refuses the list, or others keep undoing it.
        TransportError: the registry cannot be reached.
        DocumentError: what stands in the place of the list is none.
    """
    if "oci-subject" in answer.headers:
        return
    known: dict[Digest, Mapping[str, Any]] = {referrer.digest: referrer.to_json()}
    for _ in range(_TRIES):
        with _ONE_AT_A_TIME:
            found = TaggedList.read(client, subject.digest)
            # An entry as the list has it wins over one as it was.
            known |= found.entries
            if known.keys() == found.entries.keys():
                return
            known = found.complete(client, known, referrer.digest)
        client.retry.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - jitter, no secret
    raise RegistryError(
        f"adding {referrer.digest} to the referrers of {subject.digest} in {client.name}: "
        f"others have overwritten the list {_TRIES} times",
        status=HTTPStatus.CREATED,
        hint="push again, when nobody else pushes there",
    )


def _ask(
    client: RegistryClient, digest: Digest, artifact_type: str | None
) -> Iterable[Descriptor] | None:
    """What the registry itself lists; None when it does not do that."""
    query = f"?{urlencode({'artifactType': artifact_type})}" if artifact_type else ""
    first = client.url(f"referrers/{digest}{query}")
    url: str | None = first
    asked: set[str] = set()
    found: list[Descriptor] = []
    attempt = f"asking {client.host} for the referrers of {client.repository}@{digest}"
    while url is not None:
        if url in asked or len(asked) >= _MOST_PAGES:
            raise RegistryError(f"{attempt}: the pages lead nowhere", status=HTTPStatus.OK)
        asked.add(url)
        page = _page(client, url, attempt, is_first=url == first)
        if page is None:
            return None
        found += page.manifests
        url = page.following
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    manifests: tuple[Descriptor, ...]
    following: str | None


def _page(client: RegistryClient, url: str, attempt: str, *, is_first: bool) -> _Page | None:
    """A part of the list; None when the server knows nothing of referrers."""
    request = Request(url=url, headers={"Accept": media_types.INDEX})

    def fetch() -> tuple[bytes, str]:
        with client.ask(request, attempt) as answer, passing():
            return answer.read(MAX_DOCUMENT + 1), answer.headers.get("link", "")

    try:
        raw, link = client.retry.run(fetch)
    except RegistryError as error:
        if is_first and error.status in _UNSUPPORTED:
            return None
        raise
    try:
        index = parse_index(raw).value
    except DocumentError as error:
        if is_first:
            return None
        raise RegistryError(f"{attempt}: {error.message}", status=HTTPStatus.OK) from None
    following = _NEXT.search(link)
    return _Page(
        manifests=index.manifests,
        following=_beside(url, following[1], attempt) if following else None,
    )


def _beside(url: str, link: str, attempt: str) -> str:
    """The address of the next page, at the same server: no other has a part of its list."""
    try:
        here, there = urlsplit(url), urlsplit(urljoin(url, link))
    except ValueError:
        raise RegistryError(
            f"{attempt}: the next page is said to be at what is no address", status=HTTPStatus.OK
        ) from None
    if there.hostname != here.hostname:
        raise RegistryError(
            f"{attempt}: the next page is said to be at {there.hostname or 'no host'}; refused",
            status=HTTPStatus.OK,
        )
    # Behind a proxy, registries may know neither the scheme nor the port that they are asked by.
    return urlunsplit((here.scheme, here.netloc, there.path, there.query, ""))
