"""Which views has the project under test? What they saw stands in their answers, as JSON."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required, login_required, permission_required
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import include, path, re_path
from django.views import View
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from cfaccess_mw import current_identity
from cfaccess_mw.contrib.django.decorators import AccessRequiredMixin, access_required
from cfaccess_mw.contrib.django.drf import HasAccess, IsService
from cfaccess_mw.permission import Permission

TELLING = ("HTTP_CF_ACCESS_", "HTTP_REMOTE_USER", "REMOTE_USER", "AUTH_TYPE", "HTTP_X_OWN")


def seen(request: HttpRequest) -> dict[str, Any]:
    """What a view sees of whoever is asking."""
    identity, current = request.access, current_identity()
    return {
        "kind": identity and identity.kind,
        "email": identity and identity.email,
        "current": current and current.email,
        "meta": {key: value for key, value in request.META.items() if key.startswith(TELLING)},
        "headers": sorted(name.lower() for name in request.headers if name.lower().startswith(("cf-access", "remote"))),
        "cookies": sorted(request.COOKIES),
        "path": request.path,
    }


def whoami(request: HttpRequest, **_: str) -> HttpResponse:
    """Asks nothing of the database."""
    return JsonResponse(seen(request))


async def awhoami(request: HttpRequest) -> HttpResponse:
    """The same on an event loop."""
    return JsonResponse(seen(request))


def user(request: HttpRequest) -> HttpResponse:
    """Asks who is the Django user."""
    return JsonResponse({"user": request.user.get_username(), "session": bool(request.session.session_key)})


async def auser(request: HttpRequest) -> HttpResponse:
    """The same on an event loop."""
    found = await request.auser()
    return JsonResponse({"user": found.get_username(), "session": bool(request.session.session_key)})


def keep(request: HttpRequest) -> HttpResponse:
    """Keeps who was asking, and says what was kept before."""
    kept = request.session.get("kept")
    request.session["kept"] = request.access.email
    return JsonResponse({"kept": kept})


def stream(request: HttpRequest) -> HttpResponse:
    """Parts that ask who is asking."""

    def parts() -> Iterator[str]:
        for _ in range(2):
            yield f"{current_identity() and current_identity().email} "  # type: ignore[union-attr]

    return StreamingHttpResponse(parts())


async def astream(request: HttpRequest) -> HttpResponse:
    """The same on an event loop."""

    async def parts() -> AsyncIterator[str]:
        for _ in range(2):
            yield f"{current_identity() and current_identity().email} "  # type: ignore[union-attr]

    return StreamingHttpResponse(parts())


def file(request: HttpRequest) -> HttpResponse:
    """A file, which servers send themselves."""
    return FileResponse(open(__file__, "rb"))


class Guarded(AccessRequiredMixin, View):
    """A view that asks for more."""

    access_permission = Permission(emails=["alice@example.com"])

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("in")


class AsyncGuarded(AccessRequiredMixin, View):
    """The same on an event loop."""

    access_permission = Permission(emails=["alice@example.com"])

    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("in")


@access_required(emails=["alice@example.com"])
def guarded(request: HttpRequest) -> HttpResponse:
    """A function that asks for more."""
    return HttpResponse("in")


@access_required(emails=["alice@example.com"])
async def aguarded(request: HttpRequest) -> HttpResponse:
    """The same on an event loop."""
    return HttpResponse("in")


@access_required
def anybody(request: HttpRequest) -> HttpResponse:
    """A function on a public path that asks for anybody."""
    return HttpResponse("in")


@access_required(ips=["192.0.2.0/24"])
def nearby(request: HttpRequest) -> HttpResponse:
    """A function that asks where a request comes from."""
    return HttpResponse("in")


@access_required(groups=["admins"])
def grouped(request: HttpRequest) -> HttpResponse:
    """A function that asks for a group."""
    return HttpResponse("in")


@access_required(groups=["admins"])
async def agrouped(request: HttpRequest) -> HttpResponse:
    """The same on an event loop."""
    return HttpResponse("in")


@login_required
def members(request: HttpRequest) -> HttpResponse:
    """For Django users."""
    return HttpResponse(request.user.get_username())


@permission_required("auth.add_user")
def privileged(request: HttpRequest) -> HttpResponse:
    """For Django users with a permission."""
    return HttpResponse(request.user.get_username())


@login_not_required
def open_to_strangers(request: HttpRequest) -> HttpResponse:
    """For everybody whom Access admits, Django user or not."""
    return HttpResponse("in")


def broken(request: HttpRequest) -> HttpResponse:
    """Fails, so that an error is reported."""
    raise RuntimeError("on purpose")


@api_view(["GET", "POST"])
def api(request: Request) -> Response:
    """For people."""
    return Response({"user": request.user.get_username(), "auth": request.auth.kind})


@api_view(["GET"])
@permission_classes([IsService])
def api_service(request: Request) -> Response:
    """For services."""
    return Response({"user": request.user.get_username(), "auth": request.auth.kind})


@api_view(["GET"])
@permission_classes([HasAccess.of(emails=["alice@example.com"])])
def api_alice(request: Request) -> Response:
    """For one person."""
    return Response({})


@api_view(["GET"])
@permission_classes([HasAccess.of(groups=["admins"])])
def api_admins(request: Request) -> Response:
    """For members of a group."""
    return Response({})


urlpatterns = [
    path("whoami", whoami),
    path("awhoami", awhoami),
    path("user", user),
    path("keep", keep),
    path("auser", auser),
    path("stream", stream),
    path("astream", astream),
    path("file", file),
    path("class", Guarded.as_view()),
    path("aclass", AsyncGuarded.as_view()),
    path("function", guarded),
    path("afunction", aguarded),
    path("nearby", nearby),
    path("grouped", grouped),
    path("agrouped", agrouped),
    path("members", members),
    path("privileged", privileged),
    path("strangers", open_to_strangers),
    path("broken", broken),
    path("api/", api),
    path("api/service", api_service),
    path("api/alice", api_alice),
    path("api/admins", api_admins),
    path("public/anybody", anybody),
    path("public/user", user),
    path("public/api", api),
    path("public/grüße", whoami),
    path("grüße", whoami),
    re_path(r"^public/(?P<rest>[a-z]*)$", whoami),
    path("accounts/", include("cfaccess_mw.contrib.django.urls")),
    path("admin/", admin.site.urls),
]
