"""Registries as the tests reach them: nothing of this machine's configuration counts."""

from collections.abc import Iterator
from contextlib import contextmanager

from builder.events import EventSink, ignore
from builder.parallel import InTurn
from builder.process import run
from builder.registry.access import RegistryAccess
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
    with RegistryAccess(hosts=hosts or Hosts(), keychain=keychain, retry=retry) as access:
        yield access
