"""Which cookies may an HTTP client keep that calls for more than one person? All but the tokens of Access.

A client sends what is in its jar by itself, on redirects too: a token that came back for one person would go out with
the request of another, and, where it has a ``Domain``, to hosts that nobody named. The callers of this package keep
what they need themselves.
"""

from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from urllib.request import Request

from cfaccess_mw.wire.cookies import NAME


class TokenlessPolicy(DefaultCookiePolicy):
    """The usual policy, but ``CF_Authorization`` is neither kept nor sent; for ``requests``: ``set_policy()``."""

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        """Whether a cookie may be kept."""
        return cookie.name != NAME and super().set_ok(cookie, request)

    def return_ok(self, cookie: Cookie, request: Request) -> bool:
        """Whether a cookie may be sent."""
        return cookie.name != NAME and super().return_ok(cookie, request)


def tokenless_cookies() -> CookieJar:
    """A cookie jar that keeps no tokens of Access: ``httpx.Client(cookies=tokenless_cookies())``."""
    return CookieJar(TokenlessPolicy())
