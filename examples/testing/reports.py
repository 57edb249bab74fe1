"""A Flask application that is made by a function, and takes its access options as an argument."""

from typing import Any

from flask import Flask

from cfaccess_mw import current_identity
from cfaccess_mw.wsgi import AccessMiddleware


def create_app(**access: Any) -> Flask:
    """Make the application.

    Args:
        **access: The options of the door; in production the environment says them.
    """
    app = Flask(__name__)
    app.wsgi_app = AccessMiddleware(app.wsgi_app, **access)  # type: ignore[method-assign]

    @app.get("/")
    def home() -> str:
        identity = current_identity()
        return f"The reports of {identity.email}" if identity else "Nobody's"

    return app
