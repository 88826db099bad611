import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

# Ignoring SIGTERM before uvicorn handles it is what being process 1 of a container amounts
# to: uvicorn raises the signal again when it is done, nothing dies of it, and the process
# has to come to its own end.
SERVE_AS_PROCESS_ONE = """
import signal, sys, uvicorn
signal.signal(signal.SIGTERM, signal.SIG_IGN)
uvicorn.run("second_brain.main:app", port=int(sys.argv[1]))
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_for_health(port: int) -> str:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as answer:
                body: bytes = answer.read()
                return body.decode()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_sigterm_does_not_wait_for_services_that_hang(
    monkeypatch: pytest.MonkeyPatch, silent_url: str
) -> None:
    monkeypatch.setenv("KEY_VAULT_URL", silent_url)
    monkeypatch.setenv("COSMOS_ENDPOINT", silent_url)
    monkeypatch.setenv("CONNECT_TIMEOUT_SECONDS", "1")
    port = free_port()
    command = [sys.executable, "-c", SERVE_AS_PROCESS_ONE, str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            assert wait_for_health(port) == '{"status":"ok"}'
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=10) == 0
        finally:
            server.kill()
