"""How is a client signed in? By the one header that the edge sends, wherever this client keeps what it always sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from cfaccess_mw.testing.places import ASSERTION, Place, place_of

__all__ = ["ASSERTION", "sign_in", "sign_out", "signed_in"]

C = TypeVar("C")


def sign_in(client: C, token: str) -> C:
    """Have a client send a token with every request, instead of the one that it sends.

    Args:
        client: One of the kinds that :mod:`cfaccess_mw.testing` names.
        token: The assertion.

    Returns:
        The client.

    Raises:
        ConfigurationError: Not such a client.
    """
    _send(place_of(client), token)
    return client


def sign_out(client: C) -> C:
    """Have a client send no token.

    Returns:
        The client.

    Raises:
        ConfigurationError: Not a client that is known.
    """
    _send(place_of(client), None)
    return client


@contextmanager
def signed_in(client: C, token: str | None) -> Iterator[C]:
    """Sign a client in for the length of a block, and restore what was before.

    Args:
        client: As for :func:`sign_in`.
        token: The assertion; None signs the client out.

    Raises:
        ConfigurationError: Not a client that is known.
    """
    place = place_of(client)
    before = place.sent.get(place.name)
    _send(place, token)
    try:
        yield client
    finally:
        _send(place, before)


def _send(place: Place, token: str | None) -> None:
    if token is None:
        place.sent.pop(place.name, None)
    else:
        place.sent[place.name] = token
