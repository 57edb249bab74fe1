"""Who is asking, in handlers and templates?"""

from typing import cast

from flask import has_request_context, request
from werkzeug.local import LocalProxy

from cfaccess_mw.contrib.flask.asking import IDENTITY
from cfaccess_mw.core.identity import Identity


def _identity() -> Identity | None:
    return request.environ.get(IDENTITY) if has_request_context() else None


current_identity = cast("Identity", LocalProxy(_identity))
"""The :class:`~cfaccess_mw.Identity` of the request; false where there is none. Templates have it by this name."""
