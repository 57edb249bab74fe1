"""Is a token of Access for SaaS believed where it belongs, and nowhere else?"""

import dataclasses
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from cfaccess_mw import Identity
from cfaccess_mw.core.errors import AccessError, ConfigurationError, InvalidToken, KeysUnavailable
from cfaccess_mw.core.states import State
from cfaccess_mw.edge.saas import SaasIdentity, SaasVerifier
from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from cfaccess_mw.protection import Protection
from tests.refresh.servers import says, serving
from tests.tokens import AUD, ISSUER, NOW
from tests.vectors import Row, forge, rows

CLIENT = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
SAAS = f"{ISSUER}/cdn-cgi/access/sso/oidc/{CLIENT}"
SUB = "7335d417-61da-459d-899c-0a01c76a2f94"

# OpenID Connect Core 1.0, appendices A.3 and A.4.
ACCESS_TOKEN, AT_HASH = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "77QmUPtjPfzWtF2AnpK9RQ"
CODE, C_HASH = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk", "LDktKdoQak3Pk0cnXxCltA"

GOOD: dict[str, object] = {
    "iss": SAAS,
    "aud": CLIENT,
    "sub": SUB,
    "exp": NOW + 300,
    "iat": NOW,
    "email": "alice@example.com",
    "name": "Alice Ä",
    "groups": ["staff", "admins"],
}


def token(issuer: Issuer, /, **claims: object) -> str:
    """A good token, but for the claims that are given."""
    return issuer.sign(None, {name: value for name, value in {**GOOD, **claims}.items() if value is not ABSENT})


@pytest.fixture(scope="module")
def verifier(issuer: Issuer) -> Iterator[SaasVerifier]:
    """It has the very keys of the team: the worst that Cloudflare might do."""
    verifier = SaasVerifier(team="acme", client_id=CLIENT, keys=issuer.certs(), clock=lambda: NOW)
    yield verifier
    verifier.close()


@pytest.fixture(scope="module")
def door(issuer: Issuer) -> Iterator[Protection]:
    """A door with the same keys, which lives now."""
    protection = Protection(team="acme", audience=[AUD, CLIENT], keys=issuer.certs())
    yield protection
    protection.close()


def outcome(verify: Callable[..., object], *arguments: Any, **options: Any) -> str:
    """``accepted``, or the code; anything else that is raised is the test's failure."""
    try:
        verify(*arguments, **options)
    except InvalidToken as refusal:
        return refusal.code
    return "accepted"


# --- what is believed -------------------------------------------------------------------------------------------------


def test_a_good_token_says_who_signed_in(verifier: SaasVerifier, issuer: Issuer) -> None:
    identity = verifier.verify(token(issuer, custom_claim={"a": 1}))
    assert verifier.issuer == SAAS
    assert identity == verifier.verify(token(issuer, custom_claim={"a": 1}).encode())
    assert dataclasses.asdict(identity) == {
        "subject": SUB,
        "email": "alice@example.com",
        "name": "Alice Ä",
        "issuer": SAAS,
        "client_id": CLIENT,
        "audience": (CLIENT,),
        "issued_at": NOW,
        "expires_at": NOW + 300,
        "key_thumbprint": identity.key_thumbprint,
    }
    assert identity.groups == ("staff", "admins")
    assert identity.claims["custom_claim"] == {"a": 1}
    assert repr(identity) == "<SaasIdentity>"
    again = pickle.loads(pickle.dumps(identity))
    assert (again, again.claims) == (identity, identity.claims)


def test_it_is_another_class_than_that_of_the_doors() -> None:
    assert not issubclass(SaasIdentity, Identity)
    assert not issubclass(Identity, SaasIdentity)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.anyio
async def test_on_an_event_loop(verifier: SaasVerifier, issuer: Issuer) -> None:
    assert (await verifier.averify(token(issuer, nonce="n"), nonce="n")).subject == SUB
    with pytest.raises(InvalidToken):
        await verifier.averify(token(issuer, nonce="n"), nonce="m")
    with pytest.raises(InvalidToken):
        await verifier.averify(token(issuer, iss=ISSUER))


