"""Only from Cloudflare: a WSGI application that answers nobody else, and learns who the client is.

::

    application = FromCloudflare(application)

See :mod:`cfaccess_mw.edge.ranges_asgi`. The client's address goes where WSGI keeps it: ``REMOTE_ADDR``, empty where
Cloudflare does not say; ``REMOTE_HOST`` and ``REMOTE_PORT``, which are the peer's, are taken out. The server's own are
kept as ``environ["cfaccess.peer"]``. Servers join repeated headers, so an address that came twice is unknown.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cfaccess_mw.core.errors import Refused
from cfaccess_mw.edge.answers import Answers
from cfaccess_mw.edge.ranges_gate import CLIENT_HEADER, Client, PeerGate, is_cloudflares
from cfaccess_mw.edge.ranges_peers import API_URL, CloudflarePeers
from cfaccess_mw.protection import checked_application
from cfaccess_mw.refresh.fetchers import AnyFetcher
from cfaccess_mw.telemetry.events import Listener
from cfaccess_mw.wire.environ import value_of, values_of
from cfaccess_mw.wire.refused import OnRefusal
from cfaccess_mw.wire.target import PEER_KEY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_OF_THE_PEER = ("REMOTE_ADDR", "REMOTE_HOST", "REMOTE_PORT")


class FromCloudflare:
    """Lets nobody but Cloudflare to a WSGI application.

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
        app: "WSGIApplication",
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
        self._answers = Answers(
            "peer-refused", on_refusal=on_refusal, template=refusal_template, listeners=told, blocking=True
        )
        self.peers = CloudflarePeers(also=also, refresh=refresh, url=url, fetcher=fetcher, listeners=told)
        self._gate = PeerGate(self.peers, refuse=refuse, client_address=client_address)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Look at the peer, then pass on or answer."""
        self.peers.attend(time.monotonic(), blocking=True)
        # Wrapped twice, the inner one looks at the same peer.
        peer = environ.get(PEER_KEY) or {key: environ[key] for key in _OF_THE_PEER if key in environ}
        try:
            client = self._gate.client(peer.get("REMOTE_ADDR"), values_of(environ, CLIENT_HEADER))
        except Refused as refusal:
            error = refusal
        else:
            return self.app(environ if client is None else _told(environ, peer, client), start_response)
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        self._answers.tell(error, method=method, path=path)
        response = self._answers.responses.response(
            error, method=method, header=lambda name: value_of(environ, name), path=path
        )
        start_response(f"{response.status} {response.phrase}", list(response.headers))
        return [response.body]


def _told(environ: "WSGIEnvironment", peer: dict[str, str], client: Client) -> "WSGIEnvironment":
    """What the application sees."""
    if client.is_known:
        kept = {key: value for key, value in environ.items() if key not in _OF_THE_PEER}
        return {**kept, PEER_KEY: peer, "REMOTE_ADDR": client.address or ""}
    kept = {
        key: value
        for key, value in environ.items()
        if not (key.startswith("HTTP_") and is_cloudflares(key[5:].lower()))
    }
    return {**kept, PEER_KEY: peer}
