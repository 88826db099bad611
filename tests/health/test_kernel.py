"""The kernel's tables, read of this very process."""

import ipaddress
import os
import socket

import pytest

from builder.health.kernel import Listener, Process


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::"),
    ],
)
def test_a_listening_socket_is_found(family: int, address: str) -> None:
    try:
        listening = socket.socket(family)
        listening.bind((address, 0))
    except OSError:
        pytest.skip(f"this machine has no {address}")
    with listening:
        port = listening.getsockname()[1]
        before = Process(os.getpid()).listeners()
        listening.listen()
        after = Process(os.getpid()).listeners()
    wanted = Listener(ipaddress.ip_address(address), port, os.getuid())
    assert wanted not in before
    assert wanted in after


def test_whose_process_it_is() -> None:
    assert Process(os.getpid()).uids() == {os.getuid()}


def test_a_process_that_is_gone_is_nobodys() -> None:
    gone = Process(0)
    assert gone.uids() == set()
    assert gone.listeners() == []
