"""How do I call something that is behind Cloudflare Access? As a service, as a person, or for whoever is asking me.

::

    import httpx
    from cfaccess_mw.client import ServiceToken
    from cfaccess_mw.client.httpx import AccessAuth

    client = httpx.Client(auth=AccessAuth(ServiceToken("app.example.com")))

``cfaccess_mw.client.httpx2`` and ``cfaccess_mw.client.requests`` have an ``AccessAuth`` for these clients.
"""

from cfaccess_mw.client.cloudflared import ask_cloudflared, find_token
from cfaccess_mw.client.credentials import Credentials
from cfaccess_mw.client.errors import (
    AccessRefused,
    CallError,
    CloudflaredFailed,
    CredentialsRefused,
    CredentialsUnusable,
    HeaderTaken,
    HostNotNamed,
    InsecureCall,
    LoginDemanded,
    NoIdentity,
    NotAdmitted,
    SignInPending,
    TokenInCookieJar,
    UserTokenExpired,
    UserTokenMissing,
    UserTokenUnavailable,
)
from cfaccess_mw.client.forwarding import ForwardedIdentity
from cfaccess_mw.client.jar import TokenlessPolicy, tokenless_cookies
from cfaccess_mw.client.service_token import ServiceToken
from cfaccess_mw.client.token_files import read_token
from cfaccess_mw.client.user_token import UserToken

__all__ = [
    "AccessRefused",
    "CallError",
    "CloudflaredFailed",
    "Credentials",
    "CredentialsRefused",
    "CredentialsUnusable",
    "ForwardedIdentity",
    "HeaderTaken",
    "HostNotNamed",
    "InsecureCall",
    "LoginDemanded",
    "NoIdentity",
    "NotAdmitted",
    "ServiceToken",
    "SignInPending",
    "TokenInCookieJar",
    "TokenlessPolicy",
    "UserToken",
    "UserTokenExpired",
    "UserTokenMissing",
    "UserTokenUnavailable",
    "ask_cloudflared",
    "find_token",
    "read_token",
    "tokenless_cookies",
]
