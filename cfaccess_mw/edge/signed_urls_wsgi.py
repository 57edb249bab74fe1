"""Private content for holders of a signed link, in any WSGI application.

::

    links = SignedURLs(secrets=os.environ["LINK_SECRET"], ttl=3600)
    application = SignedLinks(application, links, paths="/downloads/*")

See :mod:`cfaccess_mw.edge.signed_urls_asgi`. What was signed is what the client sent, which servers tell as ``RAW_URI``
or ``REQUEST_URI``; under one that does not, links are checked as their path is written most usually.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cfaccess_mw.core.errors import AmbiguousPath, Refused
from cfaccess_mw.edge.answers import Answers
from cfaccess_mw.edge.signed_urls import SignedURL, SignedURLs
from cfaccess_mw.edge.signed_urls_gate import IDENTITY_KEY, LINK_KEY, LinkGate, Visit
from cfaccess_mw.protection import checked_application
from cfaccess_mw.telemetry.events import Listener
from cfaccess_mw.wire.environ import EnvironReader, value_of, values_of
from cfaccess_mw.wire.refused import OnRefusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class SignedLinks:
    """Lets nobody to some paths of a WSGI application without a signed link.

    Args:
        app: The application; it finds the :class:`SignedURL` as ``environ["cfaccess.link"]``.
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
        app: "WSGIApplication",
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
        self._answers = Answers(
            "link-refused", on_refusal=on_refusal, template=refusal_template, listeners=listeners, blocking=True
        )
        self._reader = EnvironReader(scrub=(), cookie=False, remote_user="id")

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Ask for a link where one is needed, then pass on or answer."""
        try:
            link = self._demand(environ)
        except Refused as refusal:
            error = refusal
        else:
            return self.app({**environ, LINK_KEY: link}, start_response)
        method, path = environ["REQUEST_METHOD"], self._reader.path(environ) or environ.get("PATH_INFO", "")
        self._answers.tell(error, method=method, path=path)
        response = self._answers.responses.response(
            error,
            method=method,
            header=lambda name: value_of(environ, name),
            path=path,
            query=environ.get("QUERY_STRING", ""),
            identity=environ.get(IDENTITY_KEY),
        )
        start_response(f"{response.status} {response.phrase}", list(response.headers))
        return [response.body]

    def _demand(self, environ: "WSGIEnvironment") -> SignedURL | None:
        path = self._reader.path(environ)
        if path is None:
            raise AmbiguousPath
        return self._gate.demand(
            Visit(
                method=environ["REQUEST_METHOD"],
                path=path,
                raw_path=self._reader.raw_path(environ),
                root_path=environ.get("SCRIPT_NAME", ""),
                sent=self._reader.sent(environ),
                query=environ.get("QUERY_STRING", "").encode("latin-1", "replace"),
                address=environ.get("REMOTE_ADDR"),
                cookies=tuple(values_of(environ, "cookie")),
                identity=environ.get(IDENTITY_KEY),
            )
        )
