"""What does a service bring to prove itself? Client ID and secret, in two headers or as JSON in one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from cfaccess_mw.core.encoding import decode_json_object

_ID: Final = b"cf-access-client-id"
_SECRET: Final = b"cf-access-client-secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a service says of itself; nobody has believed it yet.

    Attributes:
        client_id: As it came.
        client_secret: As it came.
    """

    client_id: str
    client_secret: str = field(repr=False)


Presented = Credentials | Literal["malformed"] | None
"""What came; ``"malformed"`` where it is incomplete, double, or brought both ways; None where nothing did."""


def presented(headers: Sequence[tuple[bytes, bytes]], single_header: str = "") -> Presented:
    """Find the credentials of a service in a request.

    Args:
        headers: ASGI headers, names in lower case.
        single_header: The header in which the application takes both as JSON (``read_service_tokens_from_header``).
            What is no such JSON there is somebody else's, say a bearer token for the application.
    """
    ids, secrets = ([value for name, value in headers if name == wanted] for wanted in (_ID, _SECRET))
    wanted = single_header.lower().encode("ascii")
    single = [given for name, value in headers if wanted and name == wanted if (given := _from_json(value))]
    if not (ids or secrets or single):
        return None
    if single:
        return "malformed" if ids or secrets or len(single) > 1 else single[0]
    if len(ids) != 1 or len(secrets) != 1:
        return "malformed"
    return Credentials(client_id=ids[0].decode("latin-1"), client_secret=secrets[0].decode("latin-1"))


def _from_json(value: bytes) -> Presented:
    """Read the one header; the names are in lower case, and in no other."""
    try:
        given = decode_json_object(value)
    except ValueError:
        return None
    names = (_ID.decode("ascii"), _SECRET.decode("ascii"))
    client_id, secret = (given.get(name) for name in names)
    if client_id is None and secret is None:
        return None
    if not (isinstance(client_id, str) and isinstance(secret, str)):
        return "malformed"
    return Credentials(client_id=client_id, client_secret=secret)
