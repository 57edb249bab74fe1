"""When does a token that we are given expire? Read without verifying it, only to know for how long it is of use to us.

Whether a token is good is for Access to say; nothing that is read here lets anybody in anywhere.
"""

from typing import Any, Final

from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import InvalidToken
from cfaccess_mw.core.token import parts_of

_LATEST: Final = 253402300799  # 9999-12-31T23:59:59Z, the last second that datetime can show


def read_payload(token: str) -> dict[str, Any]:
    """What stands in a token, believed by nobody.

    Raises:
        ValueError: It is not a signed token of at most 16,384 characters.
    """
    payload = _payload(token)
    if payload is None:
        raise ValueError("not a signed token")
    return decode_json_object(payload)


def read_expiry(token: str) -> float:
    """The seconds of ``exp``, by Cloudflare's clock.

    Raises:
        ValueError: It is not a signed token, or says nothing of the kind.
    """
    expires = read_payload(token).get("exp")
    if not isinstance(expires, int | float) or not 0 <= expires <= _LATEST:
        raise ValueError("a token without expiry")
    return float(expires)


def _payload(token: str) -> bytes | None:
    try:
        return parts_of(token).decoded_payload()
    except InvalidToken:
        return None  # so that the error is raised outside of this block, with no token chained to it
