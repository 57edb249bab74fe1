"""The extension, and flask-cfaccess's names for it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

from flask import Flask, has_app_context
from werkzeug.local import LocalProxy

from cfaccess_mw.contrib.flask import decorators
from cfaccess_mw.contrib.flask.asking import Asking
from cfaccess_mw.contrib.flask.command import command
from cfaccess_mw.contrib.flask.configuration import check_rules, configuration
from cfaccess_mw.contrib.flask.installation import Installation, installation
from cfaccess_mw.core.errors import Unauthenticated
from cfaccess_mw.core.policy import Policy
from cfaccess_mw.permission import NOT_GIVEN
from cfaccess_mw.protection import Protection

P = ParamSpec("P")
R = TypeVar("R")


class CfAccess:
    """Cloudflare Access for Flask applications.

    Args:
        app: The application; or none, and ``init_app(app)`` later in its factory.
        config: An :class:`~cfaccess_mw.AccessConfig`, a mapping or the path of a ``.toml`` file, instead of keywords
            and ``app.config``.
        protect_all: Whether everything is protected, by the rules of the configuration; otherwise decorators and
            ``before_request`` decide, and views without are open.
        options: The names of :class:`~cfaccess_mw.AccessConfig`. What they leave out stands in ``app.config``: in
            ``CFACCESS``, in ``CFACCESS_TEAM`` and so on, or in ``CLOUDFLARE_ACCESS_TEAM`` and
            ``CLOUDFLARE_ACCESS_AUD``.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """

    def __init__(
        self, app: Flask | None = None, config: Any = None, *, protect_all: bool = False, **options: Any
    ) -> None:
        self.default_app = app
        self._config = config
        self._protect_all = protect_all
        self._options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Protect an application; one extension may protect several.

        Args:
            app: The application.

        Raises:
            ConfigurationError: As the class itself, and where the application is protected already.
        """
        config = configuration(app.config, self._config, self._options)
        check_rules(config, protect_all=self._protect_all)
        Installation(app, self, config, protect_all=self._protect_all)
        app.cli.add_command(command)

    @property
    def protection(self) -> Protection:
        """What is known and decided for the application at hand: ``hydrate()``, ``health()``, ``close()`` and so on."""
        return self._installation().door.protection

    def authenticate(self, token: str | None = None) -> bool:
        """Say whether somebody whom Access let in makes this request.

        It can be given to ``before_request`` as it is, of an application or a blueprint; then it refuses.

        Args:
            token: An assertion that came another way than in its header.

        Raises:
            Refused: It cannot be known at the moment (503), or policies do not let them in (403).
        """
        return _is_somebody(self._asking(), token)

    def get_identity(self, token: str | None = None) -> dict[str, Any] | None:
        """What Cloudflare knows of whoever makes this request (``get-identity``), or None where nobody does.

        Args:
            token: As for :meth:`authenticate`.

        Raises:
            Refused: As for :meth:`authenticate`; or Cloudflare ended the session (401).
        """
        asking = self._asking()
        if not _is_somebody(asking, token):
            return None
        identity = asking.demand()
        return None if identity is None else dict(identity.profile_blocking().document)

    def login_required(self, f: Callable[P, R]) -> Callable[P, R]:
        """As the function of this name."""
        return decorators.login_required(f)

    def validate_identity(
        self, identify: Callable[[dict[str, Any]], object]
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """As the function of this name."""
        return decorators.validate_identity(identify)

    def require(
        self,
        *policies: Policy | Mapping[str, Any],
        service: bool | str | Iterable[str] | None = NOT_GIVEN,
        **criteria: Any,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """As the function of this name."""
        return decorators.require(*policies, service=service, **criteria)

    def _installation(self) -> Installation:
        return installation(None if has_app_context() else self.default_app)

    def _asking(self) -> Asking:
        return self._installation().asking()


def _is_somebody(asking: Asking, token: str | None) -> bool:
    try:
        asking.demand(token or None)
    except Unauthenticated:
        return False
    return True


def get_cfaccess() -> CfAccess:
    """The extension of the application at hand.

    Raises:
        RuntimeError: It has none.
    """
    return installation().access


cfaccess = cast("CfAccess", LocalProxy(get_cfaccess))
"""The extension of the application at hand."""


def get_identity() -> dict[str, Any] | None:
    """What Cloudflare knows of whoever makes this request, as :meth:`CfAccess.get_identity`."""
    return cfaccess.get_identity()
