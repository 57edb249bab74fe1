"""Flask behind the door, with another application beside it in Werkzeug's dispatcher."""

from flask import Flask, Response, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from cfaccess_mw.wsgi import AccessMiddleware
from tests.servers.apps import behind, waiting

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]


def _plain(text: str) -> Response:
    return Response(text, mimetype="text/plain")


def admin(rest: str = "") -> Response:
    """Protected."""
    return _plain(behind.secret(request.environ.get("cfaccess.identity"), behind.seen_in_environ(request.environ)))


def static(rest: str = "") -> Response:
    """Public, whatever stands below."""
    told = request.environ.get("cfaccess.identity"), behind.seen_in_environ(request.environ)
    return _plain(behind.public(*told, path=rest))


def stream() -> Response:
    """Protected; the second line is made when ``release`` is asked for it."""
    return Response(waiting.stream(request.query_string.decode()), mimetype="text/plain")


def meet() -> Response:
    """Protected; answered together with another request of the same name."""
    return Response(waiting.meeting(request.query_string.decode()), mimetype="text/plain")


def release() -> Response:
    """Public; lets the stream of this name go on."""
    waiting.release(request.query_string.decode())
    return _plain("PUBLIC")


flask = Flask(__name__, static_folder=None)
for pattern in ("/admin", "/admin/<path:rest>", "/open/admin"):
    flask.add_url_rule(pattern, view_func=admin, methods=METHODS, provide_automatic_options=False)
flask.add_url_rule("/whoami", view_func=admin, endpoint="whoami")
for view in (stream, meet):
    flask.add_url_rule(f"/{view.__name__}", view_func=view)
flask.add_url_rule("/static/release", view_func=release)
for pattern in ("/static/<path:rest>", "/static/", "/open/<path:rest>", "/healthz", "/maybe"):
    flask.add_url_rule(pattern, view_func=static)

beside = Flask("beside", static_folder=None)
beside.add_url_rule("/admin", view_func=admin, methods=METHODS, provide_automatic_options=False)

bare = DispatcherMiddleware(flask, {"/api": beside})
app = bare if behind.NAKED else AccessMiddleware(bare, rules=behind.RULES)
