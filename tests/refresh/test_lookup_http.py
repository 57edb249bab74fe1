"""Lookups over HTTP: what is asked, and what endpoints may say, the broken and the hostile ones included."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import pytest

from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.profile import ENDED, Outcome
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.users import User
from cfaccess_mw.refresh.fetchers import MOST_BYTES
from cfaccess_mw.refresh.http import HttpxFetcher
from cfaccess_mw.refresh.lookup import Lookups
from tests.refresh.lookup_parts import GOOD, TOKEN, USER, groups, in_thread, lookups_of, profile_of
from tests.refresh.parts import PATIENT, Told
from tests.refresh.servers import Connection, Script, says, serving
from tests.tokens import AUD, NOW, snapshot_of, verify

JSON = "content-type: application/json"


def drip_body(connection: Connection) -> None:
    connection.send(f"HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: 100000\r\n\r\n".encode())
    connection.drip(b" ")


@pytest.mark.anyio
class TestOverHttp:
    @contextmanager
    def endpoint(self, *scripts: Script, **timing: Any) -> Iterator[tuple[Lookups, Told, Any]]:
        with serving(*scripts) as server:
            base = server.url.removesuffix("/certs")
            with lookups_of(HttpxFetcher(read=PATIENT).alook_up, base_url=base, **timing) as (lookups, told, _):
                yield lookups, told, server

    async def test_what_it_asks(self) -> None:
        with self.endpoint(says(JSON, "set-cookie: CF_Authorization=other", body=GOOD.body)) as (lookups, _, server):
            assert groups(await lookups.obtain(TOKEN, USER, patience=PATIENT)) == ["staff"]
            await lookups.obtain("second", USER, patience=PATIENT)
        for connection, token in zip(server.connections, (TOKEN, "second"), strict=True):
            lines = connection.request.decode().split("\r\n")
            assert lines[0] == "GET /cdn-cgi/access/get-identity HTTP/1.1"
            assert [line for line in lines if line.lower().startswith("cookie:")] == [
                f"cookie: CF_Authorization={token}"
            ]
            assert "accept-encoding: identity" in map(str.lower, lines)

    @pytest.mark.parametrize(
        "script",
        [
            pytest.param(says(JSON, status="400 Bad", body=b'{"err": "no app token set"}'), id="as-seen"),
            pytest.param(says(JSON, body=b'{"err": "no app token set"}'), id="with-200"),
            pytest.param(says(status="401 No", body=b"<html>"), id="401"),
            pytest.param(says(status="403 No", body=b"x" * 1_000_000), id="403-long"),
            pytest.param(says("content-encoding: gzip", status="404 No"), id="404"),
        ],
    )
    async def test_a_session_that_has_ended(self, script: Script) -> None:
        with self.endpoint(script) as (lookups, _, server):
            assert await lookups.obtain(TOKEN, USER, patience=PATIENT) == ENDED
            assert len(server.connections) == 1

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            pytest.param(says(JSON, status="500 Oh"), "status-500", id="500"),
            pytest.param(says("location: /login", status="302 Found"), "status-302", id="302"),
            pytest.param(says(JSON, status="304 Not Modified", length=-1, body=b""), "status-304", id="304"),
            pytest.param(says("content-type: text/html", body=b"<html>"), "not-json", id="html"),
            pytest.param(says("content-type: text/html", status="400 Bad"), "not-json", id="400-html"),
            pytest.param(says(JSON, status="400 Bad", body=b"{}"), "status-400", id="400-without-err"),
            pytest.param(says(JSON, "content-encoding: gzip", body=GOOD.body), "encoded", id="encoded"),
            pytest.param(says(JSON, body=b"[]"), "not-an-object", id="list"),
            pytest.param(says(JSON, body=profile_of(x="\ud800")[:-1]), "not-an-object", id="cut"),
            pytest.param(says(JSON, body=b'{"user_uuid": "\xff"}'), "not-an-object", id="not-utf-8"),
            pytest.param(says(JSON, body=b'{"user_uuid": "other"}'), "another-person", id="somebody-else"),
            pytest.param(says(JSON, body=profile_of(x="y" * MOST_BYTES)), "too-large", id="too-large"),
            pytest.param(says(JSON, length=9999), "connection-lost", id="cut-short"),
            pytest.param(Connection.reset, "connection-lost", id="reset"),
            pytest.param(lambda connection: connection.send(b"SSH-2.0-OpenSSH\r\n"), "connection-lost", id="not-http"),
        ],
    )
    async def test_what_says_nothing(self, script: Script, reason: str) -> None:
        with self.endpoint(script) as (lookups, told, _):
            assert (await lookups.obtain(TOKEN, USER, patience=PATIENT)).outcome is Outcome.UNAVAILABLE
            facts = (await in_thread(told.wait_for, "profile-failed")).facts
            assert facts["reason"] == reason

    @pytest.mark.parametrize("script", [Connection.hang, drip_body], ids=["never-answers", "drips"])
    async def test_nothing_outlasts_the_deadline(self, script: Script) -> None:
        with self.endpoint(script, deadline=0.3) as (lookups, told, _):
            assert (await lookups.obtain(TOKEN, USER, patience=PATIENT)).outcome is Outcome.UNAVAILABLE
            assert (await in_thread(told.wait_for, "profile-failed")).facts["reason"] == "timeout"

    async def test_a_retry_after(self) -> None:
        with self.endpoint(says("retry-after: 77", status="429 Slow")) as (lookups, _, _):
            answer = await lookups.obtain(TOKEN, USER, patience=PATIENT)
            assert (answer.outcome, answer.retry_after) == (Outcome.UNAVAILABLE, 77)

    async def test_plain_http_goes_to_loopback_only(self) -> None:
        with pytest.raises(FetchError, match="insecure-url"):
            await HttpxFetcher().alook_up("http://acme.cloudflareaccess.com/", TOKEN)

    async def test_neither_logs_nor_errors_show_the_token(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        with serving(Connection.reset) as server, pytest.raises(FetchError) as refused:
            await HttpxFetcher().alook_up(server.url, TOKEN)
        error: BaseException | None = refused.value
        while error is not None:
            assert TOKEN not in f"{error} {error!r}"
            error = error.__cause__ or error.__context__
        with self.endpoint(says(JSON, body=GOOD.body)) as (lookups, _, _):
            await lookups.obtain(TOKEN, USER, patience=PATIENT)
        assert TOKEN not in caplog.text


@pytest.mark.anyio
async def test_verified_tokens_shown_to_the_emulator(issuer: Issuer) -> None:
    """From the login to the logout, with a session's real tokens."""
    user = User(email="carol@example.com", groups=("staff", {"id": "1", "name": "admins", "email": ""}))
    shown = {
        "user": issuer.user("carol@example.com", audience=AUD, identity_nonce="6ei69kawdKzMIAPF"),
        "service": issuer.service(audience=AUD),
    }
    who = {name: verify(token, snapshot_of(issuer)).identity for name, token in shown.items()}
    with (
        Emulator(upstream="http://127.0.0.1:9", issuer=issuer, users=[user], clock=lambda: NOW) as edge,
        lookups_of(HttpxFetcher().alook_up, base_url=edge.url) as (lookups, _, clock),
    ):
        obtain = partial(lookups.obtain, patience=PATIENT)
        assert groups(await obtain(shown["user"], who["user"])) == [
            "staff",
            {"id": "1", "name": "admins", "email": ""},
        ]
        robot = await obtain(shown["service"], who["service"])
        assert robot.profile is not None
        assert robot.profile.document["service_token_id"] == who["service"].id
        swapped = await obtain(issuer.service("f" * 32 + ".access", audience=AUD), who["user"])
        assert swapped.outcome is Outcome.UNAVAILABLE, "what is said about another is not taken"
        clock.turn(61)
        async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as browser:
            await browser.get("/cdn-cgi/access/logout", headers={"cookie": f"CF_Authorization={shown['user']}"})
        assert await obtain(shown["user"], who["user"]) == ENDED
