"""How does Django REST framework know who is asking?

::

    REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["cfaccess_mw.contrib.django.drf.AccessAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["cfaccess_mw.contrib.django.drf.IsAccessUser"],
    }

``request.auth`` is the identity, and ``request.user`` the Django user, where somebody is one: ``IsAuthenticated`` asks
for a Django user, ``IsAccessUser`` and ``IsService`` for whom Access let through.

Cloudflare adds the assertion to whatever a browser sends with its cookie, also where another site made it send
something. So what comes from a browser needs Django's CSRF token, as with ``SessionAuthentication``.
"""

from typing import Any

from django.contrib.auth.models import AnonymousUser

from cfaccess_mw.contrib.django import conf
from cfaccess_mw.contrib.django.asking import identity_of
from cfaccess_mw.contrib.django.decorators import demand
from cfaccess_mw.contrib.django.sessions import sign_in
from cfaccess_mw.core.errors import NotPermitted, Unauthenticated
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.extras import needs
from cfaccess_mw.permission import Permission

with needs("drf"):
    from rest_framework.authentication import SessionAuthentication
    from rest_framework.permissions import BasePermission
    from rest_framework.request import Request

# A browser sends one of these with everything that changes something.
_OF_BROWSERS = ("HTTP_COOKIE", "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_SEC_FETCH_SITE")


class AccessAuthentication(SessionAuthentication):
    """Knows whoever came through the door."""

    def authenticate(self, request: Request) -> tuple[Any, Identity] | None:
        """The Django user, or the anonymous one, and the identity; None for nobody.

        Raises:
            PermissionDenied: It came from a browser, and without Django's CSRF token.
        """
        asked = request._request
        identity = identity_of(asked)
        if identity is None:
            return None
        if any(name in asked.META for name in _OF_BROWSERS):
            self.enforce_csrf(asked)
        if getattr(asked, "access_bound", False):
            return asked.user, identity
        return sign_in(asked, identity) or AnonymousUser(), identity

    def authenticate_header(self, request: Request) -> str | None:
        """What makes a missing identity a 401; a 403 where the door's is one."""
        config = conf.doors().config
        return f'Cloudflare-Access realm="{config.teams[0].domain}"' if config.unauthenticated_status == 401 else None


class IsAccessUser(BasePermission):
    """Lets people through, Django users or not."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Whether a person is asking."""
        return _kind(request) == "user"


class IsService(BasePermission):
    """Lets services through."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Whether a service is asking."""
        return _kind(request) == "service"


class HasAccess(BasePermission):
    """Lets those through whom policies let through: ``permission_classes = [HasAccess.of(groups=["admins"])]``.

    Attributes:
        access_permission: Who may; anybody with a good token where it is not given.
    """

    access_permission = Permission()

    @classmethod
    def of(cls, *policies: Any, **options: Any) -> "type[HasAccess]":
        """A class for ``permission_classes``; the arguments are those of a permission.

        Raises:
            ConfigurationError: As :class:`~cfaccess_mw.permission.Permission` does.
        """
        return type(cls.__name__, (cls,), {"access_permission": Permission(*policies, **options)})

    def has_permission(self, request: Request, view: object) -> bool:
        """Whether they may.

        Raises:
            IdentityUnavailable: It has to be looked up, and cannot be at the moment; the door answers it.
        """
        try:
            demand(request._request, self.access_permission)
        except (Unauthenticated, NotPermitted):
            return False
        return True


def _kind(request: Request) -> str:
    identity = identity_of(request._request)
    return "" if identity is None else identity.kind
