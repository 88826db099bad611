"""Whether a registry takes a credential, before it is kept."""

from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus

from builder.errors import TransportError
from builder.registry.auth import Authorization
from builder.registry.credential import Credential
from builder.registry.endpoint import Endpoint
from builder.registry.refusal import refusal
from builder.retry import Retry, passing
from builder.transport import HttpTransport, Request, Transport

_HINTS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the user name or password is wrong",
    HTTPStatus.NOT_FOUND: "no registry answers there: look at the address",
}


def _connect(endpoint: Endpoint) -> Transport:
    return HttpTransport(tls=endpoint.tls, host=endpoint.host)


def check_login(
    endpoint: Endpoint,
    credential: Credential,
    *,
    retry: Retry,
    connect: Callable[[Endpoint], Transport] = _connect,
) -> bool:
    """Ask a registry whether it takes a credential; False when it lets everybody in.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support

    Args:
        endpoint: any repository there.
        credential: what it shall take.
        retry: how often to ask.
        connect: opens the connections.

    Raises:
        RegistryError: it does not.
        TransportError: it cannot be reached.
    """
    with closing(connect(endpoint)) as transport:

        def ask() -> bool:
            with passing():
                return _ask_by_either(transport, endpoint, credential)

        return retry.run(ask)


def _ask_by_either(transport: Transport, endpoint: Endpoint, credential: Credential) -> bool:
    *others, last = endpoint.schemes
    for scheme in others:
        try:
            return _ask(transport, f"{scheme}://{endpoint.host}", credential)
        except TransportError as error:
            if not error.plain_http and not error.unreached:
                raise
    return _ask(transport, f"{last}://{endpoint.host}", credential)


def _ask(transport: Transport, address: str, credential: Credential) -> bool:
    authorization = Authorization(credential)
    with authorization.send(transport, Request(url=f"{address}/v2/"), ()) as answer:
        if answer.status == HTTPStatus.OK:
            return authorization.was_asked
        error = refusal(answer, f"logging in to {address}")
    error.hint = _HINTS.get(answer.status, error.hint)
    raise error
