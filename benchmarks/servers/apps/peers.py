"""How do people verify these tokens without us? Two ways with PyJWT, each as careful as its documentation shows."""

import os
from collections.abc import Callable
from typing import Any, Final

import httpx
import jwt

AUDIENCE: Final = os.environ.get("CFACCESS_AUDIENCE", "")
ISSUER: Final = f"https://{os.environ.get('CFACCESS_TEAM', '')}"
CERTS: Final = f"{os.environ.get('CFACCESS_TEAM_URL', '')}/cdn-cgi/access/certs"

Claims = dict[str, Any]
Check = Callable[[str | None], Claims | None]
"""From the header, where there is one, to the claims; None for whoever is refused."""


def with_keys_at_hand() -> Check:
    """Keys fetched once, at start; a rotation is never learned."""
    document = httpx.get(CERTS, timeout=5).raise_for_status().json()
    keys = {jwk["kid"]: jwt.PyJWK(jwk) for jwk in document["keys"]}

    def key_of(token: str) -> Any:
        kid = jwt.get_unverified_header(token)["kid"]
        if kid not in keys:
            raise jwt.InvalidTokenError("unknown key")
        return keys[kid]

    return _check(key_of)


def with_client() -> Check:
    """``PyJWKClient``, which fetches for itself, and blocks whoever asks."""
    client = jwt.PyJWKClient(CERTS, cache_keys=True)
    return _check(lambda token: client.get_signing_key_from_jwt(token).key)


def _check(key_of: Callable[[str], Any]) -> Check:
    options: Any = {"require": ["exp", "iat", "iss", "aud"]}

    def check(token: str | None) -> Claims | None:
        if token is None:
            return None
        try:
            key = key_of(token)
            return jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER, options=options)
        except jwt.PyJWTError:
            return None

    return check