def test_pyjwt_is_of_the_same_opinion(issuer: Issuer) -> None:
    key = jwt.PyJWKSet.from_dict(issuer.certs())[issuer.current.kid]
    given = token(issuer, exp=2**33, iat=1)
    claims = jwt.decode(given, key, algorithms=["RS256"], audience=CLIENT, issuer=SAAS)
    with_clock = SaasVerifier(team="acme", client_id=CLIENT, keys=issuer.certs())
    assert dict(with_clock.verify(given).claims) == claims


# --- what is not ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoilt", ["{0}.{1}=.{2}", "{0}.{1}.{2}=", "e30.{1}=.{2}", "e30.{1}.{2}=", "e30.{1}=.{2}="])
@pytest.mark.parametrize("claims", [{}, {"iss": ISSUER}, {"exp": 0}], ids=["good", "another-issuer", "expired"])
def test_nothing_is_believed_that_can_be_written_in_two_ways(
    spoilt: str, claims: dict[str, object], verifier: SaasVerifier, issuer: Issuer
) -> None:
    forged = spoilt.format(*token(issuer, **claims).split("."))
    assert outcome(verifier.verify, forged) == outcome(verifier.verify, forged.encode()) == "bad-encoding"


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(param.values[0], id=f"{name}-{param.id}")
        for name in ("shape", "header", "signature")
        for param in rows(f"tokens/{name}")
    ],
)
def test_departures_from_a_good_token_are_refused_with_their_code(
    row: Row, verifier: SaasVerifier, issuer: Issuer, stranger: SigningKey
) -> None:
    forged = forge({**row, "claims": {**GOOD, **row.get("claims", {})}}, issuer, stranger)
    assert outcome(verifier.verify, forged) == row["code"]


CLAIMS = [
    pytest.param({}, "accepted", id="good"),
    pytest.param({"iss": ABSENT}, "missing-claim", id="no iss"),
    pytest.param({"iss": [SAAS]}, "invalid-claim", id="list for iss"),
    pytest.param({"iss": ISSUER}, "wrong-issuer", id="the team"),
    pytest.param({"iss": SAAS + "/"}, "wrong-issuer", id="iss with a slash"),
    pytest.param({"iss": SAAS.upper()}, "wrong-issuer", id="iss in capitals"),
    pytest.param({"iss": SAAS[:-1]}, "wrong-issuer", id="iss cut"),
    pytest.param({"iss": f"{ISSUER}/cdn-cgi/access/sso/oidc/{'0' * 64}"}, "wrong-issuer", id="another client"),
    pytest.param({"iss": SAAS.replace("acme", "evil")}, "wrong-issuer", id="another team"),
    pytest.param({"aud": ABSENT}, "missing-claim", id="no aud"),
    pytest.param({"aud": [CLIENT]}, "accepted", id="list of one"),
    pytest.param({"aud": []}, "invalid-claim", id="empty list"),
    pytest.param({"aud": [[CLIENT]]}, "invalid-claim", id="list of a list"),
    pytest.param({"aud": AUD}, "wrong-audience", id="another audience"),
    pytest.param({"aud": [CLIENT, AUD]}, "wrong-audience", id="an audience besides"),
    pytest.param({"aud": CLIENT + "0"}, "wrong-audience", id="a longer audience"),
    pytest.param({"azp": CLIENT}, "accepted", id="authorised party"),
    pytest.param({"azp": None}, "accepted", id="null for the authorised party"),
    pytest.param({"azp": "another"}, "wrong-audience", id="another authorised party"),
    pytest.param({"azp": [CLIENT]}, "invalid-claim", id="list for the authorised party"),
    pytest.param({"exp": ABSENT}, "missing-claim", id="no exp"),
    pytest.param({"exp": NOW - 30}, "expired", id="expired"),
    pytest.param({"exp": NOW - 29}, "accepted", id="expired within the leeway"),
    pytest.param({"exp": str(NOW + 60)}, "invalid-claim", id="text for exp"),
    pytest.param({"iat": ABSENT}, "missing-claim", id="no iat"),
    pytest.param({"iat": NOW + 31}, "not-yet-valid", id="issued ahead"),
    pytest.param({"nbf": NOW + 31}, "not-yet-valid", id="valid later"),
    pytest.param({"sub": ABSENT}, "missing-claim", id="no sub"),
    pytest.param({"sub": ""}, "missing-claim", id="empty sub"),
    pytest.param({"sub": 7}, "invalid-claim", id="number for sub"),
    pytest.param({"sub": "a" * 255}, "accepted", id="long sub"),
    pytest.param({"sub": "a" * 256}, "invalid-claim", id="too long a sub"),
    pytest.param({"sub": "ä"}, "invalid-claim", id="sub beyond ASCII"),
    pytest.param({"email": "a@b@c"}, "invalid-claim", id="two at signs"),
    pytest.param({"email": ABSENT, "name": ABSENT, "groups": ABSENT}, "accepted", id="only openid granted"),
    pytest.param({"name": 7}, "invalid-claim", id="number for a name"),
    pytest.param({"groups": "staff"}, "accepted", id="text for groups"),
]


