"""Flask with ``CfAccess``, behind the door, and dispatched to by another application."""

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from cfaccess_mw.contrib.flask import CfAccess, current_identity
from cfaccess_mw.wsgi import AccessMiddleware
from tests.conformance.applications import telling

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

METHODS = list(telling.METHODS)


def plain(text: str) -> Response:
    """An answer."""
    return Response(text, mimetype="text/plain")


def _told(word: str, path: str) -> Response:
    own: Any = current_identity
    identity = request.environ.get("cfaccess.identity")
    return plain(telling.tell(word, own or None, identity, telling.in_environ(request.environ), path=path))


def secret(rest: str = "") -> Response:
    """Protected."""
    return _told(telling.SECRET, rest)


def public(rest: str = "") -> Response:
    """Public, whatever stands below."""
    return _told(telling.PUBLIC, rest)


def boom() -> Response:
    """Breaks."""
    raise RuntimeError("boom")


def application() -> Flask:
    """The application itself."""
    app = Flask(__name__, static_folder=str(telling.ASSETS), static_url_path="/assets")
    app.debug = True
    for path in ("/admin", "/admin/<path:rest>", "/open/admin"):
        app.add_url_rule(path, view_func=secret, methods=METHODS, provide_automatic_options=False)
    for path in ("/", "/whoami", "/dir/"):
        app.add_url_rule(path, view_func=secret, endpoint="page")
    app.add_url_rule("/boom", view_func=boom)
    for path in ("/static/<path:rest>", "/static/", "/open/<path:rest>", "/healthz", "/maybe"):
        app.add_url_rule(path, view_func=public, methods=["GET", "POST"])
    nested = Blueprint("nested", __name__, url_prefix="/api")
    nested.add_url_rule("/admin", view_func=secret, methods=METHODS, provide_automatic_options=False)
    app.register_blueprint(nested)
    return app


def protected(options: dict[str, Any]) -> "WSGIApplication":
    """It with ``CfAccess``."""
    app = application()
    access = CfAccess(app, protect_all=True, **options)

    @app.get("/mine")
    @access.require(emails="alice@example.com")
    def mine() -> Response:
        return secret()

    return app


def door(options: dict[str, Any]) -> "WSGIApplication":
    """It behind the door."""
    return AccessMiddleware(application().wsgi_app, **options)


def mounting(options: dict[str, Any]) -> "WSGIApplication":
    """Another application, without a door, beside it in Werkzeug's dispatcher."""
    return DispatcherMiddleware(Flask("outer", static_folder=None), {"/api": protected(options)})
