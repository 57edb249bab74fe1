"""Revoking, and rotating until a token's key is gone: by code, while everything runs."""

import threading

import httpx
import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.applications import Application
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.rotation import Rotation
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.sessions import Session, Sessions
from cfaccess_mw.emulator.signing_key import SigningKey
from cfaccess_mw.emulator.users import ServiceToken, User
from tests.emulator.application import PATIENCE
from tests.emulator.conftest import NOW, ROBOT, Clock, Connect, Emulate

IDENTITY = "/cdn-cgi/access/get-identity"


def sign_in(client: httpx.Client, email: str) -> httpx.Client:
    authorized = client.post(client.get("/").headers["location"], data={"email": email})
    client.get(authorized.headers["location"])
    return client


def minted(emulator: Emulator, connect: Connect, email: str) -> httpx.Client:
    token = emulator.issuer.user(email, audience=emulator.audience)
    return connect(emulator, headers={"Cookie": f"CF_Authorization={token}"})


def seen(client: httpx.Client) -> tuple[int, int]:
    """What the application's host answers, and get-identity."""
    return client.get("/").status_code, client.get(IDENTITY).status_code


IN, OUT = (201, 200), (302, 400)


def test_by_user(emulate: Emulate, connect: Connect) -> None:
    emulator = emulate(clock=(clock := Clock()))
    alice, other, bob = (sign_in(connect(emulator), email) for email in ("alice@a.b", "Alice@A.B", "bob@a.b"))
    beside = minted(emulator, connect, "alice@a.b")
    assert [seen(one) for one in (alice, other, beside, bob)] == [IN] * 4
    emulator.revoke(email="ALICE@a.b")
    assert [seen(one) for one in (alice, other, beside, bob)] == [OUT, OUT, OUT, IN]
    # whoever signs in again is in, in the same second too
    assert seen(sign_in(connect(emulator), "alice@a.b")) == IN
    assert seen(alice) == OUT
    clock.now += 1
    assert seen(minted(emulator, connect, "alice@a.b")) == IN
    assert seen(beside) == OUT


def test_by_nonce(emulate: Emulate, connect: Connect) -> None:
    emulator = emulate()
    alice, again = (sign_in(connect(emulator), "alice@a.b") for _ in range(2))
    nonce = (emulator.issuer.read(alice.cookies["CF_Authorization"]) or {})["identity_nonce"]
    beside = minted(emulator, connect, "alice@a.b")
    emulator.revoke(nonce=nonce)
    assert [seen(one) for one in (alice, again, beside)] == [OUT, OUT, IN]


def test_services_are_not_stopped_by_it(emulate: Emulate, connect: Connect) -> None:
    emulator = emulate(service_tokens=[ROBOT])
    emulator.revoke(email=ROBOT.client_id)
    headers = {"CF-Access-Client-Id": ROBOT.client_id, "CF-Access-Client-Secret": ROBOT.client_secret}
    assert connect(emulator).get("/", headers=headers).status_code == 201


@pytest.mark.parametrize("whom", [{}, {"email": "a@b", "nonce": "x"}], ids=["nobody", "two ways"])
def test_somebody_has_to_be_named(emulator: Emulator, whom: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="revoke: takes 'email' or 'nonce'"):
        emulator.revoke(**whom)


def test_threads_lose_none_of_each_other_s_words() -> None:
    sessions = Sessions()
    users = [User(email=f"{at}@a.b") for at in range(200)]
    for user in users:
        sessions.start(Session(user=user, nonce=user.email, ip="", expires_at=NOW + 60), now=NOW)

    def revoke(some: list[User]) -> None:
        for user in some:
            sessions.revoke_user(user.email, now=NOW)

    threads = [threading.Thread(target=revoke, args=(half,)) for half in (users[::2], users[1::2])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(sessions.revoked(user.email) for user in users)
    assert all(sessions.ended({"email": user.email, "iat": NOW}) for user in users)


class TestRotation:
    def test_nobody_is_signed_out_by_it(
        self, emulate: Emulate, connect: Connect, signing_keys: list[SigningKey]
    ) -> None:
        emulator = emulate()
        alice = sign_in(connect(emulator), "alice@a.b")
        before = alice.cookies["CF_Authorization"]
        emulator.issuer.rotate(signing_keys[2])
        assert dict(alice.get("/").json()["headers"])["cf-access-jwt-assertion"] == before
        emulator.issuer.rotate(signing_keys[3])
        assert emulator.issuer.read(before) is None  # its key is published no more
        response = alice.get("/")
        shown = dict(response.json()["headers"])["cf-access-jwt-assertion"]
        assert emulator.issuer.read(shown) is not None
        assert alice.cookies["CF_Authorization"] == shown != before
        assert seen(alice) == IN
        assert "set-cookie" not in alice.get("/").headers

    def test_a_logout_ends_a_token_of_a_key_that_is_gone(
        self, emulate: Emulate, connect: Connect, signing_keys: list[SigningKey]
    ) -> None:
        emulator = emulate()
        alice = sign_in(connect(emulator), "alice@a.b")
        copied = connect(emulator, headers={"Cookie": f"CF_Authorization={alice.cookies['CF_Authorization']}"})
        for key in signing_keys[2:]:
            emulator.issuer.rotate(key)
        alice.get("/cdn-cgi/access/logout")
        assert seen(copied) == OUT

    def test_what_is_no_application_token_is_not_made_one(self, emulate: Emulate, connect: Connect) -> None:
        emulator = emulate()
        tokens = [emulator.issuer.organisation(audience=emulator.audience), emulator.issuer.user(audience="x")]
        for _ in range(2):
            emulator.rotate()
        for token in tokens:
            assert connect(emulator).get("/", headers={"Cf-Access-Token": token}).status_code == 302

    def test_the_latest_few_keys_are_known(self, signing_keys: list[SigningKey]) -> None:
        issuer = Issuer(current=signing_keys[0], previous=signing_keys[1])
        for at in range(12):
            issuer.rotate(signing_keys[at % 4])
        assert len(issuer.retired) == 8

    def test_by_code(self, emulate: Emulate) -> None:
        emulator = emulate()
        before = emulator.issuer.current
        emulator.rotate()
        assert emulator.issuer.previous is before

    def test_by_time(self, emulate: Emulate, signing_keys: list[SigningKey]) -> None:
        class Waited(Issuer):
            """Says when it is rotated."""

            rotated = threading.Semaphore(0)

            def rotate(self, key: SigningKey | None = None) -> SigningKey:
                dropped = super().rotate(signing_keys[2])
                self.rotated.release()
                return dropped

        issuer = Waited(current=signing_keys[0], previous=signing_keys[1])
        emulator = emulate(issuer=issuer, rotate_every=0.001)
        for _ in range(2):
            assert issuer.rotated.acquire(timeout=PATIENCE)
        assert issuer.current is issuer.previous is signing_keys[2]
        emulator.close()
        emulator.close()

    @pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf")])
    def test_a_time_that_cannot_be(self, issuer: Issuer, every: float) -> None:
        with pytest.raises(ConfigurationError, match="rotate_every: is a number; give a number of seconds above 0"):
            Rotation(issuer, every=every)


def test_a_disabled_service_token_opens_nothing(emulate: Emulate, connect: Connect) -> None:
    off = ServiceToken(client_id=ROBOT.client_id, client_secret=ROBOT.client_secret, enabled=False)
    emulator = emulate(service_tokens=[off], applications=[Application()])
    headers = {"CF-Access-Client-Id": ROBOT.client_id, "CF-Access-Client-Secret": ROBOT.client_secret}
    assert connect(emulator).get("/", headers=headers).status_code == 302
