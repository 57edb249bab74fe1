"""What a kit mints is what the production code accepts, or refuses for the reason that was asked for."""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.testclient import TestClient

from cfaccess_mw import AccessConfig, ConfigurationError, Rule
from cfaccess_mw.asgi import AccessMiddleware as AsgiDoor
from cfaccess_mw.core import errors
from cfaccess_mw.protection import Protection
from cfaccess_mw.testing import ABSENT, AccessKit
from cfaccess_mw.wsgi import AccessMiddleware as WsgiDoor
from tests.testing.conftest import asgi_app, wsgi_app

Ask = Callable[..., tuple[int, str]]
ADMINS = [Rule.allow("/admin/*", groups=["admins"])]
MONTH = 30 * 86_400.0


@pytest.fixture(params=["asgi", "wsgi"])
def ask(request: pytest.FixtureRequest, kit: AccessKit) -> Ask:
    """Ask through either door with a token: the status, and who came or the code of the refusal."""

    def through(token: str, path: str = "/", **options: Any) -> tuple[int, str]:
        given = kit.options(**options)
        client: Any
        if request.param == "asgi":
            client = TestClient(AsgiDoor(asgi_app, **given))
        else:
            transport = httpx.WSGITransport(app=WsgiDoor(wsgi_app, **given))
            client = httpx.Client(transport=transport, base_url="http://testserver")
        with client:
            answer = client.get(path, headers={"Cf-Access-Jwt-Assertion": token})
        return answer.status_code, answer.text if answer.status_code == 200 else answer.json()["code"]

    return through


# What is minted


@pytest.mark.parametrize(
    ("mint", "who"),
    [
        pytest.param(lambda kit: kit.user(), "user@example.com", id="user"),
        pytest.param(lambda kit: kit.user("alice@example.com"), "alice@example.com", id="somebody"),
        pytest.param(lambda kit: kit.service(), AccessKit.default_service, id="service"),
        pytest.param(lambda kit: kit.rotated("alice@example.com"), "alice@example.com", id="rotated"),
        pytest.param(lambda kit: kit.token(AccessKit.default_service), AccessKit.default_service, id="who-service"),
        pytest.param(lambda kit: kit.token(kit.user("bob@example.com")), "bob@example.com", id="who-token"),
    ],
)
def test_good_tokens(ask: Ask, kit: AccessKit, mint: Callable[[AccessKit], str], who: str) -> None:
    assert ask(mint(kit)) == (200, who)


def test_a_rotated_token_is_signed_with_the_other_key(kit: AccessKit) -> None:
    door = Protection(kit.config())
    thumbprints = {door.verify(token).key_thumbprint for token in (kit.user(), kit.rotated(), kit.rotated())}
    assert len(thumbprints) == 2


@pytest.mark.parametrize("code", AccessKit.refusals)
def test_every_refusal_is_for_its_reason(ask: Ask, kit: AccessKit, code: str) -> None:
    status, said = ask(kit.refused(code), "/admin", rules=ADMINS, max_age=MONTH, leeway=300)
    assert (status, said) == (503 if code == "identity-unavailable" else 401, code)


@pytest.mark.parametrize("code", sorted({*AccessKit.refusals} - {"session-ended", "identity-unavailable"}))
def test_services_are_refused_too(ask: Ask, kit: AccessKit, code: str) -> None:
    assert ask(kit.refused(code, kit.default_service), max_age=MONTH, leeway=300) == (401, code)


def test_no_refusal_that_a_token_can_cause_is_missing() -> None:
    def below(kind: type[errors.Refused]) -> set[str]:
        # of an application's tokens: those of other rooms have refusals of their own
        ours = [sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__]
        return {kind.code}.union(*map(below, ours))

    by_other_means = {
        "invalid-token",  # the class of them all
        "too-many-tokens",  # five cookies
        "session-revoked",  # what revoked= says
    }
    assert set(AccessKit.refusals) == below(errors.InvalidToken) - by_other_means | {"identity-unavailable"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("expired", "expired"),
        ("not_yet_valid", "not-yet-valid"),
        ("wrong_audience", "wrong-audience"),
        ("wrong_issuer", "wrong-issuer"),
        ("unknown_key", "unknown-key"),
        ("bad_signature", "bad-signature"),
        ("unsigned", "algorithm-not-allowed"),
        ("organisation_token", "wrong-token-type"),
        ("metadata_token", "wrong-token-type"),
    ],
)
def test_the_names(ask: Ask, kit: AccessKit, name: str, code: str) -> None:
    assert ask(getattr(kit, name)()) == (401, code)