@pytest.mark.parametrize(("claims", "code"), CLAIMS)
def test_every_claim_has_to_be_right(
    claims: dict[str, object], code: str, verifier: SaasVerifier, issuer: Issuer
) -> None:
    assert outcome(verifier.verify, token(issuer, **claims)) == code


def test_what_was_not_granted_is_none(verifier: SaasVerifier, issuer: Issuer) -> None:
    bare = verifier.verify(token(issuer, email=ABSENT, name=ABSENT, groups=ABSENT))
    assert (bare.email, bare.name, bare.groups) == (None, None, ())
    assert verifier.verify(token(issuer, groups=["a", 7, None])).groups == ("a",)


COMPANIONS = [
    pytest.param({}, {}, "accepted", id="nothing on either side"),
    pytest.param({"nonce": "n", "at_hash": AT_HASH}, {}, "accepted", id="nothing asked"),
    pytest.param({"nonce": "n"}, {"nonce": "n"}, "accepted", id="nonce"),
    pytest.param({"nonce": "n"}, {"nonce": "m"}, "wrong-nonce", id="another nonce"),
    pytest.param({"nonce": "N"}, {"nonce": "n"}, "wrong-nonce", id="a nonce in capitals"),
    pytest.param({}, {"nonce": "n"}, "missing-claim", id="no nonce"),
    pytest.param({"nonce": "n"}, {"nonce": None}, "wrong-nonce", id="a session without a nonce"),
    pytest.param({}, {"nonce": None}, "missing-claim", id="neither has a nonce"),
    pytest.param({"nonce": ""}, {"nonce": ""}, "missing-claim", id="two empty nonces"),
    pytest.param({"nonce": ["n"]}, {"nonce": "n"}, "invalid-claim", id="list for a nonce"),
    pytest.param({"nonce": "n"}, {"nonce": "\ud800"}, "wrong-nonce", id="a nonce that is no text"),
    pytest.param({"at_hash": AT_HASH}, {"access_token": ACCESS_TOKEN}, "accepted", id="access token"),
    pytest.param({"at_hash": AT_HASH}, {"access_token": CODE}, "wrong-companion", id="another access token"),
    pytest.param({}, {"access_token": ACCESS_TOKEN}, "missing-claim", id="no hash of the access token"),
    pytest.param({"at_hash": AT_HASH + "="}, {"access_token": ACCESS_TOKEN}, "wrong-companion", id="padded hash"),
    pytest.param({"at_hash": AT_HASH}, {"access_token": None}, "wrong-companion", id="no access token"),
    pytest.param({"c_hash": C_HASH}, {"code": CODE}, "accepted", id="code"),
    pytest.param({"c_hash": AT_HASH}, {"code": CODE}, "wrong-companion", id="another code"),
    pytest.param({"at_hash": C_HASH}, {"code": CODE}, "missing-claim", id="no hash of the code"),
]


