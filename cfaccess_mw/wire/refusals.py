"""How does a refusal look? Problem details for programs (RFC 9457), a small page for people, and a way to sign in.

Against whom the redirect to the login page is careful: it is made for windows of browsers only, for refusals that a
new session mends, to the team's own address and nowhere else, and once: a browser that comes back within a minute and
is still refused sees the page.
"""

import inspect
import json
import logging
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Unpack

from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError, InvalidToken, NotPermitted, Refused, Unauthenticated
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.shape import shape
from cfaccess_mw.wire.login import LOGOUT_PATH, SignIn, is_marked, marker
from cfaccess_mw.wire.prefers import Header, is_for_a_person, is_navigation
from cfaccess_mw.wire.refusal_page import RefusalPage
from cfaccess_mw.wire.refused import Asked, OnRefusal, RefusedRequest
from cfaccess_mw.wire.response import NO_STORE, Headers, Response, for_method, own_response

__all__ = ["Refusals", "Response"]

_log = logging.getLogger("cfaccess_mw")

# <16 hex>-<data centre>; it is the client's word where Cloudflare did not write it, so only this form is repeated.
_RAY = re.compile(r"[0-9a-f]{16}-[A-Z]{3}")

_TYPE = "urn:cfaccess:refusal:"

_PROBLEM_HEADERS = (("Content-Type", "application/problem+json"),)

# What a refusal looks like depends on these, and on the others where people are sent to sign in.
_VARY = "Accept, Sec-Fetch-Mode"
_VARY_SIGN_IN = _VARY + ", Sec-Fetch-Dest, Sec-Purpose, X-Requested-With, Cookie"


class Refusals:
    """Turns refusals into responses.

    Args:
        realm: What ``WWW-Authenticate`` names: the team's domain.
        unauthenticated_status: 401, or 403 where Cloudflare would replace a 401 (Managed OAuth); then no
            ``WWW-Authenticate`` is sent, which would be in its way too.
        team_url: The base of the team's login page; without it nobody is shown the way there.
        audience: The configured AUD tags; of several that would do, people sign in to the first.
        login_redirect: Whether people are sent to the login page instead of being shown the way there.
        on_refusal: The user's own answer. Whatever goes wrong in it is logged, and ours is sent.
        template: The path of the user's own page.
        blocking: Whether the door cannot await ``on_refusal``.

    Raises:
        ConfigurationError: ``on_refusal`` or ``template`` cannot be used.
    """

    def __init__(
        self,
        *,
        realm: str,
        unauthenticated_status: int,
        team_url: str | None = None,
        audience: Sequence[str] = (),
        login_redirect: bool = False,
        on_refusal: OnRefusal | None = None,
        template: str | os.PathLike[str] | None = None,
        blocking: bool = False,
    ) -> None:
        self._realm = realm
        self._unauthenticated_status = unauthenticated_status
        self._sign_in = None if team_url is None else SignIn(base_url=team_url, audience=audience)
        self._redirects = login_redirect
        self._on_refusal = _checked(on_refusal, blocking=blocking)
        self._page = RefusalPage(template)
        self._always: Headers = (*NO_STORE, ("Vary", _VARY_SIGN_IN if login_redirect else _VARY))

    def response(self, error: Refused, **asked: Unpack[Asked]) -> Response:
        """The answer to a refused request, for a door that blocks.

        Args:
            error: Why it is refused.
            **asked: What is known of the request, see :class:`~cfaccess_mw.wire.refused.Asked`.
        """
        request = self._request(error, **asked)
        if self._on_refusal is None:
            return for_method(request.response, request.method)
        try:
            given = self._on_refusal(request)
            if inspect.isawaitable(given):
                if inspect.iscoroutine(given):
                    given.close()  # or the interpreter warns that nobody awaited it
                raise TypeError("it is asynchronous, and this door cannot await it")  # noqa: TRY301 - told as the rest
            return _chosen(given, request)
        except Exception:  # noqa: BLE001 - whatever it does, the request stays refused and gets an answer
            return _fallen_back(request)

    async def response_async(self, error: Refused, **asked: Unpack[Asked]) -> Response:
        """The same for a door that runs on an event loop; ``on_refusal`` may be asynchronous.

        Args:
            error: Why it is refused.
            **asked: What is known of the request, see :class:`~cfaccess_mw.wire.refused.Asked`.
        """
        request = self._request(error, **asked)
        if self._on_refusal is None:
            return for_method(request.response, request.method)
        try:
            given = self._on_refusal(request)
            return _chosen(await given if inspect.isawaitable(given) else given, request)
        except Exception:  # noqa: BLE001 - as above
            return _fallen_back(request)

    def _request(
        self,
        error: Refused,
        *,
        method: str,
        header: Header,
        path: str = "",
        query: str = "",
        scheme: str = "http",
        audiences: Iterable[frozenset[str]] = (),
        identity: Identity | None = None,
    ) -> RefusedRequest:
        status = self._unauthenticated_status if isinstance(error, Unauthenticated) else error.status
        ray = header("cf-ray")
        ray = ray if _RAY.fullmatch(ray) else ""
        for_a_person = is_for_a_person(header("sec-fetch-mode"), header("accept"))
        login_url = logout_url = None
        headers: Headers
        if for_a_person or self._on_refusal is not None:  # nobody else would see them
            # what was sent with another method cannot be sent again after a detour
            way_back = (path, query) if method in ("GET", "HEAD") else ("/", "")
            login_url = self._login_url(error, header("host"), way_back, audiences)
            logout_url = LOGOUT_PATH if _may_be_somebody_else(error, identity) else None
        if for_a_person:
            headers, body = self._page.headers, self._page.fill(error, status, ray, login_url or "", logout_url or "")
        else:
            headers, body = _PROBLEM_HEADERS, _problem(error, status, ray)
        response = Response(
            status=status,
            headers=(
                *headers,
                ("Content-Length", str(len(body))),
                *self._always,
                *self._challenge(error, status),
                *_retry_after(error),
            ),
            body=body,
        )
        navigates = is_navigation(method, header)
        if self._redirects and navigates and login_url is not None and not is_marked(header("cookie")):
            response = _redirect(response, login_url, scheme)
        return RefusedRequest(
            error=error,
            status=status,
            method=method,
            path=path,
            is_navigation=navigates,
            ray=ray or None,
            identity=identity,
            login_url=login_url,
            logout_url=logout_url,
            response=response,
        )

    def _login_url(
        self, error: Refused, host: str, way_back: tuple[str, str], audiences: Iterable[frozenset[str]]
    ) -> str | None:
        if self._sign_in is None:
            return None
        path, query = way_back
        return self._sign_in.url(error, host=host, path=path, query=query, audiences=audiences)

    def _challenge(self, error: Refused, status: int) -> Headers:
        if status != 401:
            return ()
        given = ', error="invalid_token"' if isinstance(error, InvalidToken) else ""
        return (("WWW-Authenticate", f'Cloudflare-Access realm="{self._realm}"{given}'),)


