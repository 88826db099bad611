"""The only room that opens HTTP connections.

Everything else speaks through ``Transport``: one request in, one answer out, its body a stream.
What stands behind it is imported when a connection is wanted, not before; who only knows how TLS
is to be spoken, as settings have it, pays for no more than that.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from builder.transport.client import HttpTransport
    from builder.transport.message import Body, Headers, Request, Response, Transport, host_of
    from builder.transport.tls import Tls

__all__ = [
    "Body",
    "Headers",
    "HttpTransport",
    "Request",
    "Response",
    "Tls",
    "Transport",
    "host_of",
]

_HOMES = {"HttpTransport": "client", "Tls": "tls"}


def __getattr__(name: str) -> Any:
    """A public name, from the module that has it.

    https://peps.python.org/pep-0562/
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'message')}"), name)
