"""Where do the credentials go when a server sends the client elsewhere? Only to the hosts that were named."""

import io
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest
import requests
import requests.adapters

from cfaccess_mw.client import HostNotNamed, InsecureCall, ServiceToken, UserToken
from cfaccess_mw.client.conversation import Caller
from cfaccess_mw.client.httpx import AccessAuth as HttpxAuth
from cfaccess_mw.client.httpx2 import AccessAuth as Httpx2Auth
from cfaccess_mw.client.requests import AccessAuth as RequestsAuth
from cfaccess_mw.emulator.issuer import Issuer
from tests.client.calling import BODY, CLIENTS, Open, every_client
from tests.client.conftest import GOOD, Clock, Emulate, Serve, host_of
from tests.client.site import Answers, Asked, Says, Site
from tests.client.test_service_token import HEADERS, gives, token

LOGIN = "/cdn-cgi/access/login"


def to(location: str, status: int = 302) -> Says:
    return Says(status, (("location", location),), b"")


def protected(inner: Answers = lambda _: Says()) -> Answers:
    """Access in front of an application, on one host and without memory."""

    def answers(asked: Asked) -> Says:
        if asked.path.startswith(LOGIN):
            return Says(200, (), b"sign in")
        return inner(asked) if asked.brought & {"cf-access-client-secret", "cf-access-token"} else to(LOGIN)

    return answers


Make = Callable[[Site, Clock, Issuer], Caller]
CALLERS: dict[str, Make] = {
    "two headers": lambda site, clock, _: ServiceToken(site.host, credentials=GOOD, clock=clock),
    "one header": lambda site, clock, _: ServiceToken(site.host, credentials=GOOD, header="X-Service", clock=clock),
    "a person": lambda site, clock, team: UserToken(site.url, token=lambda: token(clock, team), clock=clock),
}


@every_client
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("who", CALLERS)
def test_another_host_gets_nothing(
    client: Open, serve: Serve, clock: Clock, team: Issuer, status: int, who: str
) -> None:
    other = serve()
    site = serve(lambda asked: to(f"{other.url}/b", status))
    with client(CALLERS[who](site, clock, team)) as call:
        reply = call(f"{site.url}/a", method="POST", body="bytes", headers={"cf-access-client-secret": "mine"})
    assert reply.status == 200
    assert len(site.asked[0].brought) > 0
    assert [asked.brought for asked in other.asked] == [set()]
    assert other.asked[0].body == (BODY if status in (307, 308) else b"")


@every_client
def test_the_cookie_stays_with_the_host_it_came_from(client: Open, serve: Serve, clock: Clock, team: Issuer) -> None:
    other = serve()

    def answers(asked: Asked) -> Says:
        # under another name for this machine, so that no jar takes it for the same host
        return to(f"http://localhost:{other.port}/b") if asked.path == "/away" else gives(token(clock, team), "Path=/")

    site = serve(answers)
    with client(ServiceToken(site.host, credentials=GOOD, clock=clock)) as call:
        call(f"{site.url}/a")
        call(f"{site.url}/away")
    assert site.brought() == [HEADERS, {"cookie"}]
    assert other.brought() == [set()]


@every_client
def test_what_was_sent_at_a_second_try_stays_too(client: Open, serve: Serve, clock: Clock, team: Issuer) -> None:
    other = serve()

    def answers(asked: Asked) -> Says:
        if "cookie" in asked.brought:
            return Says(401, (("cf-access-aud", "x"),))
        return to(f"{other.url}/b", 307) if asked.path == "/away" else gives(token(clock, team), "Path=/")

    site = serve(answers)
    with client(ServiceToken(site.host, credentials=GOOD, clock=clock)) as call:
        call(f"{site.url}/a")
        call(f"{site.url}/away")
    assert site.brought() == [HEADERS, {"cookie"}, HEADERS]
    assert not other.asked[0].brought & HEADERS


@every_client
@pytest.mark.parametrize("location", ["/b", "//{host}/b", "http://{host}/b"])
def test_the_same_host_is_asked_again_with_the_credentials(client: Open, serve: Serve, location: str) -> None:
    site = serve()
    site.answers = protected(lambda asked: to(location.format(host=site.host)) if asked.path == "/a" else Says())
    with client(ServiceToken(site.host, credentials=GOOD)) as call:
        reply = call(f"{site.url}/a")
    assert (reply.status, reply.body) == (200, b"the application")
    assert [asked.path for asked in site.asked if asked.brought] == ["/a", "/b"]


@every_client
def test_a_body_follows_to_the_same_host(client: Open, serve: Serve) -> None:
    site = serve(protected(lambda asked: to("/b", 307) if asked.path == "/a" else Says(body=asked.body)))
    with client(ServiceToken(site.host, credentials=GOOD)) as call:
        assert call(f"{site.url}/a", method="POST", body="bytes").body == BODY


@every_client
def test_another_host_that_is_named_gets_them(client: Open, serve: Serve) -> None:
    other = serve(protected())
    site = serve(protected(lambda _: to(f"{other.url}/b")))
    with client(ServiceToken(site.host, other.host, credentials=GOOD)) as call:
        assert call(f"{site.url}/a").body == b"the application"
    assert [asked.path for asked in other.asked if asked.brought] == ["/b"]


