"""What do the rules make of a request whose path is beyond doubt?"""

from tests.conformance.applications.telling import PUBLIC
from tests.conformance.row import given, passes, refused

_FROM = "CF-Connecting-IP: 192.0.2.7"
_ASSERTION = "Cf-Access-Jwt-Assertion: {alice}"

_EVERYWHERE = (
    passes("public", "/static/x", says=PUBLIC),
    passes("public-with-a-token", "/static/x", "alice", says=PUBLIC),
    refused("protected-below-public", "/open/admin", "no-token"),
    refused("unknown-path", "/nothing/here", "no-token"),
    refused("static-file", "/assets/site.css", "no-token"),
    refused("slash-to-be-added", "/dir", "no-token"),
    refused("handler-that-breaks", "/boom", "no-token"),
    refused("nested", "/api/admin", "no-token"),
    passes("nested-with-a-token", "/api/admin", "alice"),
)

_NARROW = (
    passes("public-with-a-bad-token", "/static/x", token="stranger", says=PUBLIC, hidden=("{stranger}",)),
    passes("public-with-another-s", "/static/x", token="elsewhere", says=PUBLIC, hidden=("{elsewhere}",)),
    passes("public-with-two", "/static/x", "", _ASSERTION, token="bob", says=PUBLIC, hidden=("{alice}", "{bob}")),
    passes("public-below", "/open/x", says=PUBLIC),
    passes("protected-below-public-with-a-token", "/open/admin", "alice"),
    passes("optional-without", "/maybe", says=PUBLIC),
    passes("optional-with", "/maybe", "bob", says=PUBLIC),
    refused("optional-with-a-bad-one", "/maybe", "expired", token="expired"),
    refused("optional-with-nonsense", "/maybe", "malformed-token", "Cf-Access-Jwt-Assertion: x"),
    refused("home", "/", "no-token"),
    passes("home-with-a-token", "/", "alice"),
    refused("documentation", "/docs", "no-token"),
    refused("schema", "/openapi.json", "no-token"),
    refused("another-method", "/whoami", "no-token", method="DELETE"),
    refused("unknown-method", "/admin", "no-token", method="FOO"),
)

_POLICIES = (
    passes("by-e-mail", "/admin/alice", "alice"),
    refused("by-e-mail-another", "/admin/alice", "not-permitted", token="bob"),
    refused("by-e-mail-service", "/admin/alice", "not-permitted", token="robot"),
    refused("by-e-mail-nobody", "/admin/alice", "no-token"),
    passes("by-domain", "/admin/domain", "bob"),
    refused("by-domain-another", "/admin/elsewhere", "not-permitted", token="bob"),
    passes("by-group", "/admin/groups/x", "alice"),
    refused("by-group-no-member", "/admin/groups/x", "not-permitted", token="bob"),
    refused("by-group-ended", "/admin/groups/x", "session-ended", token="dave"),
    refused("by-group-service", "/admin/groups/x", "not-permitted", token="robot"),
    passes("people", "/admin/people", "bob"),
    refused("people-service", "/admin/people", "not-permitted", token="robot"),
    passes("services", "/admin/services", "robot2"),
    refused("services-user", "/admin/services", "not-permitted", token="alice"),
    passes("one-service", "/admin/robot", "robot"),
    refused("one-service-another", "/admin/robot", "not-permitted", token="robot2"),
    refused("denied", "/admin/nobody", "not-permitted", token="alice"),
    passes("by-address", "/admin/office", "alice", _FROM),
    refused("by-address-not-told", "/admin/office", "not-permitted", token="alice"),
    refused("by-address-told-twice", "/admin/office", "not-permitted", _FROM, _FROM, token="alice"),
    refused("by-address-forwarded", "/admin/office", "not-permitted", "X-Forwarded-For: 192.0.2.7", token="alice"),
    passes("bypassed", "/admin/away", "", _FROM),
    refused("not-bypassed", "/admin/away", "no-token"),
    refused("denied-first", "/admin/away", "not-permitted", token="bob"),
    passes("only-reported-rule", "/admin/soon", "alice"),
    passes("method-of-no-rule", "/static/upload", says=PUBLIC),
    refused("method-of-a-rule", "/static/upload", "no-token", method="POST"),
    refused("method-in-lower-case", "/static/upload", "no-token", method="post"),
    refused("method-by-header", "/static/upload", "no-token", "X-HTTP-Method-Override: GET", method="POST"),
)

_UNTRUSTING = (
    refused("by-address-told-by-anybody", "/admin/office", "not-permitted", _FROM, token="alice"),
    refused("not-bypassed-by-anybody", "/admin/away", "no-token", _FROM),
)

_HOSTS = (
    passes("host", "/admin", "alice", "Host: a.example.com:8443"),
    refused("host-with-another-audience", "/admin", "wrong-audience", "Host: b.example.com", token="alice"),
    passes("host-with-its-audience", "/admin", "elsewhere", "Host: B.EXAMPLE.com."),
    passes("host-where-public", "/static/x", "", "Host: a.example.com", says=PUBLIC),
    refused("host-where-not-public", "/static/x", "no-token", "Host: b.example.com"),
    refused("host-unknown", "/static/x", "ambiguous-host", "Host: c.example.com"),
    refused("host-empty", "/static/x", "ambiguous-host", "Host:"),
    refused("host-forwarded", "/static/x", "no-token", "Host: b.example.com", "X-Forwarded-Host: a.example.com"),
)

_OWN_AUDIENCE = (
    refused("own-audience-with-the-usual-token", "/admin/other/x", "wrong-audience", token="alice"),
    passes("own-audience", "/admin/other/x", "elsewhere"),
    refused("own-audience-elsewhere", "/admin", "wrong-audience", token="elsewhere"),
)

ROWS = (
    *given(_EVERYWHERE, on_servers="all"),
    *_NARROW,
    *given(_POLICIES, configuration="policies"),
    *given(_UNTRUSTING, configuration="untrusting"),
    refused("by-group-not-known", "/admin/groups/x", "identity-unavailable", token="alice", configuration="alone"),
    *given(_HOSTS, configuration="hosts"),
    *given(_OWN_AUDIENCE, configuration="own-audience"),
    passes("everything-public", "/admin", configuration="everything"),
    passes("everything-public-with-a-token", "/admin", "alice", configuration="everything"),
    passes("by-default", "/admin", "alice", configuration="default-policies"),
    refused("by-default-another", "/admin", "not-permitted", token="bob", configuration="default-policies"),
)
