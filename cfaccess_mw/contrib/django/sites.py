"""Who gets into Django's admin, and how do they get out?

With ``AccessUserMiddleware`` staff gets into any ``AdminSite`` without a password. This one has no form for one either.
"""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from cfaccess_mw.contrib.django.asking import identity_of
from cfaccess_mw.contrib.django.views import AccessLoginView, AccessLogoutView
from cfaccess_mw.core.errors import NoToken, NotPermitted


class AccessAdminSite(AdminSite):
    """An admin for those whom Access admits and who are active staff."""

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send staff on, and refuse everybody else.

        Raises:
            NoToken: Nobody is asking.
            NotPermitted: They are no active member of the staff.
        """
        if identity_of(request) is None:
            raise NoToken
        if not self.has_permission(request):
            raise NotPermitted
        index = reverse("admin:index", current_app=self.name)
        response: HttpResponse = AccessLoginView.as_view(next_page=index)(request)
        return response

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """End Django's session, then the one with Access."""
        response: HttpResponse = AccessLogoutView.as_view()(request)
        return response
