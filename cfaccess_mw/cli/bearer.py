"""Who would be asking? An identity as a verified token would give it, from claims or from a token that nobody verified.

The readers are those of the verification, so that what is explained is what would happen; only the signature and the
times are taken on trust. What else would have had a real token refused is told beside the identity.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from cfaccess_mw.core.claims import (
    check_type,
    read_audience,
    read_email,
    read_expiry,
    read_issuer,
    read_lifetime,
    read_principal,
    read_text,
)
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import ConfigurationError, InvalidToken, WrongIssuer
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.token import parts_of, read_key_id

# The subject of somebody whose claims were written down without one; a real token has one.
NO_SUBJECT = "00000000-0000-0000-0000-000000000000"
_LIFETIME = 3_600  # seconds


def identity_from_claims(
    claims: Mapping[str, Any], config: AccessConfig, *, subject: str = ""
) -> tuple[Identity, list[str]]:
    """Make an identity of claims that somebody wrote down.

    What every token has and nobody wants to write is filled in: issuer, the configuration's first audience, times, the
    type, and a subject beside an e-mail address.

    Args:
        claims: The claims; ``{"email": "user@example.com"}`` suffices, or ``{"common_name": "<Client ID>"}``.
        config: Says what is filled in.
        subject: What is filled in as ``sub`` beside an e-mail address.

    Returns:
        The identity, and the codes of what a real token with these claims would be refused for.

    Raises:
        ConfigurationError: No token has such claims.
    """
    now = int(time.time())
    usual = {
        "type": "app",
        "iss": config.teams[0].issuer,
        "aud": [config.audience[0]] if isinstance(config.audience, tuple) else [],
        "iat": now,
        "exp": now + _LIFETIME,
    }
    if claims.get("email"):
        usual["sub"] = subject or NO_SUBJECT
    try:
        payload = json.dumps({**usual, **claims}).encode()
        decode_json_object(payload)
    except (TypeError, ValueError):
        raise ConfigurationError(
            "claims: have a value that no token can have; write texts, numbers and lists"
        ) from None
    return _identity("claims", payload, config)


def identity_from_token(token: str, config: AccessConfig) -> tuple[Identity, list[str]]:
    """Make an identity of a token without verifying it.

    Args:
        token: The assertion.
        config: What it is compared with.

    Returns:
        The identity, and the codes of what it would be refused for, its signature aside.

    Raises:
        ConfigurationError: It is not a token of the form that Access uses.
    """
    try:
        parts = parts_of(token)
        read_key_id(parts.header)
    except InvalidToken as refusal:
        raise _mistake("token", refusal) from None
    return _identity("token", parts.decoded_payload(), config)


def _identity(what: str, payload: bytes, config: AccessConfig) -> tuple[Identity, list[str]]:
    try:
        claims = decode_json_object(payload)
    except ValueError:
        raise ConfigurationError(f"{what}: is no strict JSON object; give the claims of an application token") from None
    now = time.time()
    leeway, issuers = config.leeway, {team.issuer for team in config.teams}
    try:
        email, subject, common_name = read_email(claims), read_text(claims, "sub"), read_text(claims, "common_name")
        kind, stable_id = read_principal(email, subject, common_name, certificates=config.certificates)
        issued_at, _ = read_lifetime(claims, float("inf"), 0, None)
        identity = Identity(
            kind=kind,
            id=stable_id,
            email=email,
            subject=subject or "",
            common_name=common_name,
            country=read_text(claims, "country"),
            issuer=read_issuer(claims),
            audience=read_audience(claims, (frozenset(_all_of(claims)),)),
            issued_at=issued_at,
            expires_at=read_expiry(claims, float("-inf"), 0),
            nonce=read_text(claims, "identity_nonce"),
            key_thumbprint="",
            _payload=payload,
        )
    except InvalidToken as refusal:
        raise _mistake(what, refusal) from None
    checks: tuple[Callable[[], object], ...] = (
        lambda: _check_issuer(identity, issuers),
        lambda: check_type(claims),
        lambda: read_expiry(claims, now, leeway),
        lambda: read_lifetime(claims, now, leeway, config.max_age),
    )
    return identity, [code for check in checks if (code := refusal_code(check))]


def _all_of(claims: Mapping[str, Any]) -> list[str]:
    """Every audience that is named, so that whose token it is remains for the rules to say."""
    named = claims.get("aud")
    return [tag for tag in (named if isinstance(named, list) else [named]) if isinstance(tag, str)]


def _check_issuer(identity: Identity, issuers: set[str]) -> None:
    if identity.issuer not in issuers:
        raise WrongIssuer


def refusal_code(check: Callable[[], object]) -> str:
    """Return the code of what a check refuses a token for; empty where it does not."""
    try:
        check()
    except InvalidToken as refusal:
        return refusal.code
    return ""


def _mistake(what: str, refusal: InvalidToken) -> ConfigurationError:
    return ConfigurationError(f"{what}: would be refused whatever the rules say ({refusal.code}): {refusal.detail}")
