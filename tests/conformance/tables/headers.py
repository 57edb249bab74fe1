"""Which headers does the application not see, whoever sends them? And what of one door behind another?"""

from tests.conformance.applications.telling import PUBLIC
from tests.conformance.row import given, passes, refused

_SPOOFED = (
    "Cf-Access-Authenticated-User-Email: mallory@example.com",
    "cf_access_authenticated_user_email: mallory@example.com",
    "Cf-Access-Client-Id: mallory",
    "CF-ACCESS-GROUPS: mallory",
    "Cf_Access_Anything: mallory",
    "Remote-User: mallory",
    "REMOTE_USER: mallory",
    "Remote_User: mallory",
)
_SCRUBBED = ("X-User: mallory", "X_User: mallory", "x-groups: mallory", "X_GROUPS: mallory")
_ASSERTION = "Cf-Access-Jwt-Assertion: {alice}"

_EVERYWHERE = (
    refused("spoofed", "/admin", "no-token", *_SPOOFED),
    passes("spoofed-beside-a-token", "/admin", "alice", *_SPOOFED),
    passes("spoofed-beside-a-service", "/admin", "robot", *_SPOOFED),
    passes("spoofed-where-public", "/static/x", "", *_SPOOFED, says=PUBLIC),
)

_NARROW = (
    passes("spoofed-before-a-token", "/admin", "alice", *_SPOOFED, _ASSERTION, token=""),
    passes("spoofed-where-optional", "/maybe", "", *_SPOOFED, says=PUBLIC),
    passes("others-are-kept", "/admin", "alice", "X-Own: x", "CF-Ray: 230b030023ae2822-SJC"),
)

_SCRUBBING = (
    passes("scrubbed", "/admin", "alice", *_SCRUBBED),
    passes("scrubbed-where-public", "/static/x", "", *_SCRUBBED, says=PUBLIC),
)

_TWICE = (
    passes("twice", "/admin", "alice", *_SPOOFED),
    passes("twice-service", "/admin", "robot"),
    passes("twice-public", "/static/x", "", *_SPOOFED, says=PUBLIC),
    passes("twice-public-with-a-token", "/static/x", "alice", says=PUBLIC),
    refused("twice-nobody", "/admin", "no-token"),
    refused("twice-expired", "/admin", "expired", token="expired"),
    refused("twice-by-policy", "/admin/alice", "not-permitted", token="bob", configuration="policies"),
    passes("twice-by-policy-good", "/admin/alice", "alice", configuration="policies"),
    passes("twice-by-cookie", "/admin", "alice", "Cookie: CF_Authorization={alice}", token="", configuration="cookie"),
)

ROWS = given(
    (
        *given(_EVERYWHERE, on_servers="all"),
        *_NARROW,
        passes("spoofed-where-only-reported", "/admin", "", *_SPOOFED, configuration="reporting"),
        passes("spoofed-where-everything-is-public", "/admin", "", *_SPOOFED, configuration="everything"),
        *given(_SCRUBBING, configuration="scrubbing", on_servers="doors"),
        *given(_TWICE, doors=2),
        passes("three-times", "/admin", "alice", *_SPOOFED, doors=3),
    ),
    hidden=("mallory",),
)