def refusals_of(config: AccessConfig, *, blocking: bool = False) -> Refusals:
    """What a configuration says about refusals.

    Args:
        config: The configuration.
        blocking: Whether the door cannot await.

    Raises:
        ConfigurationError: ``on_refusal`` or ``refusal_template`` cannot be used.
    """
    team = config.teams[0]
    return Refusals(
        realm=team.domain,
        unauthenticated_status=config.unauthenticated_status,
        team_url=team.base_url,
        audience=tuple(config.audience),
        login_redirect=config.login_redirect,
        on_refusal=config.on_refusal,
        template=config.refusal_template,
        blocking=blocking,
    )


def _redirect(page: Response, login_url: str, scheme: str) -> Response:
    """The way to the login page, with the page as its body (RFC 9110 section 15.4.3).

    The challenge stays, as in Cloudflare's own redirect.
    """
    return replace(page, status=302, headers=(*page.headers, ("Location", login_url), ("Set-Cookie", marker(scheme))))


def _may_be_somebody_else(error: Refused, identity: Identity | None) -> bool:
    """Whether another person could be let in where this one is not."""
    return isinstance(error, NotPermitted) and (identity is None or identity.kind == "user")


def _checked(on_refusal: OnRefusal | None, *, blocking: bool) -> OnRefusal | None:
    mend = "give a function that takes a RefusedRequest and returns None or another response"
    if on_refusal is not None and not callable(on_refusal):
        raise ConfigurationError(f"on_refusal: {shape(on_refusal)} cannot be called; {mend}")
    if blocking and inspect.iscoroutinefunction(on_refusal):
        raise ConfigurationError(f"on_refusal: is asynchronous, and a WSGI application cannot await it; {mend}")
    return on_refusal


def _chosen(given: object, request: RefusedRequest) -> Response:
    response = request.response if given is None else own_response(given, default=request.response)
    return for_method(response, request.method)


def _fallen_back(request: RefusedRequest) -> Response:
    """Ours, from within the handling of what went wrong with the user's."""
    _log.exception("on_refusal failed on %s; the usual answer was sent", request.code)
    return for_method(request.response, request.method)


def _retry_after(error: Refused) -> Headers:
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
