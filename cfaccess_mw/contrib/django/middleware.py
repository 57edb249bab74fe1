"""Where do Django's requests meet the door, and become those of a user?

Both classes run on WSGI and ASGI, in a thread or on an event loop as the middleware beneath them ask for it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse

from cfaccess_mw.contrib.django import conf
from cfaccess_mw.contrib.django.asking import identity_of
from cfaccess_mw.contrib.django.reports import hide_assertions
from cfaccess_mw.contrib.django.streams import showing, streamed
from cfaccess_mw.core.decide import Refusal
from cfaccess_mw.core.errors import Refused

GetResponse = Callable[[HttpRequest], Any]


class _Either:
    """A middleware that is what its ``get_response`` is: a function, or a coroutine function."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.is_async = bool(iscoroutinefunction(get_response))
        if self.is_async:
            markcoroutinefunction(cast("Any", self))


class AccessMiddleware(_Either):
    """Refuses every request that did not come through Cloudflare Access, and sets ``request.access``.

    Put it first. Refusals that are raised in views are answered in the same way.

    Args:
        get_response: What Django gives it.

    Raises:
        ConfigurationError: At start: the settings name the key, the shape of its value and the mend.
    """

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)
        doors = conf.doors()
        _ = doors.asgi if self.is_async else doors.wsgi  # a mistake is found at start

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        """Decide, then pass on or answer."""
        return self._on_loop(request) if self.is_async else self._in_thread(request)

    def _in_thread(self, request: HttpRequest) -> HttpResponse:
        doors = conf.doors()
        hide_assertions(request)
        decision = doors.decide(request)
        if isinstance(decision, Refusal):
            return doors.response(decision.error, request)
        doors.admit(request, decision)
        with showing(decision.identity):
            response = self.get_response(request)
        return streamed(response, decision.identity, doors.config)

    async def _on_loop(self, request: HttpRequest) -> HttpResponse:
        doors = conf.doors()
        hide_assertions(request)
        decision = await doors.adecide(request)
        if isinstance(decision, Refusal):
            return await doors.aresponse(decision.error, request)
        doors.admit(request, decision)
        with showing(decision.identity):
            response = await self.get_response(request)
        return streamed(response, decision.identity, doors.config)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a refusal that a view raised; Django calls this in a thread."""
        if not isinstance(exception, Refused):
            return None
        doors = conf.doors()
        doors.tell(exception, request)
        return doors.response(exception, request)


class AccessUserMiddleware(_Either):
    """Makes ``request.user`` the Django user of whoever came through Access, and the session theirs alone.

    Put it after ``AuthenticationMiddleware``, with :class:`~cfaccess_mw.contrib.django.backends.AccessBackend` among
    the ``AUTHENTICATION_BACKENDS``. Who is no Django user stays anonymous: what that means for a view is said by
    Django's own ``LoginRequiredMiddleware``, ``login_required`` and ``login_not_required``. None of these changes what
    the rules require of the path.

    Args:
        get_response: What Django gives it.

    Raises:
        ConfigurationError: At start: the settings name the key, the shape of its value and the mend.
    """

    def __init__(self, get_response: GetResponse) -> None:
        from cfaccess_mw.contrib.django.sessions import abind, bind, claim  # noqa: PLC0415 - it needs django.contrib.auth

        super().__init__(get_response)
        conf.users()
        self._bind, self._abind, self._claim = bind, abind, claim

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        """Make the session and the user those of whoever is asking, then pass on."""
        return self._on_loop(request) if self.is_async else self._in_thread(request)

    def _in_thread(self, request: HttpRequest) -> HttpResponse:
        _check_order(request)
        try:
            self._bind(request, identity_of(request))
        except Refused as refusal:
            doors = conf.doors()
            doors.tell(refusal, request)
            return doors.response(refusal, request)
        response = self.get_response(request)
        self._claim(request, identity_of(request))
        return response

    async def _on_loop(self, request: HttpRequest) -> HttpResponse:
        _check_order(request)
        try:
            await self._abind(request, identity_of(request))
        except Refused as refusal:
            doors = conf.doors()
            doors.tell(refusal, request)
            return await doors.aresponse(refusal, request)
        response = await self.get_response(request)
        self._claim(request, identity_of(request))
        return response


def _check_order(request: HttpRequest) -> None:
    if not (hasattr(request, "session") and hasattr(request, "user")):
        raise ImproperlyConfigured(
            "AccessUserMiddleware stands before AuthenticationMiddleware, or there is none; put it after that"
        )
