"""Private content for holders of a signed link, in any ASGI application.

::

    links = SignedURLs(secrets=os.environ["LINK_SECRET"], ttl=3600)
    app = SignedLinks(app, links, paths="/downloads/*")

It stands behind a door, on paths that are public to it (``Rule.public("/downloads/*")``), or where there is no door.
The other paths are left as they are. A link opens its path for reading, and for nothing else: ``methods`` names more.
Where the application is behind a proxy that rewrites addresses no link is good any more; that is the safe side.

Links bound to the client's ``address`` need the true one: put :class:`~cfaccess_mw.edge.ranges_asgi.FromCloudflare`
before this. Links bound to a ``user`` or an ``email`` need a door before this.
"""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from cfaccess_mw.core.errors import Refused
from cfaccess_mw.edge.answers import Answers
from cfaccess_mw.edge.answers_asgi import answer
from cfaccess_mw.edge.signed_urls import SignedURLs
from cfaccess_mw.edge.signed_urls_gate import IDENTITY_KEY, LINK_KEY, LinkGate, Visit
from cfaccess_mw.protection import checked_application
from cfaccess_mw.telemetry.events import Listener
from cfaccess_mw.wire.refused import OnRefusal
from cfaccess_mw.wire.scope import value_of, values_of


class SignedLinks:
    """Lets nobody to some paths of an ASGI application without a signed link.

    Args:
        app: The application; it finds the :class:`SignedURL` as ``scope["cfaccess.link"]``.
        links: Checks the links.
        paths: Which paths need one, as in rules; every path by default.
        methods: Which methods a link opens them for; HEAD goes with GET.
        bind: What links are bound to, in order: ``address``, ``user``, ``email``, ``cookie:<name>``.
        or_identity: Whether somebody whom the door has let in needs none.
        on_refusal: Called with each refused request; gives another response, or None for the usual one.
        refusal_template: The path of a page of your own.
        listeners: Callables that are told every refusal.

    Raises:
        ConfigurationError: At start, naming the argument, the shape of its value and the mend.
    """

    def __init__(
        self,
        app: ASGIApp,
        /,
        links: SignedURLs,
        *,
        paths: str | Iterable[str] = "/*",
        methods: str | Iterable[str] = "GET",
        bind: str | Iterable[str] = (),
        or_identity: bool = False,
        on_refusal: OnRefusal | None = None,
        refusal_template: str | None = None,
        listeners: Iterable[Listener] = (),
    ) -> None:
        self.app = checked_application(app)
        self._gate = LinkGate(links, paths=paths, methods=methods, bind=bind, or_identity=or_identity)
        self._answers = Answers("link-refused", on_refusal=on_refusal, template=refusal_template, listeners=listeners)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask for a link where one is needed, then pass on or answer."""
        if scope["type"] not in ("http", "websocket"):
            if scope["type"] != "lifespan":
                raise ValueError(f"cfaccess_mw lets http, websocket and lifespan through, not {scope['type']!r}")
            await self.app(scope, receive, send)
            return
        visit = _read(scope)
        try:
            link = self._gate.demand(visit)
        except Refused as refusal:
            error = refusal
        else:
            await self.app({**scope, LINK_KEY: link}, receive, send)
            return
        self._answers.tell(error, method=visit.method, path=visit.path)
        response = await self._answers.responses.response_async(
            error,
            method=visit.method,
            header=lambda name: value_of(scope, name),
            path=visit.path,
            query=visit.query.decode("latin-1"),
            identity=visit.identity,
        )
        await answer(response, scope, receive, send)


def _read(scope: Scope) -> Visit:
    client = scope.get("client")
    return Visit(
        method=scope.get("method", "GET"),  # a WebSocket handshake is a GET (RFC 6455 section 4.1)
        path=scope["path"],
        raw_path=scope.get("raw_path"),
        root_path=scope.get("root_path", ""),
        query=scope.get("query_string", b""),
        address=client[0] if client else None,
        cookies=tuple(values_of(scope, "cookie")),
        identity=scope.get(IDENTITY_KEY),
    )
