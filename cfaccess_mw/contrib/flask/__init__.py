"""Flask: everything that flask-cfaccess offers, by changing one import, and whole applications behind the door.

::

    from cfaccess_mw.contrib.flask import CfAccess, current_identity

    app = Flask(__name__)
    app.config["CFACCESS"] = {"team": "acme", "audience": "4714c1358e65fe4b408ad6d432a5f878f081…"}
    access = CfAccess(app, protect_all=True)        # new applications: everything, static files and 404s included

``CfAccess(app)`` without ``protect_all`` keeps flask-cfaccess's meaning: decorators and ``before_request`` decide, and
views without any are open. It names those in one warning at the first request, and ``flask cfaccess`` lists them.
``login_required``, ``validate_identity`` and ``require`` protect above ``@app.route`` as well as below it.

Against whom: in both modes nothing that a client could forge reaches a handler (see :mod:`cfaccess_mw.wsgi`), and the
assertion itself only where it was verified. Where one is refused, or cannot be verified at the moment, ``Refused`` is
raised: 401, 403 and 503 look as at the door, unless the application handles ``Refused`` or the status by itself.
"""

from cfaccess_mw.extras import needs

with needs("flask"):
    import flask as _flask  # noqa: F401 - says which extra is missing, for all of the modules below

from cfaccess_mw.contrib.flask.decorators import login_required, require, validate_identity
from cfaccess_mw.contrib.flask.extension import CfAccess, cfaccess, get_cfaccess, get_identity
from cfaccess_mw.contrib.flask.login import load_user
from cfaccess_mw.contrib.flask.proxies import current_identity

__all__ = [
    "CfAccess",
    "cfaccess",
    "current_identity",
    "get_cfaccess",
    "get_identity",
    "load_user",
    "login_required",
    "require",
    "validate_identity",
]
