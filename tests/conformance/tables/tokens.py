"""Which tokens open a protected path, and what is said of the others?"""

from tests.conformance.applications.telling import PUBLIC
from tests.conformance.row import given, passes, refused

_ASSERTION = "Cf-Access-Jwt-Assertion: {alice}"
_COOKIE = "Cookie: CF_Authorization={alice}"

_EVERYWHERE = (
    refused("none", "/admin", "no-token"),
    passes("user", "/admin", "alice"),
    passes("service", "/admin", "robot"),
    refused("expired", "/admin", "expired", token="expired"),
    refused("of-another-application", "/admin", "wrong-audience", token="elsewhere"),
    refused("of-an-unknown-key", "/admin", "unknown-key", token="stranger"),
)

_READ_BY_SERVERS = (
    refused("empty", "/admin", "malformed-token", "Cf-Access-Jwt-Assertion:"),
    refused("joined", "/admin", "duplicate-token", "Cf-Access-Jwt-Assertion: {alice},{alice}"),
    refused("joined-with-a-space", "/admin", "duplicate-token", "Cf-Access-Jwt-Assertion: {alice}, {bob}"),
    refused("as-authorization", "/admin", "no-token", "Authorization: Bearer {alice}"),
    passes("beside-an-authorization", "/admin", "alice", "Authorization: Bearer of-the-client"),
    refused("cookie-not-enabled", "/admin", "no-token", _COOKIE),
)

_READ_BY_DOORS = (
    refused("nonsense", "/admin", "malformed-token", "Cf-Access-Jwt-Assertion: x"),
    refused("not-yet", "/admin", "not-yet-valid", token="early"),
    refused("of-another-issuer", "/admin", "wrong-issuer", token="evil"),
    refused("of-a-bad-signature", "/admin", "bad-signature", token="forged"),
    refused("unsigned", "/admin", "algorithm-not-allowed", token="unsigned"),
    refused("of-the-organisation", "/admin", "wrong-token-type", token="organisation"),
    refused("of-metadata", "/admin", "wrong-token-type", token="metadata"),
    refused("of-the-login-page", "/admin", "wrong-token-type", token="meta"),
    refused("two-lines", "/admin", "duplicate-token", _ASSERTION, token="alice"),
    refused("two-lines-of-two-people", "/admin", "duplicate-token", _ASSERTION, token="bob"),
    refused("with-a-scheme", "/admin", "duplicate-token", "Cf-Access-Jwt-Assertion: Bearer {alice}"),
    refused("as-a-query", "/admin?Cf-Access-Jwt-Assertion={alice}", "no-token"),
    passes("old", "/admin", "old"),
)

_COOKIES_ON_SERVERS = (
    passes("cookie", "/admin", "alice", "Cookie: a=b; CF_Authorization={alice}; c={}", token=""),
    passes("cookie-in-a-second-line", "/admin", "alice", "Cookie: a=b", _COOKIE, token="", needs=frozenset({"asgi"})),
)

_COOKIES = (
    # as most WSGI servers join them, and not with a semicolon
    refused("cookie-behind-a-comma", "/admin", "no-token", "Cookie: a=b,CF_Authorization={alice}"),
    passes("cookies", "/admin", "alice", "Cookie: CF_Authorization={expired}; CF_Authorization={alice}", token=""),
    refused("cookies-too-many", "/admin", "too-many-tokens", "Cookie: " + "CF_Authorization={alice}; " * 5),
    refused("cookie-expired", "/admin", "expired", "Cookie: CF_Authorization={expired}"),
    refused("cookie-of-another-name", "/admin", "no-token", "Cookie: cf_authorization={alice}"),
    refused("cookie-quoted", "/admin", "bad-encoding", 'Cookie: CF_Authorization="{alice}"'),
    refused("cookie-beside-a-bad-header", "/admin", "expired", _COOKIE, token="expired"),
    refused("cookie-beside-an-empty-header", "/admin", "malformed-token", "Cf-Access-Jwt-Assertion:", _COOKIE),
    passes("cookie-of-somebody-else", "/admin", "bob", _COOKIE),
    passes("cookie-where-public", "/static/x", "alice", _COOKIE, token="", says=PUBLIC),
    passes(
        "cookie-bad-where-public", "/static/x", "", "Cookie: CF_Authorization={old}x", says=PUBLIC, hidden=("{old}",)
    ),
)

ROWS = (
    *given(_EVERYWHERE, on_servers="all"),
    *given(_READ_BY_SERVERS, on_servers="doors"),
    *_READ_BY_DOORS,
    *given(_COOKIES_ON_SERVERS, configuration="cookie", on_servers="doors"),
    *given(_COOKIES, configuration="cookie"),
    passes("of-another-application-where-both-count", "/admin", "elsewhere", configuration="two-audiences"),
    refused("too-old", "/admin", "too-old", token="old", configuration="strict"),
)
