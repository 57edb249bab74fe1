"""How does a view ask for more than the rules ask of its path?

::

    @access_required(groups=["admins"])
    def staff(request): ...

    class Reports(AccessRequiredMixin, ListView):
        access_permission = Permission(emails=["cfo@example.com"], service=True)
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.views import View as DjangoView

from cfaccess_mw.contrib.django import conf
from cfaccess_mw.contrib.django.asking import identity_of
from cfaccess_mw.core.admission import NO_FACTS
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.policy import Policy
from cfaccess_mw.permission import NOT_GIVEN, Permission

View = Callable[..., Any]


def access_required(*policies: Policy | Mapping[str, Any] | View, service: Any = NOT_GIVEN, **criteria: Any) -> Any:
    """Let a view be called only for those who may; a function, or a coroutine function.

    Refusals are the door's. For class-based views see :class:`AccessRequiredMixin`.

    Args:
        policies: As for :class:`~cfaccess_mw.permission.Permission`; or the view itself, for anybody with a good token.
        service: As there.
        criteria: As there.

    Raises:
        ConfigurationError: As there.
    """
    match policies:
        case (view,) if callable(view):
            return _guarded(view, Permission())
        case _:
            permission = Permission(*policies, service=service, **criteria)  # type: ignore[arg-type]  # it checks them
            return lambda view: _guarded(view, permission)


class AccessRequiredMixin:
    """Lets a class-based view be called only for those who may; put it before Django's own.

    Attributes:
        access_permission: Who may; anybody with a good token where it is not given.
    """

    access_permission = Permission()

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a view that would never ask.

        Raises:
            ConfigurationError: The mixin stands behind Django's own views.
        """
        super().__init_subclass__(**options)
        order = cls.__mro__
        if DjangoView in order and order.index(DjangoView) < order.index(AccessRequiredMixin):
            raise ConfigurationError(
                f"{cls.__name__}: AccessRequiredMixin stands behind Django's view, which never asks it; put it first"
            )

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Ask, then go on."""
        if getattr(self, "view_is_async", False):
            return self._adispatch(request, *args, **kwargs)
        demand(request, self.access_permission)
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # of Django's View

    async def _adispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        await ademand(request, self.access_permission)
        return await super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # of Django's View


def demand(request: HttpRequest, permission: Permission) -> None:
    """Let a request go on, in a thread.

    Args:
        request: The request.
        permission: What it needs.

    Raises:
        Refused: It may not; raised in a view, the door answers it.
    """
    permission.demand_blocking(identity_of(request), _facts(request, permission))


async def ademand(request: HttpRequest, permission: Permission) -> None:
    """Do the same on an event loop."""
    await permission.demand(identity_of(request), _facts(request, permission))


def _facts(request: HttpRequest, permission: Permission) -> Facts:
    return conf.doors().facts(request) if permission.reads_request else NO_FACTS


def _guarded(view: View, permission: Permission) -> View:
    if iscoroutinefunction(view):

        @wraps(view)
        async def waiting(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            await ademand(request, permission)
            return await view(request, *args, **kwargs)

        return waiting

    @wraps(view)
    def blocking(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        demand(request, permission)
        return view(request, *args, **kwargs)

    return blocking
