"""Bottle, Falcon and Pyramid behind the WSGI door."""

import importlib
from typing import TYPE_CHECKING, Any

from cfaccess_mw.wsgi import AccessMiddleware
from tests.conformance.applications import telling

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_SECRET = ("/", "/admin", "/admin/{rest}", "/open/admin", "/whoami", "/dir/", "/api/admin")
_PUBLIC = ("/static/{rest}", "/open/{rest}", "/healthz", "/maybe")
_WORDS = {**dict.fromkeys(_SECRET, telling.SECRET), **dict.fromkeys(_PUBLIC, telling.PUBLIC)}


def _told(word: str, environ: dict[str, Any], rest: str) -> str:
    identity = environ.get("cfaccess.identity")
    return telling.tell(word, identity, identity, telling.in_environ(environ), path=rest)


def bottle(options: dict[str, Any]) -> "WSGIApplication":
    """Bottle."""
    bottle = importlib.import_module("bottle")  # these two have no types
    bottle.debug(True)
    app = bottle.Bottle()
    for path, word in _WORDS.items():

        def answer(rest: str = "", word: str = word) -> str:
            return _told(word, bottle.request.environ, rest)

        app.route(path.replace("{rest}", "<rest:path>"), list(telling.METHODS), answer)
    app.route("/assets/<name:path>", "GET", lambda name: bottle.static_file(name, str(telling.ASSETS)))
    app.route("/boom", "GET", _boom)
    return AccessMiddleware(app, **options)


def falcon(options: dict[str, Any]) -> "WSGIApplication":
    """Falcon."""
    from falcon import App

    class Resource:
        def __init__(self, word: str) -> None:
            self._word = word

        def on_get(self, req: Any, resp: Any, rest: str = "") -> None:
            resp.content_type, resp.text = "text/plain", _told(self._word, req.env, rest)

        on_post = on_get
        on_options = on_get

    class Boom:
        def on_get(self, req: Any, resp: Any) -> None:
            _boom()

    app = App()
    for path, word in _WORDS.items():
        app.add_route(path.replace("{rest}", "{rest:path}"), Resource(word))
    app.add_route("/boom", Boom())
    app.add_static_route("/assets", str(telling.ASSETS))
    return AccessMiddleware(app, **options)


def pyramid(options: dict[str, Any]) -> "WSGIApplication":
    """Pyramid."""
    response = importlib.import_module("pyramid.response").Response
    config = importlib.import_module("pyramid.config").Configurator()
    for path, word in _WORDS.items():

        def answer(request: Any, word: str = word) -> Any:
            rest = "/".join(request.matchdict.get("rest", ()))
            return response(_told(word, request.environ, rest), content_type="text/plain")

        config.add_route(path, path.replace("{rest}", "*rest"))
        config.add_view(answer, route_name=path)
    config.add_route("boom", "/boom")
    config.add_view(lambda request: _boom(), route_name="boom")
    config.add_static_view("assets", str(telling.ASSETS))
    return AccessMiddleware(config.make_wsgi_app(), **options)


def _boom() -> None:
    raise RuntimeError("boom")
