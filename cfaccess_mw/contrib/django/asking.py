"""Who sent this request?"""

from typing import cast

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from cfaccess_mw.core.identity import Identity


def identity_of(request: HttpRequest) -> Identity | None:
    """Who came through the door; None for nobody, on paths that let everybody in.

    Args:
        request: The request.

    Raises:
        ImproperlyConfigured: ``AccessMiddleware`` has not seen the request, so that nobody knows.
    """
    if not hasattr(request, "access"):
        raise ImproperlyConfigured(
            "nobody knows who is asking: put cfaccess_mw.contrib.django.middleware.AccessMiddleware first in MIDDLEWARE"
        )
    return cast("Identity | None", request.access)
