"""Registries as the tests reach them: nothing of this machine's configuration counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from builder.events import EventSink, InTurn, ignore
from builder.process import run
from builder.registry.access import RegistryAccess
from builder.registry.clients import Clients
from builder.registry.hosts import Hosts
from builder.registry.keychain import Keychain
from builder.retry import Retry


@contextmanager
def open_access(
    events: EventSink = ignore, *, hosts: Hosts | None = None
) -> Iterator[RegistryAccess]:
    """Anonymous, and without pauses before it asks again."""
    retry = Retry(events=InTurn(events), sleep=lambda _: None)
    keychain = Keychain.at_home({}, run)
    clients = partial(Clients, keychain=keychain, retry=retry)
    with RegistryAccess(hosts=hosts or Hosts(), clients=clients) as access:
        yield access
