"""The application under gunicorn."""

import time

import flask

from benchmarks.load.apps.rules import RULES, WHILE
from cfaccess_mw import current_identity
from cfaccess_mw.wsgi import AccessMiddleware


def _who() -> str:
    identity = current_identity()
    return "nobody" if identity is None else identity.id


def _slow() -> str:
    time.sleep(WHILE)
    return _who()


application = flask.Flask(__name__)
for _path in ("/", "/healthz", "/admin"):
    application.add_url_rule(_path, _path, _who)
application.add_url_rule("/slow", "slow", _slow)
application.wsgi_app = AccessMiddleware(application.wsgi_app, rules=RULES, cookie=True)  # type: ignore[method-assign]
