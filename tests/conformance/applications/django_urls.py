"""Which views has Django?"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path

from tests.conformance.applications import telling


def _told(word: str, request: Any, rest: str) -> HttpResponse:
    scope = getattr(request, "scope", request.META)
    headers = {**telling.in_scope(getattr(request, "scope", {}).get("headers", ())), **telling.in_environ(request.META)}
    identity = scope.get("cfaccess.identity")
    own = getattr(request, "access", identity)
    return HttpResponse(telling.tell(word, own, identity, headers, path=rest), "text/plain")


def secret(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Protected."""
    return _told(telling.SECRET, request, rest)


def public(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Public, whatever stands below."""
    return _told(telling.PUBLIC, request, rest)


def mine(request: HttpRequest) -> HttpResponse:
    """Protected, and for one person only."""
    telling.ALICES.demand_blocking(request.access)
    return secret(request)


def boom(request: HttpRequest) -> HttpResponse:
    """Breaks."""
    raise RuntimeError("boom")


def asset(request: HttpRequest) -> HttpResponse:
    """A static file; Django leaves these to servers and others, but while one develops."""
    return HttpResponse((telling.ASSETS / "site.css").read_bytes(), "text/css")


urlpatterns = [
    path("", secret),
    re_path(r"^admin$", secret),
    path("admin/<path:rest>", secret),
    path("admin/", secret),
    path("api/", include([path("admin", secret)])),
    path("whoami", secret),
    path("dir/", secret),
    path("mine", mine),
    path("boom", boom),
    re_path(r"^static/(?P<rest>.*)", public),
    re_path(r"^open/admin$", secret),
    re_path(r"^open/(?P<rest>.*)", public),
    path("healthz", public),
    path("maybe", public),
    path("assets/site.css", asset),
]
