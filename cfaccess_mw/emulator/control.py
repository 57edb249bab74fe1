"""How is a running emulator told to rotate, to revoke, or to fail? By programs on this machine, below its own path.

No page may do it: a browser names the page that sends a request (``Origin``, ``Sec-Fetch-Site``), and whatever names
one is refused. What a page of another site can send without asking first (a form) is no ``application/json`` besides.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.emulator.hosts import is_loopback
from cfaccess_mw.emulator.team import Team

PATH = "/cdn-cgi/emulator"
_FROM_A_PAGE = ("origin", "sec-fetch-site")
_LONGEST = 4_096  # bytes; the longest sensible order has 200


class Control:
    """The emulator's own endpoints; Cloudflare has nothing like them.

    Args:
        team: What they change.
    """

    def __init__(self, team: Team) -> None:
        self._team = team

    def routes(self) -> list[Route]:
        """The routes below ``/cdn-cgi/emulator``."""
        orders: dict[str, Callable[[dict[str, Any]], object]] = {
            "fault": self._fault,
            "rotate": self._rotate,
            "revoke": self._revoke,
        }
        return [
            Route(PATH, self.state, methods=["GET"]),
            *(Route(f"{PATH}/{name}", self._order(act), methods=["POST"]) for name, act in orders.items()),
        ]

    async def state(self, request: Request) -> Response:
        """What there is, and what goes wrong."""
        return _objection(request) or JSONResponse(self._state())

    def _order(self, act: Callable[[dict[str, Any]], object]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            if objection := _objection(request):
                return objection
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                return _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
            body = b""
            async for piece in request.stream():
                body += piece
                if len(body) > _LONGEST:
                    return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {_LONGEST} bytes")
            try:
                given = decode_json_object(body or b"{}")
            except ValueError:
                return _refused(HTTPStatus.BAD_REQUEST, "the body is no strict JSON object")
            try:
                await run_in_threadpool(act, given)  # a new key takes a moment, in which everybody else is served
            except ConfigurationError as mistake:
                return _refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(mistake))
            return JSONResponse(self._state())

        return answer

    def _fault(self, given: dict[str, Any]) -> None:
        self._team.faults.change(given)

    def _rotate(self, given: dict[str, Any]) -> None:
        if given:
            raise ConfigurationError("rotate: takes nothing; send {}")
        self._team.issuer.rotate()

    def _revoke(self, given: dict[str, Any]) -> None:
        self._team.revoke(**_whom(given))

    def _state(self) -> dict[str, Any]:
        team = self._team
        return {
            "team": team.issuer.team,
            "issuer": team.issuer.iss,
            "keys": [key["kid"] for key in team.issuer.certs()["keys"]],
            "applications": [application.as_data() for application in team.applications.all],
            "fault": team.faults.now.as_data(),
        }


def _whom(given: dict[str, Any]) -> dict[str, str]:
    for name, value in given.items():
        if name not in {"email", "nonce"}:
            raise ConfigurationError(f"revoke: {name[:64]!r} is not known; give 'email', or 'nonce'")
        if not isinstance(value, str):
            raise ConfigurationError(f"revoke: {name}: is {shape(value)}; give a text")
    return given


def _objection(request: Request) -> Response | None:
    if request.client is None or not is_loopback(request.client.host):
        return _refused(HTTPStatus.FORBIDDEN, "this is for programs on the emulator's own machine")
    if any(name in request.headers for name in _FROM_A_PAGE):
        return _refused(HTTPStatus.FORBIDDEN, "this is for programs, not for pages")
    return None


def _refused(status: HTTPStatus, error: str) -> Response:
    return JSONResponse({"error": error}, status)
