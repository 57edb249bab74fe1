"""How does a request of Django's come to a door, and back?

A ``WSGIRequest`` goes to the WSGI door and an ``ASGIRequest`` to the ASGI door, whether Django runs the middleware in a
thread or on an event loop: that depends on the middleware beneath, and all four combinations occur. Both doors share
their keys.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync, sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse

from cfaccess_mw import asgi, wsgi
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.decide import Pass, Refusal
from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.wire.response import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from starlette.types import Scope

# What Django has read of the headers and keeps.
_READ = ("headers", "COOKIES")


class Doors:
    """The two doors of one configuration, made when they are needed.

    Args:
        config: The configuration.
    """

    def __init__(self, config: AccessConfig) -> None:
        self.config = config

    @cached_property
    def asgi(self) -> asgi.Door:
        """The door of requests that came over ASGI."""
        return asgi.Door(self.config)

    @cached_property
    def wsgi(self) -> wsgi.Door:
        """The door of requests that came over WSGI."""
        return wsgi.Door(self.config)

    def decide(self, request: HttpRequest) -> Pass | Refusal:
        """Decide over a request, in a thread."""
        if _is_asgi(request):
            return async_to_sync(self.asgi.decide)(scope_of(request))
        return self.wsgi.decide(environ_of(request))

    async def adecide(self, request: HttpRequest) -> Pass | Refusal:
        """Decide over a request, on an event loop."""
        if _is_asgi(request):
            return await self.asgi.decide(scope_of(request))
        return await sync_to_async(self.wsgi.decide)(environ_of(request))

    def response(self, error: Refused, request: HttpRequest) -> HttpResponse:
        """The answer to a refused request, in a thread."""
        if _is_asgi(request):
            return _as_django(async_to_sync(self.asgi.response)(error, scope_of(request)))
        return _as_django(self.wsgi.response(error, environ_of(request)))

    async def aresponse(self, error: Refused, request: HttpRequest) -> HttpResponse:
        """The answer to a refused request, on an event loop."""
        if _is_asgi(request):
            return _as_django(await self.asgi.response(error, scope_of(request)))
        return _as_django(await sync_to_async(self.wsgi.response)(error, environ_of(request)))

    def tell(self, error: Refused, request: HttpRequest) -> None:
        """Tell the listeners of a refusal that was made behind the door."""
        if _is_asgi(request):
            self.asgi.tell(error, scope_of(request))
        else:
            self.wsgi.tell(error, environ_of(request))

    def facts(self, request: HttpRequest) -> Facts:
        """What a request says of its client, as far as it is believed."""
        return self.asgi.facts(request.scope) if _is_asgi(request) else self.wsgi.facts(request.META)

    def admit(self, request: HttpRequest, passing: Pass) -> None:
        """Tell a request who is asking, and take from it what a client could forge."""
        if _is_asgi(request):
            scope, headers = self.asgi.clean(request.scope, passing), request.scope["headers"]
            if scope["headers"] is not headers:
                kept = {key: value for key, value in request.META.items() if not key.startswith("HTTP_")}
                request.META = {**ASGIRequest(scope, None).META, **kept}
            request.scope = scope
        else:
            request.META = request.environ = self.wsgi.clean(request.META, passing)
        for name in _READ:
            request.__dict__.pop(name, None)
        request.access = passing.identity

    def close(self) -> None:
        """Let go of the keys."""
        for door in ("asgi", "wsgi"):
            if door in self.__dict__:
                self.__dict__[door].protection.close()


def scope_of(request: HttpRequest) -> "Scope":
    """The scope of a request, with the mount that Django takes off the path.

    ``FORCE_SCRIPT_NAME`` makes it another one than the server's.
    """
    scope: Scope = request.scope
    mount = request.script_name or ""
    return scope if scope.get("root_path", "") == mount else {**scope, "root_path": mount}


def environ_of(request: HttpRequest) -> "WSGIEnvironment":
    """The environ of a request, with the path as servers write it (PEP 3333).

    Django decodes it in place, and makes ``/`` of an empty one.
    """
    environ: WSGIEnvironment = request.META
    mount, inside = environ["SCRIPT_NAME"], environ["PATH_INFO"]
    target = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "/").partition("?")[0]
    if mount and inside == "/" and not target.endswith("/"):
        inside = ""
    elif mount.isascii() and inside.isascii():
        return environ
    return {**environ, "SCRIPT_NAME": _native(mount), "PATH_INFO": _native(inside)}


def _is_asgi(request: HttpRequest) -> bool:
    return isinstance(request, ASGIRequest)


def _native(text: str) -> str:
    return text.encode().decode("latin-1")


def _as_django(given: Response) -> HttpResponse:
    answer: Any = HttpResponse(given.body, status=given.status, reason=given.phrase)
    del answer["Content-Type"]
    for name, value in given.headers:
        if name.lower() == "set-cookie":
            answer.cookies.load(value)
        else:
            answer[name] = f"{answer[name]}, {value}" if name in answer else value
    return answer
