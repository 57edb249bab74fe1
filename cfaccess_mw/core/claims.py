"""Are these claims ours, of now, and whose are they? (specification 1.7 and 1.10)

Two questions at two moments: whom a token is meant for is asked before any key is looked for, so that garbage never
causes a fetch; the rest is asked of the same bytes after the signature proved them.
"""

import re
from collections.abc import Mapping
from typing import Any

from cfaccess_mw.core.errors import (
    Expired,
    InvalidClaim,
    MissingClaim,
    NotYetValid,
    TooOld,
    UnknownPrincipal,
    WrongAudience,
    WrongTokenType,
)
from cfaccess_mw.core.identity import Kind

Claims = Mapping[str, Any]
Audiences = tuple[frozenset[str], ...]

_LATEST = 253402300799  # 9999-12-31T23:59:59Z, the last second that datetime can show

# <32 hex>.access, optionally followed by .<domain> (Cloudflare, "Service tokens"; the API's example has the domain).
_CLIENT_ID = re.compile(r"[0-9a-f]{32}\.access(?:\.[a-z0-9-]+)*")


def _timestamp(value: object) -> float:
    """A NumericDate (RFC 7519 section 2) within what a calendar can show."""
    if (type(value) is int or type(value) is float) and 0 <= value <= _LATEST:
        return value
    raise MissingClaim if value is None else InvalidClaim


def read_issuer(claims: Claims) -> str:
    """The text of ``iss``.

    Raises:
        MissingClaim: There is none.
        InvalidClaim: It is not a string.
    """
    issuer = claims.get("iss")
    if issuer is None:
        raise MissingClaim
    if type(issuer) is not str:
        raise InvalidClaim
    return issuer


def read_audience(claims: Claims, audiences: Audiences) -> tuple[str, ...]:
    """The AUD tags of ``aud``, a string or a list of strings (RFC 7519 section 4.1.3).

    Args:
        claims: What the token says.
        audiences: Sets of accepted AUD tags; the token must name one of each.

    Raises:
        MissingClaim: There is none.
        InvalidClaim: An empty list, or something that is not a string.
        WrongAudience: The token is for another application, or there is nothing that it could be for.
    """
    value = claims.get("aud")
    if value is None:
        raise MissingClaim
    audience = (value,) if type(value) is str else tuple(value) if type(value) is list else ()
    if not audience:
        raise InvalidClaim
    for tag in audience:
        if type(tag) is not str:
            raise InvalidClaim
    if not audiences:
        raise WrongAudience  # where nothing is accepted, nothing passes
    for accepted in audiences:
        if accepted.isdisjoint(audience):
            raise WrongAudience
    return audience


def read_end(claims: Claims) -> float:
    """The seconds of ``exp``; Access puts it into every application token.

    Raises:
        MissingClaim: There is none.
        InvalidClaim: It is not a number in range.
    """
    return _timestamp(claims.get("exp"))


def has_ended(expires_at: float, now: float, leeway: float) -> bool:
    """Whether ``now`` is at or past it, leeway included (RFC 7519 section 4.1.4)."""
    return now >= expires_at + leeway


def read_expiry(claims: Claims, now: float, leeway: float) -> float:
    """Both at once: the seconds of a time that is still to come.

    Raises:
        MissingClaim: As :func:`read_end`.
        InvalidClaim: Likewise.
        Expired: :func:`has_ended`.
    """
    expires_at = read_end(claims)
    if has_ended(expires_at, now, leeway):
        raise Expired
    return expires_at


def check_type(claims: Claims) -> None:
    """Only application tokens admit to an application.

    Organisation, metadata, ``meta`` and external-evaluation tokens are signed with the same keys, and a metadata token
    with the right audience is handed to anyone who asks for it.

    Raises:
        WrongTokenType: ``type`` is not ``app``.
    """
    if claims.get("type") != "app":
        raise WrongTokenType


def read_lifetime(claims: Claims, now: float, leeway: float, max_age: float | None) -> tuple[float, float]:
    """When the token was issued, and from when on it counts (the later of ``iat`` and ``nbf``).

    Raises:
        MissingClaim: There is no ``iat``.
        InvalidClaim: One of the two is not a number in range.
        NotYetValid: One of the two lies more than the leeway ahead.
        TooOld: It was issued more than ``max_age`` seconds ago, leeway included.
    """
    issued_at = counts_from = _timestamp(claims.get("iat"))
    not_before = claims.get("nbf")
    if not_before is not None and _timestamp(not_before) > counts_from:
        counts_from = not_before
    if counts_from > now + leeway:
        raise NotYetValid
    if max_age is not None and now >= issued_at + max_age + leeway:
        raise TooOld
    return issued_at, counts_from


def read_text(claims: Claims, name: str) -> str | None:
    """A claim that names something, or None where it is absent, ``null`` or empty.

    Raises:
        InvalidClaim: Not a string, or one with control or invisible characters or lone surrogates: it goes into headers
            and log lines.
    """
    value = claims.get(name)
    if value is None:
        return None
    if type(value) is not str or not value.isprintable():
        raise InvalidClaim
    return value or None


def read_email(claims: Claims) -> str | None:
    """The ``email`` of a user, or None.

    Raises:
        InvalidClaim: It has not exactly one ``@`` with something on both sides, or has a space.
    """
    email = read_text(claims, "email")
    if email is not None:
        local, at, domain = email.partition("@")
        if not (local and at and domain) or "@" in domain or " " in email:
            raise InvalidClaim
    return email


def read_principal(
    email: str | None, subject: str | None, common_name: str | None, *, certificates: bool
) -> tuple[Kind, str]:
    """Say who this is, as ``(kind, id)``.

    A service has no e-mail, no ``sub``, and a Client ID as its ``common_name``. A user has an e-mail and a ``sub``.
    Another ``common_name`` is a client certificate's, whose token Cloudflare does not document: it is never taken for a
    service token, and is accepted at all only where ``certificates`` says so. Its id begins with ``cn=``, so that
    nobody who can choose the name in a certificate can choose to be somebody else.

    Raises:
        UnknownPrincipal: Both, or neither.
    """
    is_client_id = common_name is not None and _CLIENT_ID.fullmatch(common_name) is not None
    if email and subject and (common_name is None or (certificates and not is_client_id)):
        return "user", subject
    if common_name is not None and not email and not subject:
        if is_client_id:
            return "service", common_name
        if certificates:
            return "certificate", f"cn={common_name}"
    raise UnknownPrincipal
