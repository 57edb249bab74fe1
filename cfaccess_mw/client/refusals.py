"""Who answered, Access or the application? And if it was Access, what does it want?"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import parse_qs, urlsplit

from cfaccess_mw.client.conversation import Answer
from cfaccess_mw.client.tokens import read_payload

_LOGIN_PATH = re.compile(r"/cdn-cgi/access/login(?:/|$)")
_REDIRECTS: Final = frozenset({302, 303, 307})
_REFUSALS: Final = frozenset({401, 403})

# What Access puts on answers of its own, and an application has no reason to: Cloudflare, "Authenticate coding agents"
# (Cf-Access-Error); cloudflared before August 2026, token.go (the other two).
_MARKS: Final = frozenset({"cf-access-error", "cf-access-domain", "cf-access-aud"})
# Beside a challenge of ours, Cloudflare-Access with a realm, which an application's own middleware sends.
_CHALLENGE: Final = "/.well-known/cloudflare-access-protected-resource"
_RAY = re.compile(r"[0-9a-f]{16}(?:-[A-Z]{3})?")


class Wants(Enum):
    """What Access makes of a request."""

    LOGIN = "login"
    """Somebody should sign in."""

    CREDENTIALS = "credentials"
    """There are none, or none that it knows (401)."""

    ADMISSION = "admission"
    """It knows who this is, and no policy admits them (403)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer of Access in place of the application's.

    Attributes:
        wants: What it is about.
        status: The HTTP status code.
        ray: ``Cf-Ray``, or empty text.
        is_service_known: Whether Access says that it knows the service token; None where it does not say.
    """

    wants: Wants
    status: int
    ray: str
    is_service_known: bool | None = None


def refusal_in(answer: Answer) -> Refusal | None:
    """What Access says in an answer, or None where the application speaks."""
    ray = answer.first("cf-ray")
    ray = ray if _RAY.fullmatch(ray) else ""
    location = answer.first("location")
    if answer.status in _REDIRECTS and _is_login(location):
        return Refusal(wants=Wants.LOGIN, status=answer.status, ray=ray, is_service_known=_service_status(location))
    if answer.status in _REFUSALS and _is_marked(answer):
        wants = Wants.CREDENTIALS if answer.status == 401 else Wants.ADMISSION
        return Refusal(wants=wants, status=answer.status, ray=ray)
    return None


def _is_login(location: str) -> bool:
    try:
        return _LOGIN_PATH.match(urlsplit(location).path) is not None
    except ValueError:
        return False


def _is_marked(answer: Answer) -> bool:
    if any(name in _MARKS for name, _ in answer.headers):
        return True
    return any(_CHALLENGE in challenge for challenge in answer.all("www-authenticate"))


def _service_status(location: str) -> bool | None:
    """What ``meta`` says about the service token; only that it is known can be relied on (seen, not documented)."""
    for meta in parse_qs(urlsplit(location).query).get("meta", [])[:1]:
        try:
            return True if read_payload(meta).get("service_token_status") is True else None
        except ValueError:
            return None
    return None
