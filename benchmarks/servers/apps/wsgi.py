"""Which WSGI applications are measured? One Flask application, and what stands before it."""

import os
from collections.abc import Callable, Mapping
from typing import Final

import flask

from cfaccess_mw import Rule
from cfaccess_mw.wsgi import AccessMiddleware


def _bare() -> flask.Flask:
    app = flask.Flask(__name__)
    for path in ("/", "/healthz"):
        app.add_url_rule(path, path, lambda: "hello")
    return app


def _ours() -> flask.Flask:
    app = _bare()
    app.wsgi_app = AccessMiddleware(app.wsgi_app, rules=[Rule.public("/healthz")])  # type: ignore[method-assign]
    return app


def _peer(name: str) -> flask.Flask:
    from benchmarks.servers.apps import peers

    app, check = _bare(), getattr(peers, name)()

    @app.before_request
    def verify() -> tuple[str, int] | None:
        if flask.request.path == "/healthz":
            return None
        claims = check(flask.request.headers.get("Cf-Access-Jwt-Assertion"))
        if claims is None:
            return "no", 403
        flask.g.claims = claims
        return None

    return app


_VARIANTS: Final[Mapping[str, Callable[[], flask.Flask]]] = {
    "bare": _bare,
    "ours": _ours,
    "pyjwt": lambda: _peer("with_keys_at_hand"),
    "pyjwkclient": lambda: _peer("with_client"),
}

application = _VARIANTS[os.environ["MEASURED_VARIANT"]]()
