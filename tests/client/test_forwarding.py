"""An application that calls another for whoever is asking it."""

import wsgiref.util
from collections.abc import Iterable
from typing import Any

import anyio
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from cfaccess_mw.asgi import AccessMiddleware as AsgiMiddleware
from cfaccess_mw.client import (
    AccessRefused,
    CredentialsRefused,
    ForwardedIdentity,
    LoginDemanded,
    NoIdentity,
    NotAdmitted,
    TokenInCookieJar,
    tokenless_cookies,
)
from cfaccess_mw.client.httpx import AccessAuth
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from cfaccess_mw.wsgi import AccessMiddleware as WsgiMiddleware
from tests.client.calling import CLIENTS, Open, every_client
from tests.client.conftest import Emulate, Serve, host_of
from tests.client.site import Asked, Says, Site, login

PEOPLE = ("alice@example.com", "bob@example.com")


@pytest.fixture
def now_issuer(signing_keys: list[SigningKey]) -> Issuer:
    """The same team by the clock on the wall, which the doors go by."""
    return Issuer("acme", current=signing_keys[0], previous=signing_keys[1])


@pytest.fixture
def tokens(now_issuer: Issuer) -> dict[str, str]:
    return {who: now_issuer.user(who, audience=DEFAULT_AUDIENCE) for who in PEOPLE}


class TestThroughTheDoors:
    @pytest.fixture
    def edge(self, emulate: Emulate, now_issuer: Issuer) -> str:
        import time

        return emulate(issuer=now_issuer, clock=time.time).url

    def test_asgi(self, edge: str, site: Site, now_issuer: Issuer, tokens: dict[str, str]) -> None:
        async def run() -> None:
            auth = AccessAuth(ForwardedIdentity(host_of(edge)))
            async with httpx.AsyncClient(auth=auth, cookies=tokenless_cookies(), trust_env=False) as onward:

                async def application(scope: Scope, receive: Receive, send: Send) -> None:
                    answer = await onward.get(f"{edge}/b")
                    await send({"type": "http.response.start", "status": answer.status_code, "headers": []})
                    await send({"type": "http.response.body"})

                door = AsgiMiddleware(application, team="acme", audience=DEFAULT_AUDIENCE, keys=now_issuer.certs())
                async with (
                    httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://a.example") as client,
                    anyio.create_task_group() as tasks,
                ):

                    async def ask(who: str) -> None:
                        answer = await client.get("/a", headers={"Cf-Access-Jwt-Assertion": tokens[who]})
                        assert answer.status_code == 200

                    for who in PEOPLE * 5:
                        tasks.start_soon(ask, who)

        anyio.run(run)
        seen = [asked.get("cf-access-authenticated-user-email") for asked in site.asked]
        assert sorted(seen) == sorted(PEOPLE * 5)

    def test_wsgi(self, edge: str, site: Site, now_issuer: Issuer, tokens: dict[str, str]) -> None:
        with httpx.Client(auth=AccessAuth(ForwardedIdentity(host_of(edge))), trust_env=False) as onward:

            def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
                answer = onward.get(f"{edge}/b")
                start_response(f"{answer.status_code} -", [])
                return [b""]

            door = WsgiMiddleware(application, team="acme", audience=DEFAULT_AUDIENCE, keys=now_issuer.certs())
            statuses = []
            for who in PEOPLE:
                environ: dict[str, Any] = {"HTTP_CF_ACCESS_JWT_ASSERTION": tokens[who]}
                wsgiref.util.setup_testing_defaults(environ)
                statuses.append(list(door(environ, lambda status, headers, exc_info=None: statuses.append(status))))  # type: ignore[arg-type]
        assert statuses == ["200 -", [b""]] * 2
        assert [asked.get("cf-access-authenticated-user-email") for asked in site.asked] == [*PEOPLE]


@every_client
def test_the_assertion_goes_in_the_header_of_tokens(client: Open, site: Site, tokens: dict[str, str]) -> None:
    given = iter(tokens.values())
    with client(ForwardedIdentity(site.host, assertion=lambda: next(given))) as call:
        for _ in PEOPLE:
            call(f"{site.url}/a", headers={"cf-access-token": "mine", "cf-access-client-id": "mine"})
    assert site.brought() == [{"cf-access-token"}] * 2
    assert [asked.all("cf-access-token") for asked in site.asked] == [[token] for token in tokens.values()]


@every_client
@pytest.mark.parametrize("given", [None, "", "no\r\ntoken", 7])
def test_without_anybody_nothing_is_sent(client: Open, site: Site, given: object) -> None:
    for caller in (ForwardedIdentity(site.host), ForwardedIdentity(site.host, assertion=lambda: given)):  # type: ignore[arg-type,return-value]
        with client(caller) as call, pytest.raises(NoIdentity, match="within a request that Access let through"):
            call(f"{site.url}/a")
    assert site.asked == []


