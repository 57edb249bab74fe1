"""Quart with ``QuartAccess``."""

from typing import Any

from quart import Blueprint, Quart, Response, request, websocket

from cfaccess_mw.contrib.quart import QuartAccess, current_identity
from tests.conformance.applications import telling

METHODS = list(telling.METHODS)


def _told(word: str, scope: Any, path: str = "") -> str:
    own: Any = current_identity
    return telling.tell(
        word, own or None, scope.get("cfaccess.identity"), telling.in_scope(scope["headers"]), path=path
    )


async def secret(rest: str = "") -> Response:
    """Protected."""
    return Response(_told(telling.SECRET, request.scope, rest), mimetype="text/plain")


async def public(rest: str = "") -> Response:
    """Public, whatever stands below."""
    return Response(_told(telling.PUBLIC, request.scope, rest), mimetype="text/plain")


async def boom() -> Response:
    """Breaks."""
    raise RuntimeError("boom")


async def echo() -> None:
    """Protected; first who is asking, then whatever comes."""
    await websocket.accept()
    await websocket.send(_told(telling.SECRET, websocket.scope))
    while True:
        await websocket.send(await websocket.receive())


def application() -> Quart:
    """The application itself."""
    app = Quart(__name__, static_folder=str(telling.ASSETS), static_url_path="/assets")
    app.debug = True
    for path in ("/admin", "/admin/<path:rest>", "/open/admin"):
        app.add_url_rule(path, view_func=secret, methods=METHODS, provide_automatic_options=False)
    for path in ("/", "/whoami", "/dir/"):
        app.add_url_rule(path, view_func=secret, endpoint="page")
    app.add_url_rule("/boom", view_func=boom)
    for path in ("/static/<path:rest>", "/static/", "/open/<path:rest>", "/healthz", "/maybe"):
        app.add_url_rule(path, view_func=public, methods=["GET", "POST"])
    app.add_websocket("/ws", view_func=echo)
    nested = Blueprint("nested", __name__, url_prefix="/api")
    nested.add_url_rule("/admin", view_func=secret, methods=METHODS, provide_automatic_options=False)
    app.register_blueprint(nested)
    return app


def protected(options: dict[str, Any]) -> Quart:
    """It with ``QuartAccess``."""
    app = application()
    access = QuartAccess(app, **options)

    @app.get("/mine")
    @access.require(emails="alice@example.com")
    async def mine() -> Response:
        return await secret()

    return app
