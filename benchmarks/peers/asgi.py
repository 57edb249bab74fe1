"""What does a bare Starlette application cost, and what do the usual ways to protect one add?"""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

HEADER = "cf-access-jwt-assertion"


async def _hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def application() -> Starlette:
    """One route, no middleware of its own."""
    return Starlette(routes=[Route("/{rest:path}", _hello)])


class PassingOn:
    """A pure ASGI class that does nothing."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on."""
        await self.app(scope, receive, send)


class Looking(PassingOn):
    """The least that a protecting class has to do: look at each header's name, and hand on a scope of its own."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Look, copy, pass on."""
        found = [value for name, value in scope["headers"] if name == b"cf-access-jwt-assertion"]
        await self.app({**scope, "found": found}, receive, send)


class Verifying(PassingOn):
    """A pure ASGI class that verifies each request's token."""

    def __init__(self, app: Any, verify: Callable[[str], object]) -> None:
        super().__init__(app)
        self._verify = verify

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Verify, then pass on."""
        scope["claims"] = self._verify(Request(scope).headers[HEADER])
        await self.app(scope, receive, send)


class BasePassingOn(BaseHTTPMiddleware):
    """The framework's own kind of middleware, doing nothing."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        """Pass on."""
        answer: Response = await call_next(request)
        return answer


class BaseVerifying(BaseHTTPMiddleware):
    """The framework's own kind of middleware, verifying each request's token: what is written most often."""

    def __init__(self, app: Any, verify: Callable[[str], object]) -> None:
        super().__init__(app)
        self._verify = verify

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        """Verify, then pass on."""
        request.state.claims = self._verify(request.headers[HEADER])
        answer: Response = await call_next(request)
        return answer
