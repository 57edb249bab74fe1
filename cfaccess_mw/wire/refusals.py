"""How does a refusal look? Problem details for programs (RFC 9457), a small page for people."""

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib import resources
from string import Template

from cfaccess_mw.core.errors import InvalidToken, Refused, Unauthenticated
from cfaccess_mw.wire.prefers import is_for_a_person

# <16 hex>-<data centre>; it is the client's word where Cloudflare did not write it, so only this form is repeated.
_RAY = re.compile(r"[0-9a-f]{16}-[A-Z]{3}")

_TYPE = "urn:cfaccess:refusal:"

# What a refusal looks like depends on these, and a cache must never hand it to somebody else.
_ALWAYS = (
    ("Cache-Control", "no-store"),
    ("Vary", "Accept, Sec-Fetch-Mode"),
    ("X-Content-Type-Options", "nosniff"),
)

_PROBLEM_HEADERS = (("Content-Type", "application/problem+json"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer that a door can send.

    Attributes:
        status: The HTTP status code.
        headers: Names and values, ASCII.
        body: Empty for HEAD.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def phrase(self) -> str:
        """The reason phrase of the status, for a status line."""
        return HTTPStatus(self.status).phrase


class Refusals:
    """Turns refusals into responses.

    Args:
        realm: What ``WWW-Authenticate`` names: the team's domain.
        unauthenticated_status: 401, or 403 where Cloudflare would replace a 401 (Managed OAuth); then no
            ``WWW-Authenticate`` is sent, which would be in its way too.
    """

    def __init__(self, *, realm: str, unauthenticated_status: int) -> None:
        self._realm = realm
        self._unauthenticated_status = unauthenticated_status

    def response(self, error: Refused, *, method: str, header: Callable[[str], str]) -> Response:
        """The answer to a refused request.

        Args:
            error: Why it is refused.
            method: The request's method; HEAD gets no body (RFC 9110 section 9.3.2).
            header: Gives a request header's value by its lower-case name, and empty text where there is none.
        """
        status = self._unauthenticated_status if isinstance(error, Unauthenticated) else error.status
        ray = header("cf-ray")
        ray = ray if _RAY.fullmatch(ray) else ""
        if is_for_a_person(header("sec-fetch-mode"), header("accept")):
            body, headers = _page(error, status, ray), _page_headers()
        else:
            body, headers = _problem(error, status, ray), _PROBLEM_HEADERS
        return Response(
            status=status,
            headers=(
                *headers,
                ("Content-Length", str(len(body))),
                *_ALWAYS,
                *self._challenge(error, status),
                *_retry_after(error),
            ),
            body=b"" if method == "HEAD" else body,
        )

    def _challenge(self, error: Refused, status: int) -> tuple[tuple[str, str], ...]:
        if status != 401:
            return ()
        given = ', error="invalid_token"' if isinstance(error, InvalidToken) else ""
        return (("WWW-Authenticate", f'Cloudflare-Access realm="{self._realm}"{given}'),)


def _retry_after(error: Refused) -> tuple[tuple[str, str], ...]:
    if error.status != 503:
        return ()
    return (("Retry-After", str(max(1, math.ceil(error.retry_after or 1)))),)


def _problem(error: Refused, status: int, ray: str) -> bytes:
    problem: dict[str, object] = {
        "type": _TYPE + error.code,
        "title": error.title,
        "status": status,
        "detail": error.detail,
        "code": error.code,
    }
    if ray:
        problem["instance"] = ray
    return json.dumps(problem).encode()


def _page(error: Refused, status: int, ray: str) -> bytes:
    facts = {
        "title": error.title,
        "detail": error.detail,
        "code": error.code,
        "status": str(status),
        "ray": ray or "none",
    }
    return _template().substitute({name: html.escape(text) for name, text in facts.items()}).encode()


@cache
def _template() -> Template:
    return Template(resources.files("cfaccess_mw.wire").joinpath("refusal.html").read_text(encoding="utf-8"))


@cache
def _page_headers() -> tuple[tuple[str, str], ...]:
    """The page needs its own style and nothing else, and belongs into nobody's frame."""
    style = _template().template.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "no-referrer"),
    )
