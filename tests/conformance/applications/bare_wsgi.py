"""A WSGI application without a framework, behind the door."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cfaccess_mw.wsgi import AccessMiddleware
from tests.conformance.applications import telling

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


def application(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
    """Answer; its handlers are found as a careless author would find them."""
    path = environ["PATH_INFO"]
    word = telling.word_for(path)
    identity = environ.get("cfaccess.identity")
    text = telling.tell(word or "", identity, identity, telling.in_environ(environ), path=path.rpartition("/")[2])
    start_response("200 OK" if word else "404 Not Found", [("Content-Type", "text/plain")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [text.encode() if word else b"not found"]


def door(options: dict[str, Any]) -> "WSGIApplication":
    """It behind the door."""
    return AccessMiddleware(application, **options)
