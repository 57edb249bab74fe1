"""What may stand above a view, above or below ``@app.route``? Decorators that let in only those whom they name."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import current_app

from cfaccess_mw.contrib.flask.asking import LOGIN, Asking, Demand
from cfaccess_mw.contrib.flask.installation import installation
from cfaccess_mw.contrib.flask.marks import mark
from cfaccess_mw.core.errors import NotPermitted
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.policy import Policy
from cfaccess_mw.permission import NOT_GIVEN, Permission

P = ParamSpec("P")
R = TypeVar("R")


def login_required(f: Callable[P, R]) -> Callable[P, R]:
    """Let nobody into a view without a valid assertion.

    Args:
        f: The view, ``async`` or not. A class has it in its ``decorators``, or on single methods.

    Raises:
        TypeError: It is no function.
    """
    return _demanding(LOGIN, f)


def validate_identity(identify: Callable[[dict[str, Any]], object]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only those into a view of whom a function says so.

    Args:
        identify: Called with what Cloudflare knows of somebody (``get-identity``), ``async`` or not; whatever is not
            true is a 403.
    """

    def check(identity: Identity, _: Asking) -> None:
        if not current_app.ensure_sync(identify)(dict(identity.profile_blocking().document)):
            raise NotPermitted

    name = f"validate_identity({getattr(identify, '__name__', type(identify).__name__)})"
    return lambda f: _demanding(Demand(name=name, check=check), f)


def require(
    *policies: Policy | Mapping[str, Any],
    service: bool | str | Iterable[str] | None = NOT_GIVEN,
    **criteria: Any,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only those into a view whom policies let in; see :class:`~cfaccess_mw.permission.Permission`.

    Args:
        policies: As there.
        service: As there: true for every service, a Client ID, or several.
        criteria: As there: ``groups=["admins"]``, ``emails=…``, ``email_domains=…``, ``ips=…`` and so on.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """
    permission = Permission(*policies, service=service, **criteria)

    def check(identity: Identity, asking: Asking) -> None:
        permission.demand_blocking(identity, asking.facts())

    words = [*(["policies"] if policies else []), *(["service"] if service not in (None, NOT_GIVEN) else []), *criteria]
    return lambda f: _demanding(Demand(name=f"require({', '.join(words)})", check=check), f)


def _demanding(demand: Demand, view: Callable[P, R]) -> Callable[P, R]:
    if isinstance(view, type) or not callable(view):
        raise TypeError(
            f"{demand.name}: decorates views, and not {view!r}; of a class, put it into its decorators, and of a "
            "blueprint, use before_request(access.authenticate)"
        )
    mark(view, demand)

    @wraps(view)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        installation().asking().meet(demand)
        return current_app.ensure_sync(view)(*args, **kwargs)  # type: ignore[no-any-return]

    return wrapper
