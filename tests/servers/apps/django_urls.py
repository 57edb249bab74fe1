"""Which Django views are there that wait? The same ones over WSGI and ASGI; what waits is written twice."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from tests.conformance.applications import django_urls
from tests.servers.apps import waiting
from tests.servers.apps.behind import PATIENCE, who

released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Protected; the second line is made when ``release`` is asked for it."""
    name = request.META["QUERY_STRING"]
    lines = _lines(name) if hasattr(request, "scope") else waiting.stream(name)
    return StreamingHttpResponse(lines, "text/plain")


async def _lines(name: str) -> AsyncIterator[str]:
    yield f"SECRET first {who()}\n"
    async with asyncio.timeout(PATIENCE):
        await released[name].wait()
    yield f"SECRET second {who()} True\n"


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


urlpatterns = [
    path("stream", stream),
    path("meet", meet),
    path("static/release", release),
    path("static/arelease", arelease),
    *django_urls.urlpatterns,
]
