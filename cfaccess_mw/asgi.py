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

from time import perf_counter, time
from typing import Any

from starlette.authentication import AuthCredentials, UnauthenticatedUser
from starlette.types import ASGIApp, Receive, Scope, Send

from cfaccess_mw.core.admission import NO_FACTS, Lacking
from cfaccess_mw.core.decide import NO_ANSWERS, Decision, Given, Pass, Refusal
from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.protection import Protection, checked_application
from cfaccess_mw.telemetry.asked import Asked
from cfaccess_mw.wire.client import ClientReader
from cfaccess_mw.wire.current import current
from cfaccess_mw.wire.refusals import refusals_of
from cfaccess_mw.wire.response import Response
from cfaccess_mw.wire.scope import Headers, Layout, ScopeReader, is_preflight, reader_of, value_of, values_of
from cfaccess_mw.wire.streams import POLICY_VIOLATION, run_until
from cfaccess_mw.wire.target import PEER_KEY, target_of

IDENTITY_KEY = "cfaccess.identity"
DOOR_KEY = "cfaccess.door"
_DENIAL = "websocket.http.response"


class Door:
    """Decides over the requests of one ASGI application (HTTP and WebSocket), and answers those that it refuses.

    :class:`AccessMiddleware` is all that an application needs. This is for integrations that stand elsewhere, in a
    framework's own chain of middleware.

    Args:
        config: An :class:`~cfaccess_mw.AccessConfig` or a mapping, instead of keywords.
        options: The names of :class:`~cfaccess_mw.AccessConfig`; where ``team`` is not among them, the environment says
            what they leave out.

    Attributes:
        protection: What is known and decided, for callers that want to ask without a request.

    Raises:
        ConfigurationError: At start, naming the key, the shape of its value and the mend.
    """

    def __init__(self, config: Any = None, /, **options: Any) -> None:
        self.protection = Protection(config, **options)
        self.protection.prepare()
        settings = self.protection.config
        self._reader = ScopeReader(scrub=settings.scrub, cookie=settings.cookie, host=self.protection.rules.names_hosts)
        self._client = ClientReader(peers=settings.peers, certificate_headers=settings.certificate_headers)
        self._refusals = refusals_of(settings)
        # What every request asks, within reach.
        self._rules = self.protection.rules
        self._names_hosts = self._rules.names_hosts

    async def decide(self, scope: Scope) -> Pass | Refusal:
        """Decide over a request; a refusal has been told to the listeners, and holds.

        Args:
            scope: Of an HTTP request or a WebSocket handshake, as the server gives it.
        """
        headers = scope["headers"] if isinstance(scope["headers"], list) else list(scope["headers"])
        layout = self._reader.layout(headers)
        requirement, decision, began = self._ask(scope, headers, layout)
        if isinstance(decision, Pass):
            return decision
        return await self._settle(scope, headers, layout, requirement, decision, began)

    def clean(self, scope: Scope, passing: Pass) -> Scope:
        """The scope that the application may see: with who is asking, and without what a client could forge.

        Args:
            scope: As the server gives it.
            passing: The decision.
        """
        headers = scope["headers"] if isinstance(scope["headers"], list) else list(scope["headers"])
        return self._clean(scope, headers, self._reader.layout(headers), passing)

    def facts(self, scope: Scope) -> Facts:
        """What a request says of its client, as far as it is believed; for policies that are asked in a handler."""
        client = scope.get(PEER_KEY, scope.get("client"))
        mount = scope.get("root_path", "")
        target = target_of(scope["path"], scope.get("raw_path"), mount, scope.get("query_string", b""))
        method = scope.get("method", "GET")  # a WebSocket handshake is a GET (RFC 6455 section 4.1)
        peer = client[0] if client else None
        return self._client.read(method, peer, lambda name: values_of(scope, name), target, mount)

    def tell(self, error: Refused, scope: Scope) -> None:
        """Tell the listeners of a refusal that a handler made behind the door; its own are told.

        Args:
            error: Why.
            scope: Of the request.
        """
        self.protection.tell(error, **_asked(scope, identity=scope.get(IDENTITY_KEY)))

    async def response(self, error: Refused, scope: Scope, identity: Identity | None = None) -> Response:
        """The answer to a request that is refused.

        Args:
            error: Why.
            scope: Of the request.
            identity: Who is refused; the one of the scope by default.
        """
        headers = scope["headers"] if isinstance(scope["headers"], list) else list(scope["headers"])
        return await self._refusals.response_async(
            error,
            method=scope.get("method", "GET"),
            header=reader_of(scope),
            path=scope["path"],
            query=scope.get("query_string", b"").decode("latin-1"),
            scheme=scope.get("scheme", "http"),
            audiences=self._requirement(scope, headers, self._reader.layout(headers)).audiences,
            identity=identity or scope.get(IDENTITY_KEY),
        )

    def _requirement(self, scope: Scope, headers: Headers, layout: Layout) -> Requirement:
        host = self._reader.host(headers, layout) if self._names_hosts else None
        get = scope.get
        return self._rules.find(get("method", "GET"), scope["path"], get("raw_path"), get("root_path", ""), host)

    def _ask(self, scope: Scope, headers: Headers, layout: Layout) -> tuple[Requirement, Decision, float]:
        """What is required, and the decision if nobody is waited for: all that the usual request needs; and when that
        began, where somebody listens."""
        protection = self.protection
        began = perf_counter() if protection.observed else 0.0
        requirement = self._requirement(scope, headers, layout)
        protection.attend()
        token: Given
        cookies: tuple[str, ...] = ()
        if layout.assertion is not None:
            token = headers[layout.assertion][1]
        else:
            token, cookies = self._reader.tokens(headers, layout)
        facts = self.facts(scope) if requirement.reads_request else NO_FACTS
        decision = protection.gate.decide(requirement, token, time(), cookies, NO_ANSWERS, facts)
        if began and isinstance(decision, Pass):
            protection.accept(decision, requirement, **_asked(scope, began))
        return requirement, decision, began

    async def _settle(
        self,
        scope: Scope,
        headers: Headers,
        layout: Layout,
        requirement: Requirement,
        decision: Decision,
        began: float,
    ) -> Pass | Refusal:
        """Obtain what a decision lacks, and tell of it."""
        if isinstance(decision, Lacking):
            token, cookies = self._reader.tokens(headers, layout)
            facts = self.facts(scope) if requirement.reads_request else NO_FACTS
            answers, until = NO_ANSWERS, self.protection.patience_ends()
            while isinstance(decision, Lacking):
                answers = {**answers, decision: await self.protection.obtain(decision, until)}
                decision = self.protection.decide(requirement, token, cookies, answers, facts)
        if isinstance(decision, Refusal):
            passing = self.protection.waive(
                decision,
                requirement,
                is_preflight=lambda: is_preflight(scope),
                **_asked(scope, began),
            )
            return decision if passing is None else passing
        if began:
            self.protection.accept(decision, requirement, **_asked(scope, began))
        return decision

    def _clean(self, scope: Scope, headers: Headers, layout: Layout, passing: Pass) -> Scope:
        """What the application is told, in our name and in Starlette's.

        The credentials are made anew for each request: their list of scopes can be changed by whoever holds it. So is
        nobody, on whom applications keep what they know of a visitor.
        """
        identity = passing.identity
        inner = dict(scope)
        inner[IDENTITY_KEY] = identity
        inner[DOOR_KEY] = self
        inner["user"] = UnauthenticatedUser() if identity is None else identity
        inner["auth"] = AuthCredentials(() if identity is None else ("authenticated", identity.kind))
        inner["headers"] = self._reader.clean(headers, layout, passing)
        return inner


