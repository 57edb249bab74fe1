"""How is a request refused, and what of refusals can be configured?"""

from tests.conformance.applications.telling import PUBLIC
from tests.conformance.row import Row, given, passes, refused

_CHALLENGE = {"www-authenticate": 'Cloudflare-Access realm="acme.cloudflareaccess.com"'}
_UNCHALLENGED = {"www-authenticate": None}
_NAVIGATES = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
_PREFLIGHT = ("Origin: https://other.example", "Access-Control-Request-Method: PUT")
_LOGIN = "https://acme.cloudflareaccess.com/cdn-cgi/access/login/app.example.com?"

_EVERYWHERE = (
    refused("problem", "/admin", "no-token", "Accept: application/json", answer=_CHALLENGE),
    refused("page", "/admin", "no-token", *_NAVIGATES, page=True, answer=_CHALLENGE),
    refused("page-of-a-bad-token", "/admin", "expired", *_NAVIGATES, page=True, token="expired"),
    refused("page-ambiguous", "/static/%00", "ambiguous-path", *_NAVIGATES, page=True),
    refused("head", "/admin", "no-token", method="HEAD", answer=_CHALLENGE),
)

_NARROW = (
    refused("page-by-accept", "/admin", "no-token", "Accept: text/html,*/*;q=0.8", page=True),
    refused("page-of-an-unknown-path", "/nothing", "no-token", *_NAVIGATES, page=True),
    refused("page-of-another-method", "/admin", "no-token", *_NAVIGATES, method="POST", page=True),
    refused("head-of-a-page", "/admin", "no-token", *_NAVIGATES, method="HEAD", page=True),
    passes("head-with-a-token", "/whoami", "alice", says="", method="HEAD", needs=frozenset({"head"})),
    refused("preflight", "/admin", "no-token", *_PREFLIGHT, method="OPTIONS"),
)

_PREFLIGHTS = (
    Row(id="preflight-allowed", method="OPTIONS", lines=_PREFLIGHT, status=0),
    refused("preflight-without-a-method", "/admin", "no-token", *_PREFLIGHT[:1], method="OPTIONS"),
    refused("preflight-without-an-origin", "/admin", "no-token", *_PREFLIGHT[1:], method="OPTIONS"),
    refused("preflight-of-another-method", "/admin", "no-token", *_PREFLIGHT),
    refused("preflight-for-an-ambiguous-path", "/admin%00", "ambiguous-path", *_PREFLIGHT, method="OPTIONS"),
)

_REDIRECTING = (
    refused(
        "to-the-login",
        "/admin?x=1",
        "no-token",
        *_NAVIGATES,
        page=True,
        status=302,
        answer={"location": _LOGIN, "set-cookie": ""},
    ),
    refused("to-the-login-not-for-programs", "/admin", "no-token", "Accept: */*", answer={"location": None}),
    refused(
        "to-the-login-not-where-it-mends-nothing",
        "/static/%00",
        "ambiguous-path",
        *_NAVIGATES,
        page=True,
        answer={"location": None},
    ),
)

_FORBIDDING = (
    refused("status-403", "/admin", "no-token", status=403, answer=_UNCHALLENGED),
    refused("status-403-for-a-bad-token", "/admin", "expired", token="expired", status=403, answer=_UNCHALLENGED),
    passes("status-403-not-for-good-ones", "/admin", "alice"),
)

_KEYLESS = (
    refused("keys-down", "/admin", "keys-unavailable", token="alice"),
    refused("keys-down-page", "/admin", "keys-unavailable", *_NAVIGATES, token="alice", page=True),
    refused("keys-down-nobody", "/admin", "no-token"),
    refused("keys-down-bad-token", "/admin", "expired", token="expired"),
    refused("keys-down-optional", "/maybe", "keys-unavailable", token="alice"),
    passes("keys-down-public", "/static/x", token="alice", says=PUBLIC, hidden=("{alice}",)),
)

_REVOKING = (
    refused("revoked", "/admin", "session-revoked", token="bob"),
    refused("revoked-where-optional", "/maybe", "session-revoked", token="bob"),
    passes("revoked-where-public", "/static/x", token="bob", says=PUBLIC, hidden=("{bob}",)),
    passes("not-revoked", "/admin", "alice"),
)

_REVALIDATING = (
    refused("session-ended", "/admin", "session-ended", token="dave"),
    passes("session-stands", "/admin", "alice"),
    passes("session-of-a-service", "/admin", "robot"),
)

_REPORTING = (
    passes("reported-nobody", "/admin"),
    passes("reported-bad-token", "/admin", token="stranger", hidden=("{stranger}",)),
    passes("reported-good-token", "/admin", "alice"),
)

_ANSWERING = (
    Row(id="own-answer", status=418, answer={"x-why": "no-token", "cache-control": "no-store"}),
    passes("own-answer-not-needed", "/admin", "alice"),
)

_BY_HANDLERS = (
    refused("by-a-handler", "/mine", "not-permitted", token="bob"),
    refused("by-a-handler-a-service", "/mine", "not-permitted", token="robot"),
    refused("by-a-handler-page", "/mine", "not-permitted", *_NAVIGATES, token="bob", page=True),
    passes("not-by-a-handler", "/mine", "alice"),
    refused("by-a-handler-nobody", "/mine", "no-token", answer=_CHALLENGE, configuration="everything"),
)

ROWS = (
    *given(_EVERYWHERE, on_servers="all"),
    *_NARROW,
    refused(
        "page-not-permitted",
        "/admin/alice",
        "not-permitted",
        *_NAVIGATES,
        token="bob",
        page=True,
        configuration="policies",
    ),
    *given(_PREFLIGHTS, configuration="preflight"),
    *given(_REDIRECTING, configuration="redirecting", on_servers="doors"),
    *given(_FORBIDDING, configuration="forbidding"),
    *given(_KEYLESS, configuration="keyless"),
    *given(_REVOKING, configuration="revoking"),
    refused(
        "revocations-not-known", "/admin", "revocations-unavailable", token="alice", configuration="revoking-broken"
    ),
    *given(_REVALIDATING, configuration="revalidating"),
    refused("session-not-known", "/admin", "identity-unavailable", token="alice", configuration="revalidating-alone"),
    *given(_REPORTING, configuration="reporting"),
    *given(_ANSWERING, configuration="answering"),
    *given(_BY_HANDLERS, needs=frozenset({"refusing handlers"})),
)
