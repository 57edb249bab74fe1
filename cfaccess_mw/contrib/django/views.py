"""Where do people sign in to Django and out again, where Access has done the one and has to do the other?

Nowhere a password is asked for. Who gets to the login page has been admitted by Access, and is a Django user who may
go on, or is nobody here and is told so.
"""

from typing import Final

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import RedirectURLMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.generic import View

from cfaccess_mw.contrib.django.asking import identity_of
from cfaccess_mw.core.errors import NoToken, NotPermitted
from cfaccess_mw.wire.login import LOGOUT_PATH

_SENT: Final = "cfaccess_sent_on"
_SENT_AGE: Final = 10  # seconds in which a browser has followed a redirect, and come back if that was no use


@method_decorator([login_not_required, never_cache], name="dispatch")
class AccessLoginView(RedirectURLMixin, View):
    """For ``LOGIN_URL``: sends a user on to ``next``, on this host alone, and refuses everybody else.

    Who is sent back at once lacks more than a login: a view asks for a permission, say. They are refused too, instead
    of being sent round in circles.

    Attributes:
        next_page: Where to go without ``next``; ``LOGIN_REDIRECT_URL`` where it is not given.
    """

    http_method_names = ("get", "head", "options")

    def get(self, request: HttpRequest) -> HttpResponse:
        """Send on.

        Raises:
            NoToken: Nobody is asking, as on a path that lets everybody in.
            NotPermitted: They are no Django user, or have just been here.
        """
        if identity_of(request) is None:
            raise NoToken
        if not request.user.is_authenticated or _SENT in request.COOKIES:
            raise NotPermitted
        response = HttpResponseRedirect(self.get_success_url())
        response.set_cookie(
            _SENT, "1", max_age=_SENT_AGE, path=request.path, secure=request.is_secure(), httponly=True, samesite="Lax"
        )
        return response

    def get_default_redirect_url(self) -> str:
        """Where to go without ``next``."""
        return str(resolve_url(self.next_page or settings.LOGIN_REDIRECT_URL))


@method_decorator([login_not_required, csrf_protect, never_cache], name="dispatch")
class AccessLogoutView(View):
    """Ends Django's session, then the one with Access, which ends it for every application of the team.

    By POST alone, like Django's own. The way leads to Cloudflare's page on the same host, whatever the request says.
    """

    http_method_names = ("post", "options")

    def post(self, request: HttpRequest) -> HttpResponse:
        """Sign out."""
        logout(request)
        return HttpResponseRedirect(LOGOUT_PATH)
