"""What do the pages say?"""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse


def home(request: HttpRequest) -> HttpResponse:
    """For everybody whom Access let through."""
    return HttpResponse(f"Hello {request.access.email or request.access.id}\n", "text/plain")


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """For everybody: a rule says so, and no decorator could."""
    return HttpResponse("ok\n", "text/plain")


def staff(request: HttpRequest) -> HttpResponse:
    """For members of a group: a rule says so."""
    return HttpResponse(f"Hello {request.access.email}, of the staff\n", "text/plain")


async def whoami(request: HttpRequest) -> HttpResponse:
    """Who is asking, for programs."""
    identity = request.access
    return JsonResponse({"kind": identity.kind, "id": identity.id, "email": identity.email})
