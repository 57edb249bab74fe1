"""Refuse every request that did not come through Cloudflare Access, and know who is asking.

The doors are ``cfaccess_mw.asgi.AccessMiddleware`` and ``cfaccess_mw.wsgi.AccessMiddleware``.
"""

from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import (
    AccessError,
    ConfigurationError,
    InvalidToken,
    KeysUnavailable,
    NotPermitted,
    Refused,
)
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.rules import Rule
from cfaccess_mw.wire.current import current_identity
from cfaccess_mw.wire.login import login_url, logout_url

__all__ = [
    "AccessConfig",
    "AccessError",
    "ConfigurationError",
    "Identity",
    "InvalidToken",
    "KeysUnavailable",
    "NotPermitted",
    "Refused",
    "Rule",
    "current_identity",
    "login_url",
    "logout_url",
]