def test_details_reach_the_token(kit: AccessKit) -> None:
    door, before = Protection(kit.config()), time.time()
    identity = door.verify(
        kit.user(
            "alice@example.com",
            country="NZ",
            custom={"team": "blue"},
            age=100,
            expires_in=60,
            claims={"identity_nonce": "n", "nbf": ABSENT},
        )
    )
    assert (identity.country, identity.custom, identity.nonce) == ("NZ", {"team": "blue"}, "n")
    assert "nbf" not in identity.claims
    assert identity.expires_at - identity.issued_at == pytest.approx(160, abs=1)
    assert before - 101 <= identity.issued_at <= time.time() - 99
    assert "custom" not in door.verify(kit.user()).claims
    robot = door.verify(kit.service("0" * 32 + ".access", age=50, expires_in=50, claims={"extra": 1}))
    assert (robot.id, robot.claims["extra"]) == ("0" * 32 + ".access", 1)
    assert robot.expires_at - robot.issued_at == pytest.approx(100, abs=1)
    for token in (kit.user(audience="other"), kit.service(audience="other")):
        assert door.verify(token, audience="other").audience == ("other",)


def test_details_of_what_is_refused(kit: AccessKit) -> None:
    door = Protection(kit.config())
    with pytest.raises(errors.WrongAudience):
        door.verify(kit.wrong_audience("alice@example.com", groups=["admins"], claims={"extra": 1}))
    token = kit.wrong_audience("alice@example.com", claims={"extra": 1})
    assert door.verify(token, audience="f" * 64).claims["extra"] == 1


def test_the_clock_is_the_tests(kit: AccessKit) -> None:
    timeless = AccessKit(clock=lambda: 1_000.0)
    assert timeless.issuer.read(timeless.user(expires_in=60)) is not None
    with pytest.raises(errors.Expired):
        Protection(timeless.config()).verify(timeless.user())


@pytest.mark.parametrize("library", ["time_machine", "freezegun"])
def test_stopped_time_is_everybodys(kit: AccessKit, library: str) -> None:
    stopper = pytest.importorskip(library)
    stop = stopper.travel if library == "time_machine" else stopper.freeze_time
    door, token = Protection(kit.config()), kit.user(expires_in=3_600)
    with stop("2040-01-01"):
        assert door.verify(kit.user()).issued_at == 2_208_988_800
        with pytest.raises(errors.Expired):
            door.verify(token)


def test_a_time_that_was_put_in_place_of_time_is_everybodys(kit: AccessKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 2_208_988_800.0)
    assert Protection(kit.config()).verify(kit.user()).issued_at == 2_208_988_800


# What is looked up


@pytest.mark.parametrize(
    ("groups", "status"),
    [
        pytest.param(["admins"], 200, id="in"),
        pytest.param([{"id": "1", "name": "admins"}], 200, id="in-as-object"),
        pytest.param(["staff"], 403, id="in-another"),
        pytest.param([], 403, id="in-none"),
    ],
)
def test_groups(ask: Ask, kit: AccessKit, groups: list[Any], status: int) -> None:
    assert ask(kit.user("alice@example.com", groups=groups), "/admin", rules=ADMINS)[0] == status


@pytest.mark.anyio
async def test_a_profile(kit: AccessKit) -> None:
    posture = {"rule": {"success": True}}
    token = kit.user(
        "alice@example.com", name="Alice", country="NZ", custom={"a": 1}, profile={"devicePosture": posture}
    )
    identity = Protection(kit.config()).verify(token)
    document = (await identity.profile()).document
    assert (document["email"], document["name"], document["user_uuid"]) == ("alice@example.com", "Alice", identity.id)
    assert (document["geo"], document["oidc_fields"], document["devicePosture"]) == (
        {"country": "NZ"},
        {"a": 1},
        posture,
    )
    robot = Protection(kit.config()).verify(kit.service())
    assert (await robot.profile()).document["service_token_id"] == kit.default_service


def test_only_sessions_of_this_team_are_known(kit: AccessKit) -> None:
    assert kit.sessions.reply(kit.issuer.user("stray@example.com", audience=kit.audience)).status == 200
    for token in (kit.expired(), kit.unknown_key(), AccessKit("other").bad_signature(), "", "x.y.z"):
        assert kit.sessions.reply(token).status == 400


def test_an_ended_session(ask: Ask, kit: AccessKit) -> None:
    alice, again, bob = (kit.user(f"{name}@example.com", groups=["admins"]) for name in ("alice", "Alice", "bob"))
    kit.end_session("ALICE@example.com")
    assert [ask(token, "/admin", rules=ADMINS) for token in (alice, again)] == [(401, "session-ended")] * 2
    assert ask(bob, "/admin", rules=ADMINS) == (200, "bob@example.com")
    after = kit.user("alice@example.com", groups=["admins"])
    assert ask(after, "/admin", rules=ADMINS)[0] == 200
    kit.end_session(after)
    assert ask(after, "/admin", rules=ADMINS)[0] == 401
    assert ask(after) == (200, "alice@example.com")  # nobody asks there