@pytest.mark.parametrize(("claims", "given", "code"), COMPANIONS)
def test_what_belongs_to_the_same_sign_in(
    claims: dict[str, object], given: dict[str, str | None], code: str, verifier: SaasVerifier, issuer: Issuer
) -> None:
    assert outcome(verifier.verify, token(issuer, **claims), **given) == code


@pytest.mark.parametrize(
    ("options", "claims", "code"),
    [
        pytest.param({"max_age": 60}, {"iat": NOW - 89}, "accepted", id="young enough, with the leeway"),
        pytest.param({"max_age": 60}, {"iat": NOW - 90}, "too-old", id="too old"),
        pytest.param({"leeway": 0}, {"exp": NOW}, "expired", id="no leeway"),
        pytest.param({"audience": "https://app/callback"}, {"aud": "https://app/callback"}, "accepted", id="a URL"),
        pytest.param({"audience": "https://app/callback"}, {}, "wrong-audience", id="a URL only"),
        pytest.param({"audience": [CLIENT, "x"]}, {"aud": ["x", CLIENT]}, "accepted", id="either or both"),
        pytest.param({"audience": [CLIENT, "x"]}, {"aud": ["x", CLIENT, "y"]}, "wrong-audience", id="and one more"),
    ],
)
def test_options(options: dict[str, Any], claims: dict[str, object], code: str, issuer: Issuer) -> None:
    verifier = SaasVerifier(team="acme", client_id=CLIENT, keys=issuer.certs(), clock=lambda: NOW, **options)
    assert outcome(verifier.verify, token(issuer, **claims)) == code


# --- neither passes for the other, though both have the same keys -----------------------------------------------------


@pytest.mark.parametrize("audience", [AUD, CLIENT], ids=["the door's audience", "the client as audience"])
@pytest.mark.parametrize("kind", ["user", "service", "organisation", "metadata", "login_meta"])
def test_tokens_of_the_team_are_not_believed_here(
    kind: str, audience: str, verifier: SaasVerifier, issuer: Issuer
) -> None:
    given = {"metadata": ("app.example.com",)}.get(kind, ())
    for extra in ({}, {"azp": CLIENT, "sub": SUB, "iat": NOW, "exp": NOW + 60, "nonce": "n"}):
        made = getattr(issuer, kind)(*given, audience=audience, **extra)
        assert outcome(verifier.verify, made) in {"wrong-issuer", "missing-claim", "wrong-audience"}
        assert outcome(verifier.verify, made, nonce="n") in {"wrong-issuer", "missing-claim", "wrong-audience"}


@pytest.mark.parametrize("audience", [AUD, CLIENT, [AUD, CLIENT]], ids=["the door's", "the client", "both"])
@pytest.mark.parametrize("kind", ["app", "org", ABSENT], ids=["app", "org", "no type"])
def test_tokens_of_saas_are_not_believed_at_the_door(
    kind: object, audience: object, door: Protection, issuer: Issuer
) -> None:
    live = Issuer("acme", current=issuer.current, previous=issuer.previous)
    good = live.user("alice@example.com", audience=AUD)
    assert outcome(door.verify, good) == "accepted"
    made = live.user("alice@example.com", audience=AUD, iss=SAAS, aud=audience, type=kind)
    assert outcome(door.verify, made) == "wrong-issuer"


def test_one_token_never_passes_both(verifier: SaasVerifier, door: Protection, issuer: Issuer) -> None:
    """Whatever its issuer is: one of the two refuses it, or both do."""
    for iss in (ISSUER, SAAS, [ISSUER, SAAS], f"{ISSUER} {SAAS}", ABSENT, None):
        made = issuer.user(
            "alice@example.com", audience=CLIENT, iss=iss, azp=CLIENT, issued_at=NOW, expires_in=2**32 - NOW
        )
        found = [outcome(verify, made) for verify in (verifier.verify, door.verify)]
        assert found.count("accepted") <= 1


# --- keys -------------------------------------------------------------------------------------------------------------


