"""What did ``CfAccess`` put into one application? A door before it, a check before its handlers, an answer to
``Refused``."""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, current_app, g, request
from werkzeug.exceptions import default_exceptions

from cfaccess_mw.contrib.flask.asking import IDENTITY, Asking, Demand, asking_of
from cfaccess_mw.contrib.flask.entrance import Entrance
from cfaccess_mw.contrib.flask.marks import demands_of
from cfaccess_mw.contrib.flask.proxies import current_identity
from cfaccess_mw.contrib.flask.views import views_of
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError, Refused
from cfaccess_mw.wsgi import AccessMiddleware

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from cfaccess_mw.contrib.flask.extension import CfAccess

EXTENSION: Final = "cfaccess"


class Installation:
    """The parts of one application that are ours.

    Args:
        app: The application.
        access: The extension, whose ``authenticate`` may be registered for ``before_request`` as it is.
        config: The configuration.
        protect_all: Whether the rules protect everything, or decorators single views.

    Attributes:
        access: As given.
        door: The application's door.

    Raises:
        ConfigurationError: It has them already.
    """

    def __init__(self, app: Flask, access: "CfAccess", config: AccessConfig, *, protect_all: bool) -> None:
        if EXTENSION in app.extensions:
            raise ConfigurationError("app: has CfAccess already; call CfAccess(app) or init_app(app), and that once")
        self.access = access
        self._beginning = threading.Lock()
        self._demands: Mapping[str | None, tuple[Demand, ...]] | None = None  # of functions that run before views
        place, name = _place_of_door(app)
        self.door = Entrance(getattr(place, name), config, protect_all=protect_all)
        app.context_processor(lambda: {"current_identity": current_identity})
        if Refused not in app.error_handler_spec[None][None]:  # the application's own, where it came first
            app.register_error_handler(Refused, self._refuse)
        app.before_request_funcs.setdefault(None, []).insert(0, self._check)  # before whatever the application does
        setattr(place, name, self.door)
        app.extensions[EXTENSION] = self

    def asking(self) -> Asking:
        """The request at hand, as it can be asked about."""
        return asking_of(self.door)

    def demand(self) -> None:
        """Go on only where somebody makes this request: ``authenticate`` in the form that ``before_request`` wants.

        Raises:
            Refused: Nobody does.
        """
        self.asking().demand()

    def _check(self) -> None:
        """Meet the demands of the view that is going to answer, wherever its decorators stand."""
        before = self._demands
        if before is None:
            with self._beginning:
                before = self._look_around() if self._demands is None else self._demands
        asking = self.asking()
        asking.check_method()
        g.cfaccess_identity = request.environ.get(IDENTITY)
        if before:
            for name in (None, *reversed(request.blueprints)):
                for demand in before.get(name, ()):
                    asking.meet(demand)
        view = None if request.endpoint is None else current_app.view_functions.get(request.endpoint)
        for demand in () if view is None else demands_of(view, request.method):
            asking.meet(demand)

    def _look_around(self) -> Mapping[str | None, tuple[Demand, ...]]:
        """See, at the first request, what the application registered; from now on Flask takes nothing more."""
        # Flask would take True or False for the answer to the request.
        authenticate: object = self.access.authenticate
        for functions in current_app.before_request_funcs.values():
            functions[:] = [self.demand if one == authenticate else one for one in functions]
        views = () if self.door.protects_all else views_of(current_app)
        left_open = sorted({view.endpoint for view in views if view.is_open and not view.asks_itself})
        if left_open:
            current_app.logger.warning(
                "views open to everybody, whether they came through Cloudflare Access or not: %s; protect them with "
                "@login_required, or everything with CfAccess(app, protect_all=True)",
                ", ".join(left_open),
            )
        found = {
            name: tuple(demand for function in functions for demand in demands_of(function))
            for name, functions in current_app.before_request_funcs.items()
        }
        self._demands = {name: demands for name, demands in found.items() if demands}
        return self._demands

    def _refuse(self, error: Refused) -> "ResponseReturnValue":
        """The door's answer, unless the application has one of its own for that status."""
        answer = self.asking().response(error)
        response = current_app.response_class(answer.body, status=answer.status, headers=list(answer.headers))
        kind = default_exceptions.get(answer.status)
        if kind is None:  # the way to sign in
            return response
        return current_app.handle_http_exception(kind(description=error.detail, response=response))


def _place_of_door(app: Flask) -> tuple[Any, str]:
    """Whose attribute the door becomes: ``app.wsgi_app``, or inside of doors that are there already.

    Those need the assertion as it came.
    """
    place: Any = app
    name = "wsgi_app"
    while isinstance(getattr(place, name), AccessMiddleware):
        place, name = getattr(place, name), "app"
    return place, name


def installation(app: Flask | None = None) -> Installation:
    """The parts of an application; of the one at hand by default.

    Raises:
        RuntimeError: It has none.
    """
    found: Installation | None = (current_app if app is None else app).extensions.get(EXTENSION)
    if found is None:
        raise RuntimeError("CfAccess is not set up for this application; call CfAccess(app), or init_app(app)")
    return found