@pytest.mark.parametrize("code", ["session-ended", "identity-unavailable"])
def test_what_is_ended_is_nobody_elses(kit: AccessKit, code: str) -> None:
    before, refused, after = kit.service(), kit.refused(code, kit.default_service), kit.service()
    good = kit.sessions.reply(before).body
    assert b"service_token_id" in good
    assert kit.sessions.reply(refused).body != good
    assert kit.sessions.reply(after).status == 200


def test_what_happens_in_isolation_is_forgotten(kit: AccessKit) -> None:
    kept = kit.user("alice@example.com", groups=["admins"])
    with kit.isolated():
        kit.end_session(kept)
        failing = kit.refused("identity-unavailable")
        inside = kit.user("bob@example.com", groups=["admins"])
        assert kit.sessions.reply(kept).status == 400
        assert b"admins" in kit.sessions.reply(inside).body
        assert kit.sessions.reply(failing).body == b"[]"
    assert b"admins" in kit.sessions.reply(kept).body
    assert b"admins" not in kit.sessions.reply(inside).body
    assert kit.sessions.reply(failing).body != b"[]"
    with pytest.raises(ConfigurationError, match="nobody with this address"):
        kit.end_session("bob@example.com")


# What the application is configured with


def test_options_configure_a_door(kit: AccessKit) -> None:
    several = AccessKit("acme.fed.cloudflareaccess.com", ["one", "two"])
    config = several.config(leeway=5)
    assert isinstance(config, AccessConfig)
    assert (config.audience, config.leeway, several.audience) == (("one", "two"), 5, "one")
    assert Protection(config).verify(several.user()).issuer == "https://acme.fed.cloudflareaccess.com"
    assert several.options(audience="three")["audience"] == "three"
    with pytest.raises(errors.WrongIssuer):
        Protection(config).verify(kit.user(audience="one"))


def test_keys_are_public_and_of_the_process(kit: AccessKit) -> None:
    published = kit.options()["keys"]
    assert {key["kty"] for key in published["keys"]} == {"RSA"}
    assert not any({"d", "p", "q"} & set(key) for key in published["keys"])
    assert AccessKit("other").issuer.current is kit.issuer.current
    script = "from cfaccess_mw.testing import AccessKit; print(AccessKit().issuer.current.kid)"
    elsewhere = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert elsewhere.stdout.strip() not in ("", kit.issuer.current.kid)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        pytest.param(lambda kit: AccessKit("a b"), "team:", id="team"),
        pytest.param(lambda kit: AccessKit(cast("Any", ["a", "b"])), "team: .* a kit for each team", id="teams"),
        pytest.param(lambda kit: AccessKit(audience=()), "audience: is empty", id="audience"),
        pytest.param(lambda kit: kit.user("alice"), "email:", id="email"),
        pytest.param(lambda kit: kit.token("alice"), "who: is text of 5 characters", id="who"),
        pytest.param(lambda kit: kit.user(groups="admins"), "groups: is text of 6 characters", id="groups"),
        pytest.param(lambda kit: kit.refused("no-token"), "code: .* known are .*expired", id="code"),
        pytest.param(lambda kit: kit.token(kit.user(), groups=["a"]), "groups: stands beside a token", id="both"),
        pytest.param(lambda kit: kit.options() and kit.config(tema="x"), "tema", id="option"),
        pytest.param(lambda kit: kit.end_session("nobody@example.com"), "who:", id="end"),
        pytest.param(lambda kit: kit.sign_in(object()), "client: is a object", id="client"),
    ],
)
def test_mistakes(kit: AccessKit, mistake: Callable[[AccessKit], object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        mistake(kit)


def test_a_rotation_is_forgotten_with_everything_else(kit: AccessKit) -> None:
    before = kit.issuer.certs()
    with kit.isolated():
        kit.issuer.rotate()
        assert kit.issuer.certs() != before
    assert (kit.issuer.certs(), kit.issuer.retired) == (before, ())


def test_nothing_is_held_by_a_kit_whose_environment_nobody_asked_for() -> None:
    kit = AccessKit()
    kit.options(), kit.user(), kit.service()
    assert kit._variables is None
    kit.close()


def test_a_kit_that_nobody_closed_closes_itself() -> None:
    kit = AccessKit()
    file = Path(kit.environment()["CFACCESS_KEYS"])
    assert file.exists()
    del kit
    gc.collect()
    assert not file.parent.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_leaves_what_is_its_parents() -> None:
    script = """
import os, sys
from pathlib import Path
from cfaccess_mw.testing import AccessKit
kit = AccessKit()
file = Path(kit.environment()["CFACCESS_KEYS"])
if os.fork() == 0:
    sys.exit()  # with everything that an exit does
os.wait()
print(file.exists())
"""
    run = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
