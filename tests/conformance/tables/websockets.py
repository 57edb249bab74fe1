"""Which WebSockets are opened? The rules are those of HTTP, and whoever is refused is refused before he is accepted."""

from collections.abc import Iterable
from dataclasses import replace

from tests.conformance.configurations import MOUNT
from tests.conformance.row import Row, given, passes, refused

_SPOOFED = ("Cf-Access-Authenticated-User-Email: mallory@example.com", "Remote-User: mallory")
_COOKIE = "Cookie: CF_Authorization={alice}"
_ASSERTION = "Cf-Access-Jwt-Assertion: {alice}"

_EVERYWHERE = (
    refused("none", "/ws", "no-token"),
    passes("user", "/ws", "alice"),
    passes("service", "/ws", "robot"),
    refused("expired", "/ws", "expired", token="expired"),
    refused("of-another-application", "/ws", "wrong-audience", token="elsewhere"),
    refused("of-an-unknown-key", "/ws", "unknown-key", token="stranger"),
    refused("unknown-path", "/nothing", "no-token"),
    passes("spoofed-beside-a-token", "/ws", "alice", *_SPOOFED, hidden=("mallory",)),
)

_NARROW = (
    refused("two-lines", "/ws", "duplicate-token", _ASSERTION, token="alice"),
    refused("as-a-protocol", "/ws", "no-token", "Sec-WebSocket-Protocol: {alice}"),
    refused("as-a-query", "/ws?token={alice}", "no-token"),
    refused("spoofed", "/ws", "no-token", *_SPOOFED),
    refused("cookie-not-enabled", "/ws", "no-token", _COOKIE),
    refused("dot-segments", "/static/../ws", "ambiguous-path"),
    refused("null", "/ws%00", "ambiguous-path", token="alice"),
    refused("page", "/ws", "no-token", "Sec-Fetch-Mode: navigate", page=True),
)

_POLICIES = (
    refused("by-policy", "/admin/alice", "not-permitted", token="bob"),
    refused("by-group", "/admin/groups/x", "not-permitted", token="bob"),
)

_WIDE = (
    refused("slashes", "//ws", "no-token"),
    refused("encoded", "/%77s", "no-token"),
    refused("parameters", "/ws;x", "no-token"),
)

_MOUNTED = (
    refused("mounted", "/api/ws", "no-token"),
    passes("mounted-with-a-token", "/api/ws", "alice"),
)

_PREFLIGHT = ("Origin: https://other.example", "Access-Control-Request-Method: GET")


def _opening(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The same rows as handshakes."""
    opening = given(rows, websocket=True, needs=frozenset({"websockets"}))
    return tuple(replace(row, status=101) if row.says else row for row in opening)


ROWS = _opening(
    (
        *given(_EVERYWHERE, on_servers="all"),
        *_NARROW,
        passes("cookie", "/ws", "alice", _COOKIE, token="", configuration="cookie", on_servers="doors"),
        passes("twice", "/ws", "alice", doors=2),
        *given(_POLICIES, configuration="policies"),
        *given(_WIDE, configuration="wide"),
        *given(_MOUNTED, configuration="mounted", mount=MOUNT, on_servers="doors"),
        refused("keys-down", "/ws", "keys-unavailable", token="alice", configuration="keyless"),
        refused("revoked", "/ws", "session-revoked", token="bob", configuration="revoking"),
        refused("session-ended", "/ws", "session-ended", token="dave", configuration="revalidating"),
        refused("status-403", "/ws", "no-token", status=403, configuration="forbidding"),
        refused("no-preflight", "/ws", "no-token", *_PREFLIGHT, configuration="preflight"),
        passes("only-reported", "/ws", configuration="reporting"),
    )
)