def test_keys_are_fetched_below_the_issuer(issuer: Issuer) -> None:
    body = json.dumps(issuer.certs()).encode()
    with serving(says("Content-Type: application/json", body=body)) as server:
        base = server.url.removesuffix("/certs")
        verifier = SaasVerifier(team="acme", client_id=CLIENT, team_url=base, clock=lambda: NOW)
        verifier.hydrate()
        assert verifier.health().ready
        assert verifier.issuer == SAAS
        assert verifier.verify(token(issuer)).subject == SUB
        [connection] = server.connections
        assert connection.request.startswith(f"GET /cdn-cgi/access/sso/oidc/{CLIENT}/jwks HTTP/1.1\r\n".encode())
        verifier.close()
        assert verifier.health().state is State.CLOSED
        with pytest.raises(KeysUnavailable):
            verifier.verify(token(issuer))


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.anyio
async def test_keys_are_fetched_on_an_event_loop(issuer: Issuer, stranger: SigningKey) -> None:
    body = json.dumps(issuer.certs()).encode()
    with serving(says("Content-Type: application/json", body=body)) as server:
        base = server.url.removesuffix("/certs")
        verifier = SaasVerifier(team="acme", client_id=CLIENT, team_url=base, clock=lambda: NOW)
        await verifier.ahydrate()
        assert (await verifier.averify(token(issuer))).subject == SUB
        with pytest.raises(InvalidToken, match="unknown-key"):
            await verifier.averify(issuer.sign(issuer.header(stranger), GOOD, stranger))
        verifier.close()


def test_garbage_causes_no_fetch_and_missing_keys_are_no_refusal(issuer: Issuer) -> None:
    class Fetcher:
        fetched = 0

        def fetch(self, url: str, *, etag: str | None) -> Any:
            self.fetched += 1
            raise OSError("down")

    fetcher = Fetcher()
    verifier = SaasVerifier(team="acme", client_id=CLIENT, fetcher=fetcher, cold_wait=0.5, clock=lambda: NOW)
    for garbage in ("", "x.y.z", token(issuer, iss=ISSUER), token(issuer, aud=AUD), token(issuer, exp=1)):
        assert outcome(verifier.verify, garbage) != "accepted"
    assert fetcher.fetched == 0
    with pytest.raises(KeysUnavailable):
        verifier.verify(token(issuer))
    assert fetcher.fetched == 1
    verifier.close()


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"client_id": ""}, "client_id: is empty text; give the Client ID", id="empty client_id"),
        pytest.param({"client_id": None}, "client_id: is None", id="no client_id"),
        pytest.param({"client_id": f"{CLIENT}/../x"}, "client_id: ", id="client_id that leads elsewhere"),
        pytest.param({"client_id": f"{CLIENT}?x"}, "client_id: ", id="client_id with a query"),
        pytest.param({"team": "evil.example"}, "team: ", id="team"),
        pytest.param({"team_url": "http://example.com"}, "team_url: ", id="plain http"),
        pytest.param({"audience": []}, "audience: is a list of 0", id="empty audience"),
        pytest.param({"audience": [""]}, "audience: ", id="audience of nothing"),
        pytest.param({"audience": 7}, "audience: is a number", id="number for an audience"),
        pytest.param({"max_age": 0}, "max_age: is a number; give seconds from 1", id="max_age"),
        pytest.param({"leeway": True}, "leeway: is a boolean", id="leeway"),
        pytest.param({"cold_wait": 0}, "cold_wait: ", id="cold_wait"),
        pytest.param({"keys": {"keys": []}}, "keys: ", id="no keys"),
    ],
)
def test_mistakes_end_at_start_with_one_message(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as mistake:
        SaasVerifier(**{"team": "acme", "client_id": CLIENT, **options})
    assert str(mistake.value).startswith(message)
    assert isinstance(mistake.value, AccessError)


def test_what_fetching_needs_is_loaded_before_the_first_token(alone: Path) -> None:
    """Not beside it: an event loop would stop for it, and meet modules of which another thread has loaded half."""
    code = (
        "import sys\nfrom cfaccess_mw.edge.saas import SaasVerifier\n"
        f"SaasVerifier(team='acme', client_id='{CLIENT}')\nassert 'httpx' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=alone, check=True)
