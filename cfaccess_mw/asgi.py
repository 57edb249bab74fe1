"""The door of ASGI applications: nothing reaches the application that did not come through Cloudflare Access.

One line wraps any of them::

    app = AccessMiddleware(app, team="acme", audience="4714c1358e65fe4b408ad6d432a5f878f081…")

or, in a framework's own list of middleware, ``app.add_middleware(AccessMiddleware, team=…, audience=…)``. Put it
outermost: what stands outside of it answers everybody.

Against whom: someone who reaches the origin around Cloudflare, and sends no assertion, an old one, another
application's, or headers that say who he would like to be. The assertion is verified on every request (once
remembered, at the price of a dictionary read), such headers are removed, and ``scope["cfaccess.identity"]``,
``scope["user"]``, ``scope["auth"]`` and ``current_identity()`` say who is asking. Not against someone who holds a
good token of the same application.
"""

from typing import Any

from starlette.authentication import AuthCredentials, UnauthenticatedUser
from starlette.types import ASGIApp, Receive, Scope, Send

from cfaccess_mw.core.decide import NO_ANSWERS, NOBODY, Lacking, Refusal
from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.protection import Protection
from cfaccess_mw.wire.current import current
from cfaccess_mw.wire.refusals import Refusals, Response
from cfaccess_mw.wire.scope import ScopeReader, is_preflight, value_of

IDENTITY_KEY = "cfaccess.identity"
_DENIAL = "websocket.http.response"
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


class AccessMiddleware:
    """Protects an ASGI application (HTTP and WebSocket).

    Args:
        app: The application.
        config: An :class:`~cfaccess_mw.AccessConfig` or a mapping, instead of keywords.
        options: The names of :class:`~cfaccess_mw.AccessConfig`; where ``team`` is not among them, the environment says
            what they leave out.

    Attributes:
        app: The application.
        protection: What is known and decided, for callers that want to ask without a request.

    Raises:
        ConfigurationError: At start, naming the key, the shape of its value and the mend.
    """

    def __init__(self, app: ASGIApp, config: Any = None, /, **options: Any) -> None:
        self.app = app
        self.protection = Protection(config, **options)
        settings = self.protection.config
        self._reader = ScopeReader(scrub=settings.scrub, cookie=settings.cookie, host=self.protection.rules.names_hosts)
        self._refusals = Refusals(
            realm=settings.teams[0].domain, unauthenticated_status=settings.unauthenticated_status
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide, then pass on or answer."""
        if scope["type"] not in ("http", "websocket"):
            await self._not_a_request(scope, receive, send)
            return
        headers = scope["headers"] if isinstance(scope["headers"], list) else list(scope["headers"])
        marked = self._reader.mark(headers)
        token, cookies = self._reader.tokens(marked)
        method = scope.get("method", "GET")  # a WebSocket handshake is a GET (RFC 6455 section 4.1)
        requirement = self.protection.rules.find(
            method, scope["path"], scope.get("raw_path"), scope.get("root_path", ""), marked.host
        )
        self.protection.attend()
        answers = NO_ANSWERS
        decision = self.protection.decide(requirement, token, cookies)
        while isinstance(decision, Lacking):
            answers = {**answers, decision: await self.protection.obtain(decision)}
            decision = self.protection.decide(requirement, token, cookies, answers)
        if isinstance(decision, Refusal):
            if not (self.protection.config.allow_preflight and is_preflight(scope) and decision.is_unauthenticated):
                self.protection.tell_refused(decision.error, method=method, path=scope["path"])
                await self._refuse(decision.error, scope, receive, send)
                return
            decision = NOBODY
        inner = {**scope, **_who(decision.identity), "headers": self._reader.clean(headers, marked, decision)}
        before = current.set(decision.identity)
        try:
            await self.app(inner, receive, send)
        finally:
            current.reset(before)

    async def _not_a_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            raise ValueError(f"cfaccess_mw lets http, websocket and lifespan through, not {scope['type']!r}")
        self.protection.open()
        self.protection.attend()
        try:
            await self.app(scope, receive, send)
        finally:
            self.protection.rest()

    async def _refuse(self, error: Refused, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._refusals.response(
            error, method=scope.get("method", "GET"), header=lambda name: value_of(scope, name)
        )
        if scope["type"] == "http":
            await _send(response, send, "http.response")
            return
        message = await receive()
        if message["type"] != "websocket.connect":  # gone before it was answered
            return
        if _DENIAL in (scope.get("extensions") or ()):
            await _send(response, send, _DENIAL)
        else:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.title})


def _who(identity: Identity | None) -> dict[str, object]:
    """What the application is told, in our name and in Starlette's.

    The credentials are made anew for each request: their list of scopes can be changed by whoever holds it.
    """
    if identity is None:
        return {IDENTITY_KEY: None, "user": UnauthenticatedUser(), "auth": AuthCredentials()}
    return {IDENTITY_KEY: identity, "user": identity, "auth": AuthCredentials(["authenticated", identity.kind])}


async def _send(response: Response, send: Send, prefix: str) -> None:
    headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in response.headers]
    await send({"type": f"{prefix}.start", "status": response.status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": response.body})
