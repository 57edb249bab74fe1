"""What does a bare Flask application cost, and what do the usual ways to protect one add?"""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, g, request

HEADER = "Cf-Access-Jwt-Assertion"


def application(verify: Callable[[str], object] | None = None) -> Flask:
    """One route; with ``before_request`` where tokens are to be verified.

    Args:
        verify: Verifies a token, or raises.
    """
    app = Flask("hello")

    @app.route("/<path:rest>")
    def hello(rest: str) -> str:
        return "hello"

    if verify is not None:

        @app.before_request
        def before() -> None:
            g.claims = verify(request.headers[HEADER])

    return app


class PassingOn:
    """A WSGI wrapper that does nothing."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Pass on."""
        body: Iterable[bytes] = self.app(environ, start_response)
        return body


class Looking(PassingOn):
    """The least that a protecting wrapper has to do: look one header up, and hand on an environ of its own."""

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Look, copy, pass on."""
        found = environ.get("HTTP_CF_ACCESS_JWT_ASSERTION")
        body: Iterable[bytes] = self.app({**environ, "found": found}, start_response)
        return body
