"""Only from Cloudflare: an ASGI application that answers nobody else, and learns who the client is.

::

    app = FromCloudflare(app)

The peer is the one of the TCP connection, as the server gives it in ``scope["client"]``. Behind a proxy or a tunnel on
the same machine every peer is that proxy, an attacker's requests too if it lets them through: check there, and name it
here, ``also=["loopback"]``. A server must not put an address from ``X-Forwarded-For`` in the peer's place before us:
uvicorn does for peers on loopback unless it is told ``--no-proxy-headers``.

The client's address goes where ASGI keeps it: ``scope["client"]``, with port 0, which nobody knows; None where
Cloudflare does not say. The server's own is kept as ``scope["cfaccess.peer"]``. Applications read ``trusted_peers`` of
a door against the peer, so a door stands outside of this: ``AccessMiddleware(FromCloudflare(app), …)``; with
``client_address=False`` the order does not matter.
"""

import time
from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from cfaccess_mw.core.errors import Refused
from cfaccess_mw.edge.answers import Answers
from cfaccess_mw.edge.answers_asgi import answer
from cfaccess_mw.edge.ranges_gate import CLIENT_HEADER, Client, PeerGate, is_cloudflares
from cfaccess_mw.edge.ranges_peers import API_URL, CloudflarePeers
from cfaccess_mw.protection import checked_application
from cfaccess_mw.refresh.fetchers import AnyFetcher
from cfaccess_mw.telemetry.events import Listener
from cfaccess_mw.wire.refused import OnRefusal
from cfaccess_mw.wire.scope import value_of, values_of
from cfaccess_mw.wire.target import PEER_KEY


class FromCloudflare:
    """Lets nobody but Cloudflare to an ASGI application.

    Args:
        app: The application.
        also: Further peers: networks, ``loopback`` for a proxy or a tunnel on this machine, ``unix``.
        refuse: Whether everybody else is refused. Where not, they stay the client themselves, and what they say in
            Cloudflare's name is removed.
        client_address: Whether the client's address takes the place of the peer's.
        refresh: Whether the list of networks is fetched, instead of the one that ships.
        url: Where it is fetched.
        fetcher: Who fetches, see ``cfaccess_mw.refresh.fetchers``.
        on_refusal: Called with each refused request; gives another response, or None for the usual one.
        refusal_template: The path of a page of your own.
        listeners: Callables that are told every refusal, and what becomes of the list.

    Attributes:
        peers: Who is let in.

    Raises:
        ConfigurationError: At start, naming the argument, the shape of its value and the mend.
    """

    def __init__(
        self,
        app: ASGIApp,
        /,
        *,
        also: Iterable[str] = (),
        refuse: bool = True,
        client_address: bool = True,
        refresh: bool = False,
        url: str = API_URL,
        fetcher: AnyFetcher | None = None,
        on_refusal: OnRefusal | None = None,
        refusal_template: str | None = None,
        listeners: Iterable[Listener] = (),
    ) -> None:
        self.app = checked_application(app)
        told = tuple(listeners)
        self._answers = Answers("peer-refused", on_refusal=on_refusal, template=refusal_template, listeners=told)
        self.peers = CloudflarePeers(also=also, refresh=refresh, url=url, fetcher=fetcher, listeners=told)
        self.peers.prepare()
        self._gate = PeerGate(self.peers, refuse=refuse, client_address=client_address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the peer, then pass on or answer."""
        if scope["type"] not in ("http", "websocket"):
            await self._not_a_request(scope, receive, send)
            return
        self.peers.attend(time.monotonic())
        # Wrapped twice, the inner one looks at the same peer.
        pair = scope.get(PEER_KEY, scope.get("client"))
        try:
            client = self._gate.client(pair[0] if pair else None, values_of(scope, CLIENT_HEADER))
        except Refused as refusal:
            error = refusal
        else:
            await self.app(scope if client is None else _told(scope, pair, client), receive, send)
            return
        method = scope.get("method", "GET")
        self._answers.tell(error, method=method, path=scope["path"])
        response = await self._answers.responses.response_async(
            error, method=method, header=lambda name: value_of(scope, name), path=scope["path"]
        )
        await answer(response, scope, receive, send)

    async def _not_a_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            raise ValueError(f"cfaccess_mw lets http, websocket and lifespan through, not {scope['type']!r}")
        self.peers.attend(time.monotonic())
        try:
            await self.app(scope, receive, send)
        finally:
            self.peers.rest()


def _told(scope: Scope, pair: Any, client: Client) -> Scope:
    """What the application sees."""
    if client.is_known:
        address = None if client.address is None else (client.address, 0)
        return {**scope, PEER_KEY: pair, "client": address}
    headers = [header for header in scope["headers"] if not is_cloudflares(header[0].decode("latin-1").lower())]
    return {**scope, PEER_KEY: pair, "headers": headers}
