"""What becomes of paths that can be read in more than one way?

Where everything is public but ``/admin`` and other handlers (``wide``), no default hides a reading that was forgotten;
the narrow rules open ``/static/*``, and what is refused as ambiguous is refused with a good token, too.
"""

from tests.conformance.applications.telling import PUBLIC
from tests.conformance.configurations import MOUNT
from tests.conformance.row import given, passes, refused

_READINGS = (
    refused("trailing-slash", "/admin/", "no-token"),
    refused("slashes-within", "/open//admin", "no-token"),
    refused("encoded-slash", "/admin%2f", "no-token"),
    refused("encoded-slash-within", "/open%2Fadmin", "no-token"),
    refused("encoded-letter", "/%61dmin", "no-token"),
    refused("encoded-twice", "/%2561dmin", "no-token"),
    refused("parameters", "/admin;x", "no-token"),
    refused("compatible-letters", "/%EF%BD%81dmin", "no-token"),
)

_MORE_READINGS = (
    refused("slashes-in-front", "//admin", "no-token"),
    refused("parameters-within", "/open;x=y/admin", "no-token"),
    refused("encoded-parameters", "/admin%3bx", "no-token"),
    refused("encoded-query", "/admin%3fx", "no-token"),
    refused("encoded-fragment", "/admin%23x", "no-token"),
    refused("capitals", "/ADMIN", "no-token"),
)

_AMBIGUOUS = (
    refused("dot-segments", "/static/../admin", "ambiguous-path", token="alice"),
    refused("dot-segments-encoded", "/static/%2e%2e/admin", "ambiguous-path", token="alice"),
    refused("dot-segments-encoded-slash", "/static/..%2fadmin", "ambiguous-path"),
    refused("null", "/static/x%00", "ambiguous-path"),
    refused("line-feed", "/admin%0a", "ambiguous-path", token="alice"),
    refused("not-utf-8", "/static/%ff", "ambiguous-path"),
)

_MORE_AMBIGUOUS = (
    refused("dot-segment", "/./admin", "ambiguous-path", token="alice"),
    refused("dot-segments-with-parameters", "/static/..;/admin", "ambiguous-path"),
    refused("null-behind-admin", "/admin%00.css", "ambiguous-path", token="alice"),
    refused("backslash", "/static%5c..%5cadmin", "ambiguous-path"),
    refused("malformed-escape", "/static/%zz", "ambiguous-path", by_target=True),
    refused("overlong", "/static/%c0%ae%c0%ae/admin", "ambiguous-path"),
    refused("disguised-slash", "/static/%EF%BC%8F..%EF%BC%8Fadmin", "ambiguous-path"),
    refused("invisible", "/admin%e2%80%8b", "ambiguous-path"),
    refused("too-long", "/static/" + "x" * 2_048, "ambiguous-path"),
)

_HONEST = (
    passes("query-of-a-public-path", "/static/x?/admin", says=PUBLIC),
    passes("space", "/static/a%20b", says=PUBLIC),
    passes("percent", "/static/100%25.png", says=PUBLIC),
    passes("letters", "/static/caf%C3%A9", says=PUBLIC),
    refused("query-with-a-public-path", "/admin?/static/x", "no-token"),
)

_MORE_HONEST = (
    passes("public-capitals", "/static/ADMIN", says=PUBLIC),
    passes("public-with-a-protected-name", "/static/admin", says=PUBLIC),
    refused("not-a-prefix", "/healthz-admin", "no-token"),
    refused("public-in-another-case", "/HEALTHZ", "no-token"),
    refused("another-url", "/admin", "no-token", "X-Original-URL: /static/x", "X-Rewrite-URL: /static/x"),
)

_MOUNTED = (
    refused("mounted", "/api/admin", "no-token"),
    passes("mounted-with-a-token", "/api/admin", "alice"),
    passes("mounted-public", "/api/static/x", says=PUBLIC),
    passes("mounted-public-percent", "/api/static/100%25.png", says=PUBLIC),
    passes("mounted-public-with-a-token", "/api/static/x", "alice", says=PUBLIC),
    refused("mounted-nested", "/api/api/admin", "no-token"),
    refused("mounted-dot-segments", "/api/static/../admin", "ambiguous-path"),
    refused("mounted-line-feed", "/api/admin%0a", "ambiguous-path"),
)

_MOUNTED_READINGS = (
    refused("mounted-wide", "/api/admin", "no-token"),
    refused("mounted-wide-nested", "/api/api/admin", "no-token"),
    refused("mounted-slashes", "/api//admin", "no-token"),
    refused("mounted-parameters", "/api/admin;x", "no-token"),
    refused("mounted-encoded-letter", "/api/%61dmin", "no-token"),
)

ROWS = (
    *given(_READINGS, configuration="wide", on_servers="doors"),
    *given(_MORE_READINGS, configuration="wide"),
    *given((*_AMBIGUOUS, *_HONEST), on_servers="doors"),
    *_MORE_AMBIGUOUS,
    *_MORE_HONEST,
    *given(_MOUNTED, configuration="mounted", mount=MOUNT, on_servers="doors"),
    *given(_MOUNTED_READINGS, configuration="mounted-wide", mount=MOUNT),
)