class AccessMiddleware(Door):
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

    def __init__(self, app: ASGIApp, /, config: Any = None, **options: Any) -> None:
        self.app = checked_application(app)
        super().__init__(config, **options)
        self._close_on_expiry = self.protection.config.close_on_expiry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide, then pass on or answer."""
        if scope["type"] not in ("http", "websocket"):
            await self._not_a_request(scope, receive, send)
            return
        headers = scope["headers"] if isinstance(scope["headers"], list) else list(scope["headers"])
        layout = self._reader.layout(headers)
        requirement, decision, began = self._ask(scope, headers, layout)
        if not isinstance(decision, Pass):
            decision = await self._settle(scope, headers, layout, requirement, decision, began)
            if isinstance(decision, Refusal):
                await self._refuse(decision, scope, receive, send)
                return
        inner = self._clean(scope, headers, layout, decision)
        before = current.set(decision.identity)
        try:
            if self._close_on_expiry and decision.identity is not None:
                seconds = decision.identity.expires_at + self.protection.config.leeway - time()
                await run_until(self.app, inner, receive, send, seconds)
            else:
                await self.app(inner, receive, send)
        finally:
            try:
                current.reset(before)
            except ValueError:  # a request that is collected after its loop has ended is in another context
                current.set(None)

    async def _not_a_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            raise ValueError(f"cfaccess_mw lets http, websocket and lifespan through, not {scope['type']!r}")
        self.protection.open()
        self.protection.attend()
        try:
            await self.app(scope, receive, send)
        finally:
            self.protection.rest()

    async def _refuse(self, refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        prefix = "http.response"
        if scope["type"] == "websocket":
            message = await receive()
            if message["type"] != "websocket.connect":  # gone before it was answered
                return
            if _DENIAL not in (scope.get("extensions") or ()):
                await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": refusal.error.title})
                return
            prefix = _DENIAL
        await _send(await self.response(refusal.error, scope, refusal.passing.identity), send, prefix)


def _asked(scope: Scope, began: float = 0.0, identity: Identity | None = None) -> Asked:
    """What is told of a request; its headers are read when somebody asks."""
    return {
        "method": scope.get("method", "GET"),
        "path": scope["path"],
        "header": lambda name: value_of(scope, name),
        "began": began,
        "identity": identity,
    }


async def _send(response: Response, send: Send, prefix: str) -> None:
    headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in response.headers]
    await send({"type": f"{prefix}.start", "status": response.status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": response.body})
