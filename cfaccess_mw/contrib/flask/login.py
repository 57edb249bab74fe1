"""Who is the user of flask-login? The one whom Access let in, and nobody else, whatever the session says.

::

    @login_manager.request_loader
    @login_manager.user_loader
    @load_user
    def load(identity):
        return User.query.filter_by(email=identity.email).first()
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Request, current_app, session

from cfaccess_mw.contrib.flask.installation import installation
from cfaccess_mw.core.errors import NotPermitted, Unauthenticated
from cfaccess_mw.core.identity import Identity

User = TypeVar("User")


def load_user(callback: Callable[[Identity], User | None]) -> Callable[[object], User | None]:
    """Make a loader for flask-login, to be given to both ``request_loader`` and ``user_loader``.

    A session, or a "remember me" cookie, of another person than Access let in is ended, with all that it holds. Without
    an identity there is no user.

    Args:
        callback: Returns the user whom an identity stands for, or None.
    """

    def load(given: object) -> User | None:
        try:
            identity = installation().asking().demand()
        except (Unauthenticated, NotPermitted):
            return None
        user = None if identity is None else callback(identity)
        is_of_session = not isinstance(given, Request)  # the name of a user, then, which need not be text
        if is_of_session and (user is None or str(_id(user)) != str(given)):
            session.clear()
            session["_remember"] = "clear"  # so that flask-login takes its cookie away, too
        return user

    return load


def _id(user: Any) -> object:
    """The name under which flask-login keeps a user."""
    return getattr(user, current_app.login_manager.id_attribute)()  # type: ignore[attr-defined]
