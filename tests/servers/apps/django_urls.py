"""Which Django views are there? The same ones over WSGI and ASGI; what waits is written twice."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path, re_path

from cfaccess_mw import Identity, current_identity
from tests.servers.apps import behind, waiting

released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)


def _identity(request: HttpRequest) -> Identity | None:
    """What the door said; Django keeps the scope of ASGI beside its own ``META``."""
    scope = getattr(request, "scope", request.META)
    found = scope.get("cfaccess.identity")
    return found if isinstance(found, Identity) else None


def configure() -> None:
    """Make Django ready; its handlers ask for that."""
    settings.configure(
        SECRET_KEY="not one",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        LOGGING_CONFIG=None,
    )
    django.setup()


def admin(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Protected."""
    return HttpResponse(behind.secret(_identity(request), behind.seen_in_environ(request.META)), "text/plain")


def static(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Public, whatever stands below."""
    told = _identity(request), behind.seen_in_environ(request.META)
    return HttpResponse(behind.public(*told, path=rest), "text/plain")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Protected; the second line is made when ``release`` is asked for it."""
    name = request.META["QUERY_STRING"]
    lines = _lines(name) if hasattr(request, "scope") else waiting.stream(name)
    return StreamingHttpResponse(lines, "text/plain")


async def _lines(name: str) -> AsyncIterator[str]:
    yield f"SECRET first {_who()}\n"
    async with asyncio.timeout(behind.PATIENCE):
        await released[name].wait()
    yield f"SECRET second {_who()} True\n"


def meet(request: HttpRequest) -> StreamingHttpResponse:
    """Protected, WSGI only; answered together with another request of the same name."""
    return StreamingHttpResponse(waiting.meeting(request.META["QUERY_STRING"]), "text/plain")


def release(request: HttpRequest) -> HttpResponse:
    """Public, WSGI only; lets the stream of this name go on."""
    waiting.release(request.META["QUERY_STRING"])
    return HttpResponse("PUBLIC", "text/plain")


async def arelease(request: HttpRequest) -> HttpResponse:
    """The same on an event loop."""
    released[request.META["QUERY_STRING"]].set()
    return HttpResponse("PUBLIC", "text/plain")


def _who() -> str:
    identity = current_identity()
    return "none" if identity is None else identity.email or identity.id


urlpatterns = [
    re_path(r"^admin$", admin),
    path("admin/<path:rest>", admin),
    path("api/", include([path("admin", admin)])),
    path("whoami", admin),
    path("stream", stream),
    path("meet", meet),
    path("static/release", release),
    path("static/arelease", arelease),
    re_path(r"^static/(?P<rest>.*)", static),
    re_path(r"^open/admin$", admin),
    re_path(r"^open/(?P<rest>.*)", static),
    path("healthz", static),
    path("maybe", static),
]