@every_client
def test_another_host_that_is_protected_and_not_named_is_an_error(client: Open, serve: Serve) -> None:
    other = serve(protected())
    site = serve(lambda _: to(f"{other.url}/b"))
    with (
        client(ServiceToken(site.host, credentials=GOOD)) as call,
        pytest.raises(HostNotNamed, match=f"name '{other.host}'") as raised,
    ):
        call(f"{site.url}/a")
    assert raised.value.host == other.host
    assert all(asked.brought == set() for asked in other.asked)


@every_client
def test_a_host_that_was_not_named_does_not_choose_what_is_called(client: Open, serve: Serve) -> None:
    other, site = serve(), serve()
    other.answers = lambda _: to(f"{site.url}/delete")
    site.answers = protected(lambda _: to(f"{other.url}/"))
    with client(ServiceToken(site.host, credentials=GOOD)) as call:
        assert call(f"{site.url}/a").body == b"sign in"
    assert [(asked.path, bool(asked.brought)) for asked in site.asked][:2] == [("/a", True), ("/delete", False)]
    assert sum(bool(brought) for brought in site.brought()) == 1


@every_client
def test_a_circle_ends(client: Open, serve: Serve) -> None:
    site = serve(protected(lambda _: to("/a")))
    with (
        client(ServiceToken(site.host, credentials=GOOD)) as call,
        pytest.raises(Exception, match=r"(?i)redirects"),
    ):
        call(f"{site.url}/a")
    assert len(site.asked) < 100


@every_client
def test_what_is_not_followed_is_given_back(client: Open, serve: Serve) -> None:
    site = serve(lambda _: to("http://localhost/b"))
    with client(ServiceToken(site.host, credentials=GOOD), follow=False) as call:
        reply = call(f"{site.url}/a")
    assert reply.status == 302
    assert not HEADERS & set(map(str.lower, reply.request_headers))


def test_the_edge_lets_a_redirect_within_an_application_pass(emulate: Emulate, site: Site, clock: Clock) -> None:
    site.answers = lambda asked: to("/b") if asked.path == "/a" else Says()
    edge = emulate(strict=True)
    for client in CLIENTS.values():
        with client(ServiceToken(host_of(edge.url), credentials=GOOD, clock=clock)) as call:
            assert call(f"{edge.url}/a").body == b"the application"


AWAY = pytest.mark.parametrize(
    ("location", "gets"),
    [
        pytest.param("https://app.example.com/b", True, id="the same host"),
        pytest.param("https://APP.example.com:443/b", True, id="the same host, otherwise written"),
        pytest.param("http://app.example.com/b", False, id="plain http"),
        pytest.param("https://app.example.com:8443/b", False, id="another port"),
        pytest.param("https://app.example.com.evil.example/b", False, id="a longer name"),
        pytest.param("https://evil.example/app.example.com", False, id="in the path"),
        pytest.param("https://app.example.com@evil.example/b", False, id="as a user"),
        pytest.param("https://sub.app.example.com/b", False, id="a name below"),
    ],
)


class Wires:
    """What would be the network: an application that sends its first caller elsewhere, behind Access on each host."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.seen: list[bool] = []

    def answer(self, *, brought: bool) -> tuple[int, dict[str, str]]:
        self.seen.append(brought)
        if len(self.seen) == 1:
            return 302, {"location": self.location}
        return (200, {}) if brought else (401, {"cf-access-aud": "x"})

    def check(self, get: Callable[[], Any], *, gets: bool) -> None:
        if gets:
            assert get().status_code == 200
        else:
            with pytest.raises(HostNotNamed):
                get()
        assert self.seen == ([True, False, True] if gets else [True, False])


@AWAY
@pytest.mark.parametrize(("library", "auth"), [(httpx, HttpxAuth), (httpx2, Httpx2Auth)])
def test_which_host_a_redirect_leads_to(location: str, gets: bool, library: Any, auth: Any) -> None:
    wires = Wires(location)

    def transport(request: Any) -> Any:
        brought = any(name.lower() == b"cf-access-client-secret" for name, _ in request.headers.raw)
        status, headers = wires.answer(brought=brought)
        return library.Response(status, headers=headers)

    options = {"auth": auth(ServiceToken("app.example.com", credentials=GOOD)), "follow_redirects": True}
    with library.Client(**options, transport=library.MockTransport(transport)) as client:
        wires.check(lambda: client.get("https://app.example.com/a"), gets=gets)


@AWAY
def test_which_host_a_redirect_of_requests_leads_to(location: str, gets: bool) -> None:
    wires = Wires(location)

    class Adapter(requests.adapters.BaseAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
            response = requests.Response()
            brought = "cf-access-client-secret" in request.headers
            response.status_code, headers = wires.answer(brought=brought)
            response.headers.update(headers)
            response.request, response.url, response.raw = request, str(request.url), io.BytesIO()
            response.connection = self  # type: ignore[assignment]  # as an adapter does it
            return response

        def close(self) -> None: ...

    with requests.Session() as session:
        session.trust_env = False
        session.auth = RequestsAuth(ServiceToken("app.example.com", credentials=GOOD))
        for scheme in ("https://", "http://"):
            session.mount(scheme, Adapter())
        wires.check(lambda: session.get("https://app.example.com/a"), gets=gets)


@pytest.mark.parametrize("name", CLIENTS)
def test_plain_http_to_another_machine_is_not_even_begun(name: str) -> None:
    with (
        CLIENTS[name](ServiceToken("app.example.com", credentials=GOOD)) as call,
        pytest.raises(InsecureCall, match="https"),
    ):
        call("http://app.example.com/a")