def test_an_assertion_itself_is_not_taken() -> None:
    with pytest.raises(ConfigurationError, match="assertion: is text of 1 characters; give a callable"):
        ForwardedIdentity("a.example", assertion="x")  # type: ignore[arg-type]  # it is the mistake


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (login(), LoginDemanded),
        (Says(401, (("cf-access-aud", "x"),)), CredentialsRefused),
        (Says(403, (("cf-access-aud", "x"),)), NotAdmitted),
    ],
)
def test_what_access_says(serve: Serve, tokens: dict[str, str], says: Says, expected: type[AccessRefused]) -> None:
    site = serve(lambda _: says)
    caller = ForwardedIdentity(site.host, assertion=lambda: tokens[PEOPLE[0]])
    with CLIENTS["httpx"](caller, follow=False) as call, pytest.raises(expected, match="'Linked App Token'") as raised:
        call(f"{site.url}/a")
    assert (raised.value.status, raised.value.host) == (says.status, site.host)


class TestSharedClient:
    """One client for everybody, and an application that gives cookies to each."""

    def answers(self, asked: Asked) -> Says:
        if asked.path == "/a":
            cookies = tuple(
                ("set-cookie", f"CF_Authorization={asked.get('cf-access-token')}; Path={path}") for path in ("/", "/b")
            )
            return Says(302, (*cookies, ("location", "/b")), b"")
        return Says() if asked.brought else Says(401, (("cf-access-aud", "x"),))

    @every_client
    def test_nobody_is_taken_for_another(self, client: Open, serve: Serve, tokens: dict[str, str]) -> None:
        site = serve(self.answers)
        given = iter(tokens.values())
        current = ""
        with client(ForwardedIdentity(site.host, assertion=lambda: current), cookies=tokenless_cookies()) as call:
            for current in given:  # noqa: B007 - the function above looks at it
                assert call(f"{site.url}/a").status == 200
        assert all("cookie" not in asked.brought for asked in site.asked)
        sent = [asked.get("cf-access-token") for asked in site.asked if asked.path == "/b" and asked.brought]
        assert sent == [*tokens.values()]

    @pytest.mark.parametrize("name", [name for name in CLIENTS if name != "requests"])
    def test_a_jar_that_keeps_tokens_is_an_error(self, name: str, serve: Serve, tokens: dict[str, str]) -> None:
        site = serve(self.answers)
        with CLIENTS[name](ForwardedIdentity(site.host, assertion=lambda: tokens[PEOPLE[0]])) as call:
            # the redirect was sent with what the jar has, whosever that is
            with pytest.raises(TokenInCookieJar, match="tokenless_cookies"):
                call(f"{site.url}/a")
            before = len(site.asked)
            with pytest.raises(TokenInCookieJar):
                call(f"{site.url}/b")
            assert len(site.asked) == before

    @pytest.mark.parametrize("begins", ["named", "unnamed"])
    @pytest.mark.parametrize("name", CLIENTS)
    def test_a_host_that_was_not_named_does_not_choose_who_speaks(
        self, name: str, begins: str, serve: Serve, tokens: dict[str, str]
    ) -> None:
        alice, bob = tokens.values()
        cookie = ("set-cookie", f"CF_Authorization={alice}; Path=/private")

        def answers(asked: Asked) -> Says:
            if asked.path == "/a":
                return Says(200, (cookie,))
            away = Says(302, (("location", stranger.url),), b"")
            return away if asked.path == "/away" else Says(body=asked.get("cookie").encode())

        site, stranger, current = serve(answers), serve(lambda _: Says(404)), alice
        stranger.answers = lambda _: Says(302, (("location", f"{site.url}/private/a"),), b"")
        with CLIENTS[name](ForwardedIdentity(site.host, assertion=lambda: current)) as call:
            call(f"{site.url}/a")
            current = bob
            url = f"{site.url}/away" if begins == "named" else stranger.url
            if name == "requests":
                assert call(url).body == b""
            else:
                with pytest.raises(TokenInCookieJar, match="tokenless_cookies"):
                    call(url)

    @pytest.mark.parametrize("name", CLIENTS)
    def test_nobodys_token_goes_to_a_host_that_was_not_named(
        self, name: str, serve: Serve, tokens: dict[str, str]
    ) -> None:
        alice, bob = tokens.values()
        site = serve(lambda _: Says(200, (("set-cookie", f"CF_Authorization={alice}"),)))
        stranger = serve(lambda _: Says(200))
        current = alice
        with CLIENTS[name](ForwardedIdentity(site.host, assertion=lambda: current)) as call:
            call(site.url)
            current = bob
            if name == "requests":
                assert call(stranger.url).status == 200
            else:
                with pytest.raises(TokenInCookieJar):
                    call(stranger.url)
        assert all("cookie" not in asked.brought for asked in stranger.asked)

    def test_requests_sends_none_even_so(self, serve: Serve, tokens: dict[str, str]) -> None:
        site = serve(self.answers)
        with CLIENTS["requests"](ForwardedIdentity(site.host, assertion=lambda: tokens[PEOPLE[0]])) as call:
            for _ in range(2):
                assert call(f"{site.url}/a").status == 200
        assert all("cookie" not in asked.brought for asked in site.asked)
