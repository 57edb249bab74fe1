"""Whatever is sent, is the answer a decision or a refusal of ours, and never another exception, nor a leak?"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfaccess_mw import ConfigurationError
from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import FetchError, KeySetError
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.identity_reply import Reply, read_reply
from cfaccess_mw.core.keys import KeySnapshot, parse_jwks
from cfaccess_mw.core.policy_reading import read_policies
from cfaccess_mw.core.rules import Rule
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.properties.doors import HOST, STATUSES, Said, asgi_door, ask_asgi, ask_wsgi, joined, wsgi_door
from tests.properties.examples import examples
from tests.tokens import AUD, NOW, outcome, verify

MARK = "hunter2"  # stands in tokens and cookies, and may stand in no answer

NAMES = st.sampled_from(
    [
        *("cf-access-jwt-assertion", "Cf-Access-Jwt-Assertion", "cf_access_jwt_assertion", "cookie", "host", "accept"),
        *("cf-connecting-ip", "cf-ipcountry", "cf-cert-presented", "cf-cert-subject-dn-rfc2253", "cf-ray", "origin"),
        *("remote-user", "x-user", "sec-fetch-mode", "sec-fetch-dest", "access-control-request-method", "upgrade"),
        *("x-forwarded-prefix", "script-name", "x-http-method-override", "cf-access-\xdf", "x" * 300),
    ]
)
TEXTS = st.sampled_from(
    [
        *("", HOST, "app.example:443", "[::1]", "a b", "192.0.2.1", "PT", "true", "CN=laptop-7", "CN=a\\", "navigate"),
        *("text/html", "text/html;q=x, */*;q=9", "GET", "=", ";", "CF_Authorization=", f"CF_Authorization={MARK}; a=b"),
        *(f"{MARK}.{MARK}.{MARK}", "\xff\x00\n", "CN=\\ff+OU=#04", "1.2.3=x", ",".join('#+=\\"<>;')),
    ]
)
BYTES = st.text(st.characters(max_codepoint=255), max_size=20)
HEADERS = st.builds(
    lambda sent, known: [*known, *sent],
    st.lists(st.tuples(NAMES | BYTES, TEXTS | BYTES), max_size=6),
    st.sampled_from([[("host", HOST)], [("host", HOST)], []]),  # a request for no known host goes no further
)
PIECES = st.sampled_from(
    [
        *("/", "static", "/healthz", "/other/x", "/office", "/laptops/", "/bypass/x", "/hosted/x", "/maybe", "//", "#"),
        *("%2f", "%", "..", ";", "\\", "\x00", "\u00e9", "\ud800", "\uff0f", "?", "\u0130", "api", "x" * 2_100),
    ]
)
PATHS = st.lists(PIECES | st.text(max_size=3), max_size=5).map("".join)
METHODS = st.sampled_from(["GET", "HEAD", "OPTIONS", "get", "", "\xdf", "G T"]) | BYTES
MOUNTS = st.sampled_from(["", "", "/api", "/", "api", "/\u00e9", "/%61", "\ud800"])
PEERS = st.sampled_from([None, "127.0.0.1", "::1", "", "203.0.113.7", "::ffff:127.0.0.1", "unix", "x%y"])


def encoded(text: str) -> bytes:
    """The bytes of a text, whatever stands in it."""
    return text.encode("utf-8", "surrogatepass")


SCOPES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["http", "http", "websocket"]),
        "method": METHODS,
        "path": PATHS,
        "raw_path": st.none() | st.binary(max_size=20) | PATHS.map(encoded),
        "root_path": MOUNTS,
        "query_string": st.binary(max_size=20),
        "headers": HEADERS.map(
            lambda pairs: [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
        ),
        "client": PEERS.map(lambda peer: None if peer is None else (peer, 1)),
    }
)
NATIVE = PATHS.map(lambda text: encoded(text).decode("latin-1"))
ENVIRONS = st.builds(
    lambda fixed, headers, optional: {**fixed, **joined(headers), **optional},
    st.fixed_dictionaries(
        {
            "REQUEST_METHOD": METHODS,
            "PATH_INFO": NATIVE,
            "SCRIPT_NAME": MOUNTS.map(lambda text: encoded(text).decode("latin-1")),
            "QUERY_STRING": BYTES,
            "wsgi.url_scheme": st.just("http"),
        }
    ),
    HEADERS,
    st.fixed_dictionaries({}, optional={"RAW_URI": NATIVE, "REMOTE_ADDR": PEERS.map(str)}),
)


@pytest.fixture(scope="module")
def asgi(issuer: Issuer) -> AsgiDoor:
    return asgi_door(issuer.certs())


@pytest.fixture(scope="module")
def wsgi(issuer: Issuer) -> WsgiDoor:
    return wsgi_door(issuer.certs())


def check(said: Said) -> None:
    """An answer of ours, which gives nothing away."""
    assert said.status in STATUSES
    assert MARK not in said.text
    spoofable = [name for name, _ in said.headers if name.replace("_", "-").startswith("cf-access-")]
    assert spoofable == [], "nobody proved who he is"
    assert said.identity is None


@examples(300)
@given(scope=SCOPES)
def test_any_scope_is_answered(asgi: AsgiDoor, scope: dict[str, Any]) -> None:
    if scope["type"] == "websocket":
        del scope["method"]
    check(ask_asgi(asgi, scope))


@examples(300)
@given(environ=ENVIRONS)
def test_any_environ_is_answered(wsgi: WsgiDoor, environ: dict[str, Any]) -> None:
    check(ask_wsgi(wsgi, environ))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
JWK = st.dictionaries(
    st.sampled_from(["kty", "kid", "use", "alg", "n", "e", "key_ops", "d", "x5c"]),
    JSON | st.sampled_from(["RSA", "sig", "RS256", "AQAB", "AQ", "A" * 342, "\ud800", "\u00e9"]),
)


@examples(200)
@given(
    st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.lists(JWK | JSON, max_size=4).map(lambda keys: json.dumps({"keys": keys}).encode())
)
def test_any_certs_document_is_a_set_of_keys_or_a_failed_fetch(body: bytes) -> None:
    with pytest.raises(KeySetError):
        parse_jwks(body)


@examples(200)
@given(good=st.integers(0, 4), others=st.lists(JWK | JSON, max_size=4))
def test_one_good_key_is_found_among_whatever_stands_beside_it(issuer: Issuer, good: int, others: list[Any]) -> None:
    keys = [*others[:good], issuer.current.jwk(), *others[good:]]
    found = parse_jwks(json.dumps({"keys": keys}).encode())
    assert found.keys.keys() == {issuer.current.kid}
    assert sum(found.skipped.values()) == len(others)


OURS = {
    "iss": "https://acme.cloudflareaccess.com",
    "aud": [AUD],
    "exp": NOW + 60,
    "iat": NOW,
    "type": "app",
    "email": "a@b.example",
    "sub": "x",
}


@examples(300)
@given(payload=st.dictionaries(st.text(max_size=8), JSON, max_size=4), names=st.sampled_from([OURS, {}]))
def test_any_claims_give_an_identity_or_a_coded_refusal(
    issuer: Issuer, snapshot: KeySnapshot, payload: dict[str, Any], names: dict[str, Any]
) -> None:
    """Signed, so that what comes after the signature is reached."""
    claims = {**payload, **names}
    signed = issuer.sign(None, json.dumps(claims).encode())
    if outcome(signed, snapshot) == "accepted":
        identity = verify(signed, snapshot).identity
        assert names is OURS
        assert (identity.email, identity.id) == ("a@b.example", "x")
        assert json.dumps(dict(identity.claims)) == json.dumps(claims)
        assert repr(identity).count("a@b") == 0


@examples(200)
@given(
    st.sampled_from([200, 200, 400, 401, 404, 500, 302]),
    st.binary(max_size=40)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(["user_uuid", "email", "err", "service_token_id"]), JSON).map(
        lambda value: json.dumps(value).encode()
    ),
)
def test_any_answer_about_a_person_is_about_somebody_else_or_nobody(issuer: Issuer, status: int, body: bytes) -> None:
    identity = person(issuer)
    try:
        told = read_reply(Reply(status=status, body=body), identity)
    except FetchError:
        return
    assert told is None


def person(issuer: Issuer) -> Identity:
    """Somebody whom no example names."""
    snapshot = parse_jwks(json.dumps(issuer.certs()).encode())
    return verify(issuer.user("user@example.com", audience=AUD), snapshot).identity


WORDS = st.sampled_from(
    [
        *("decision", "include", "require", "exclude", "allow", "deny", "bypass", "email", "ip", "geo", "group", "id"),
        *("everyone", "service_token", "pattern", "access", "policies", "methods", "hosts", "service", "any_user", "*"),
        *("/a", "/*", "public", "token", "192.0.2.0/24", "name", "precedence", "custom", "saml", "login_methods"),
    ]
)
WRITTEN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.floats() | WORDS | st.text(max_size=4) | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.integers(0, 2), inner, max_size=4),
    max_leaves=12,
)
KEYS = [
    *("audience", "certs_url", "cookie", "hard_ttl", "issuer", "keys", "leeway", "max_age", "policies", "references"),
    *("report_only", "rules", "scrub", "team", "team_url", "trusted_peers", "unauthenticated_status", "host_routing"),
    *("refusal_template", "remote_user", "revalidate_every", "profile_ttl", "cold_wait", "listeners", "on_refusal"),
]


def mistake(read: Callable[[Any], object], written: object) -> str | None:
    """What is said of something that cannot be meant; None where it can."""
    try:
        read(written)
    except ConfigurationError as error:
        return str(error)
    return None


@examples(300)
@given(WRITTEN)
def test_whatever_is_written_as_a_policy_is_one_or_a_mistake_that_is_named(written: Any) -> None:
    assert mistake(read_policies, written) != ""
    assert mistake(Rule.from_mapping, written) != ""


@examples(300)
@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), WRITTEN, max_size=4))
def test_whatever_is_written_as_a_configuration_is_one_or_a_mistake_that_is_named(written: dict[str, Any]) -> None:
    assert mistake(AccessConfig.from_mapping, {"team": "acme", "audience": AUD, **written}) != ""
