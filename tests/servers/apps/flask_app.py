"""Flask behind the door, with another application beside it in Werkzeug's dispatcher."""

from typing import Any

from flask import Flask, Response, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from cfaccess_mw.wsgi import AccessMiddleware
from tests.conformance.applications.flask import METHODS, application, plain, secret
from tests.servers.apps import waiting
from tests.servers.apps.behind import behind


def stream() -> Response:
    """Protected; the second line is made when ``release`` is asked for it."""
    return Response(waiting.stream(request.query_string.decode()), mimetype="text/plain")


def meet() -> Response:
    """Protected; answered together with another request of the same name."""
    return Response(waiting.meeting(request.query_string.decode()), mimetype="text/plain")


def release() -> Response:
    """Public; lets the stream of this name go on."""
    waiting.release(request.query_string.decode())
    return plain("PUBLIC")


def make(variant: str) -> Any:
    """The application."""
    flask = application()
    for view in (stream, meet):
        flask.add_url_rule(f"/{view.__name__}", view_func=view)
    flask.add_url_rule("/static/release", view_func=release)
    beside = Flask("beside", static_folder=None)
    beside.add_url_rule("/admin", view_func=secret, methods=METHODS, provide_automatic_options=False)
    return behind(AccessMiddleware, DispatcherMiddleware(flask, {"/api": beside}), variant)
