"""What answer can a door send, and what of one that somebody else wrote?

A user's own answer to a refusal is held to what keeps it one: an error or a redirect, never kept by a cache, and
nothing in its headers that a server would read as something else.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from wsgiref.util import is_hop_by_hop

Headers = tuple[tuple[str, str], ...]

_PHRASES = {status.value: status.phrase for status in HTTPStatus}

# What a cache must never hand to somebody else, and what tells it so.
NO_STORE: Headers = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))

# Whatever is said of these is ours to say. The caches of a CDN believe their own before Cache-Control (RFC 9213).
_NOT_THEIRS = frozenset(
    {
        "cache-control",
        "cdn-cache-control",
        "cloudflare-cdn-cache-control",
        "content-length",
        "expires",
        "pragma",
        "surrogate-control",
        "vary",
        "x-content-type-options",
    }
)

# What a status asks for (RFC 9110 sections 15.5.2 and 15.6.4), taken from our own answer where theirs lacks it.
_ASKED_FOR = {401: "www-authenticate", 503: "retry-after"}

# As WSGI servers take them (PEP 3333), which is narrower than RFC 9110 section 5.6.2.
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?")

_NOT_MODIFIED = 304  # "show what you have" is an answer to somebody who may see it


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer that a door can send.

    Attributes:
        status: The HTTP status code.
        headers: Names and values, ASCII.
        body: Empty for HEAD.
    """

    status: int
    headers: Headers
    body: bytes

    @property
    def phrase(self) -> str:
        """The reason phrase of the status, for a status line."""
        return _PHRASES.get(self.status, "Refused")


OwnResponse = Response | tuple[int, Mapping[str, str] | Iterable[tuple[str, str]], bytes | str]
"""What a user's own answer may be: a :class:`Response`, or status, headers and body; text is sent as UTF-8."""


def own_response(given: object, *, default: Response) -> Response:
    """Make an answer that a user wrote fit to be sent instead of ours.

    Args:
        given: An :data:`OwnResponse`, or whatever was returned for one.
        default: Our own; what the status asks for and theirs lacks is taken from it.

    Raises:
        ValueError: It cannot be sent. The message quotes neither values nor the body.
    """
    status, headers, body = _parts(given)
    if type(status) is not int or not 300 <= status <= 599 or status == _NOT_MODIFIED:
        raise ValueError("the status of a refusal is 300 to 599, and not 304")
    content = body.encode() if isinstance(body, str) else body
    if not isinstance(content, bytes):
        raise ValueError("the body is neither bytes nor text")  # noqa: TRY004 - one kind of error for one question
    theirs = tuple(_checked(headers.items() if isinstance(headers, Mapping) else headers))
    names = {name.lower() for name, _ in theirs}
    kept = [(name, value) for name, value in theirs if name.lower() not in _NOT_THEIRS]
    if "content-type" not in names:
        kept.append(("Content-Type", "text/plain; charset=utf-8"))
    asked_for = _ASKED_FOR.get(status)
    if asked_for not in names:
        kept.extend(header for header in default.headers if header[0].lower() == asked_for)
    return Response(
        status=status,
        headers=(*kept, ("Content-Length", str(len(content))), *NO_STORE, ("Vary", _vary(default.headers, theirs))),
        body=content,
    )


def _parts(given: object) -> tuple[Any, Any, Any]:
    match given:
        case Response():
            return given.status, given.headers, given.body
        case (status, headers, body):
            return status, headers, body
        case _:
            raise ValueError("it is neither None, nor a Response, nor (status, headers, body)")


def for_method(response: Response, method: str) -> Response:
    """The same answer as it is sent to a method: HEAD gets no body (RFC 9110 section 9.3.2)."""
    return replace(response, body=b"") if method == "HEAD" else response


def _checked(headers: Iterable[object]) -> Iterable[tuple[str, str]]:
    for header in headers:
        match header:
            case (str(name), str(value)):
                pass
            case _:
                raise ValueError("a header is not a pair of texts")
        if not _NAME.fullmatch(name):
            raise ValueError("the name of a header is none")
        if name.lower() == "status" or is_hop_by_hop(name):  # CGI reads the one as the status (PEP 3333)
            raise ValueError(f"the header {name} is the server's to set")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the value of the header {name} is not visible ASCII from end to end")
        yield name, value


def _vary(*all_headers: Headers) -> str:
    """What any of the answers depends on, each named once."""
    values = [value for headers in all_headers for name, value in headers if name.lower() == "vary"]
    once: dict[str, str] = {}
    for name in ",".join(values).split(","):
        once.setdefault(name.strip().lower(), name.strip())
    return ", ".join(filter(None, once.values()))
