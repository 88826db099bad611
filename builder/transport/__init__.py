"""The only room that opens HTTP connections.

Everything else speaks through ``Transport``: one request in, one answer out, its body a stream.
The library behind it is imported when a connection is wanted, not before: it costs 90 ms.
"""

from builder.transport.client import HttpTransport
from builder.transport.message import (
    Body,
    Headers,
    Request,
    Response,
    Transport,
    host_of,
)
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
