"""A service that calls a protected application, with each client, through the emulated edge."""

import json

import pytest

from cfaccess_mw.client import (
    AccessRefused,
    CallError,
    CredentialsRefused,
    CredentialsUnusable,
    HeaderTaken,
    HostNotNamed,
    LoginDemanded,
    NotAdmitted,
    ServiceToken,
)
from cfaccess_mw.client.conversation import Answer
from cfaccess_mw.client.refusals import refusal_in
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.policy_reading import read_policies
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, Application, audience_for
from cfaccess_mw.emulator.issuer import Issuer
from tests.client.calling import BODY, CLIENTS, Open, every_client
from tests.client.conftest import GOOD, ROBOT, WRONG, Clock, Emulate, Serve, host_of
from tests.client.site import Asked, Says, Site, in_turn, login

HEADERS = {"cf-access-client-id", "cf-access-client-secret"}
COOKIE = {"cookie"}
OTHERS = read_policies([{"decision": "service_auth", "include": [{"service_token": "0" * 32 + ".access"}]}])
PEOPLE = read_policies([{"decision": "allow", "include": [{"everyone": True}]}])
httpx_only = CLIENTS["httpx"]


def token(clock: Clock, team: Issuer, lasts: float = 3_600) -> str:
    return team.service(ROBOT.client_id, audience=DEFAULT_AUDIENCE, issued_at=clock(), expires_in=lasts)


def gives(token: str, *attributes: str) -> Says:
    return Says(headers=(("set-cookie", "; ".join([f"CF_Authorization={token}", *attributes])),))


@every_client
class TestAtTheEdge:
    def test_a_classic_token_is_sent_once_and_its_cookie_from_then_on(
        self, client: Open, emulate: Emulate, site: Site, clock: Clock
    ) -> None:
        edge = emulate()
        caller = ServiceToken(host_of(edge.url), credentials=GOOD, clock=clock)
        with client(caller) as call:
            replies = [call(f"{edge.url}/a", method="POST", body="bytes") for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 200]
        assert [asked.body for asked in site.asked] == [BODY] * 3
        # the same assertion: the edge made one token, and was brought it as a cookie
        assert len({asked.get("cf-access-jwt-assertion") for asked in site.asked}) == 1

    def test_an_expired_cookie_is_replaced(self, client: Open, emulate: Emulate, site: Site, clock: Clock) -> None:
        edge = emulate(applications=[Application(session=100)])
        with client(ServiceToken(host_of(edge.url), credentials=GOOD, clock=clock)) as call:
            for turn in (0, 50, 100):
                clock.now += turn
                assert call(f"{edge.url}/a").status == 200
        assertions = [asked.get("cf-access-jwt-assertion") for asked in site.asked]
        assert assertions[0] == assertions[1] != assertions[2]

    def test_a_cookie_that_is_refused_is_replaced_in_the_same_call(
        self, client: Open, emulate: Emulate, site: Site, clock: Clock
    ) -> None:
        paths = [Application(), Application(path="/b", audience=audience_for(path="/b"))]
        edge = emulate(applications=paths)
        with client(ServiceToken(host_of(edge.url), credentials=GOOD, clock=clock)) as call:
            assert [call(edge.url + path, method="POST", body="bytes").status for path in ("/a", "/b", "/a")] == [
                200
            ] * 3
        assert [asked.body for asked in site.asked] == [BODY] * 3

    def test_a_body_that_cannot_be_sent_twice_goes_with_credentials(
        self, client: Open, serve: Serve, clock: Clock, team: Issuer
    ) -> None:
        site = serve(lambda _: gives(token(clock, team)))
        with client(ServiceToken(site.host, credentials=GOOD, clock=clock)) as call:
            for body in ("", "stream", ""):
                call(f"{site.url}/a", method="POST", body=body)
        assert site.brought() == [HEADERS, HEADERS, COOKIE]
        assert site.asked[1].body == BODY


def test_a_strict_one_is_sent_each_time(emulate: Emulate, site: Site, clock: Clock) -> None:
    edge = emulate(strict=True)
    for client in CLIENTS.values():
        with client(ServiceToken(host_of(edge.url), credentials=GOOD, clock=clock)) as call:
            for _ in range(2):
                assert call(f"{edge.url}/a").status == 200
                clock.now += 1
    assert len({asked.get("cf-access-jwt-assertion") for asked in site.asked}) == 2 * len(CLIENTS)


@pytest.mark.parametrize("strict", [False, True])
def test_one_header_for_both(emulate: Emulate, clock: Clock, strict: bool) -> None:
    edge = emulate(strict=strict, applications=[Application(service_token_header="Authorization")])
    for client in CLIENTS.values():
        caller = ServiceToken(host_of(edge.url), credentials=GOOD, header="Authorization", clock=clock)
        with client(caller) as call:
            assert [call(f"{edge.url}/a").status for _ in range(2)] == [200, 200]


class TestRefusedAtTheEdge:
    @pytest.mark.parametrize(
        ("settings", "application", "expected"),
        [
            pytest.param({}, {}, LoginDemanded, id="wrong secret"),
            pytest.param({}, {"service_auth_401": True}, CredentialsRefused, id="wrong secret, 401 asked for"),
            pytest.param({"strict": True}, {}, CredentialsRefused, id="wrong secret, strict"),
        ],
    )
    def test_what_does_not_open_is_an_error(
        self,
        emulate: Emulate,
        clock: Clock,
        settings: dict[str, bool],
        application: dict[str, bool],
        expected: type[AccessRefused],
    ) -> None:
        edge = emulate(**settings, applications=[Application(**application)])  # type: ignore[arg-type]  # booleans
        host = host_of(edge.url)
        for client in CLIENTS.values():
            with (
                client(ServiceToken(host, credentials=WRONG, clock=clock)) as call,
                pytest.raises(AccessRefused) as raised,
            ):
                call(f"{edge.url}/a")
            error = raised.value
            assert type(error) is expected
            assert (error.host, error.status) == (host, 302 if expected is LoginDemanded else 401)
            assert len(error.ray) == 20
            assert error.ray in str(error)
            assert "CF-Access-Client-Secret" in str(error)

    @pytest.mark.parametrize(
        ("settings", "policies", "expected"),
        [
            pytest.param({"strict": True}, OTHERS, NotAdmitted, id="for another token"),
            pytest.param({"strict": True}, PEOPLE, NotAdmitted, id="for people, strict"),
            pytest.param({}, PEOPLE, LoginDemanded, id="for people"),
        ],
    )
    def test_an_error_says_which_action_the_policy_needs(
        self,
        emulate: Emulate,
        clock: Clock,
        settings: dict[str, bool],
        policies: tuple[()],
        expected: type[AccessRefused],
    ) -> None:
        edge = emulate(**settings, applications=[Application(policies=policies)])
        for client in CLIENTS.values():
            with (
                client(ServiceToken(host_of(edge.url), credentials=GOOD, clock=clock)) as call,
                pytest.raises(expected, match="action 'Service Auth'"),
            ):
                call(f"{edge.url}/a")


@every_client
class TestWhatIsSent:
    def test_both_headers_and_nothing_else_of_ours(self, client: Open, site: Site) -> None:
        with client(ServiceToken(site.host, credentials=GOOD)) as call:
            call(f"{site.url}/a", headers={"CF-Access-Client-Id": "mine", "cf-access-token": "mine", "X-Other": "1"})
        (asked,) = site.asked
        assert asked.all("cf-access-client-id") == [ROBOT.client_id]
        assert asked.all("cf-access-client-secret") == [ROBOT.client_secret]
        assert asked.all("cf-access-token") == []
        assert asked.all("x-other") == ["1"]

    def test_one_header_is_json_with_names_in_lower_case(self, client: Open, site: Site) -> None:
        with client(ServiceToken(site.host, credentials=GOOD, header="X-Service")) as call:
            call(f"{site.url}/a")
        assert site.brought() == [{"x-service"}]
        assert json.loads(site.asked[0].get("x-service")) == {
            "cf-access-client-id": ROBOT.client_id,
            "cf-access-client-secret": ROBOT.client_secret,
        }

    def test_the_one_header_is_not_taken_from_anybody(self, client: Open, site: Site) -> None:
        with (
            client(ServiceToken(site.host, credentials=GOOD, header="Authorization")) as call,
            pytest.raises(HeaderTaken, match="Authorization"),
        ):
            call(f"{site.url}/a", headers={"authorization": "Bearer mine"})
        assert site.asked == []

    def test_other_cookies_stay_beside_the_one_that_is_ours(
        self, client: Open, serve: Serve, clock: Clock, team: Issuer
    ) -> None:
        ours = token(clock, team)
        site = serve(lambda _: gives(ours))
        with client(ServiceToken(site.host, credentials=GOOD, clock=clock)) as call:
            for _ in range(2):
                call(f"{site.url}/a", headers={"Cookie": "CF_Authorization=mine; a=1"})
        # where a client's own jar has the cookie too, it still goes out once
        assert [asked.all("cookie") for asked in site.asked] == [["a=1"], [f"a=1; CF_Authorization={ours}"]]

    def test_hosts_that_were_not_named_get_what_the_client_gives_them(
        self, client: Open, serve: Serve, site: Site
    ) -> None:
        other = serve(lambda asked: Says(302, (("location", f"{site.url}/b"),)) if asked.path == "/away" else Says())
        site.answers = lambda _: Says(401, (("cf-access-aud", "x"),))
        with client(ServiceToken(site.host, credentials=GOOD)) as call:
            assert call(f"{other.url}/a", headers={"CF-Access-Client-Id": "mine"}).status == 200
            # nor are the credentials for whom such a host chooses
            assert call(f"{other.url}/away").status == 401
        assert other.brought() == [{"cf-access-client-id"}, set()]
        assert other.asked[0].all("cf-access-client-id") == ["mine"]
        assert site.brought() == [set()]

    def test_a_host_that_should_have_been_named_is_an_error(self, client: Open, serve: Serve, site: Site) -> None:
        other = serve(lambda _: Says(401, (("cf-access-aud", "x"),)))
        with (
            client(ServiceToken(site.host, credentials=GOOD)) as call,
            pytest.raises(HostNotNamed, match=f"name '{other.host}'") as raised,
        ):
            call(f"{other.url}/a")
        assert (raised.value.host, raised.value.status) == (other.host, 401)
        assert other.brought() == [set()]


@every_client
class TestRotation:
    def test_credentials_are_asked_for_each_time(self, client: Open, site: Site) -> None:
        given = iter([GOOD, WRONG])
        with client(ServiceToken(site.host, credentials=lambda: next(given))) as call:
            for _ in range(2):
                call(f"{site.url}/a")
        secrets = [asked.get("cf-access-client-secret") for asked in site.asked]
        assert secrets == [ROBOT.client_secret, "0" * 64]

    def test_credentials_that_were_rotated_on_the_way_are_tried(self, client: Open, serve: Serve) -> None:
        given = iter([WRONG, GOOD])
        site = serve(in_turn(Says(401, (("cf-access-aud", "x"),)), Says()))
        with client(ServiceToken(site.host, credentials=lambda: next(given))) as call:
            assert call(f"{site.url}/a", method="POST", body="bytes").status == 200
        assert [asked.body for asked in site.asked] == [BODY, BODY]

    def test_but_not_with_a_body_that_cannot_be_sent_twice(self, client: Open, serve: Serve) -> None:
        given = iter([WRONG, GOOD])
        site = serve(lambda _: Says(401, (("cf-access-aud", "x"),)))
        with (
            client(ServiceToken(site.host, credentials=lambda: next(given))) as call,
            pytest.raises(CredentialsRefused),
        ):
            call(f"{site.url}/a", method="POST", body="stream")
        assert [asked.body for asked in site.asked] == [BODY]

    def test_the_same_ones_are_not_tried_twice(self, client: Open, serve: Serve) -> None:
        site = serve(lambda _: Says(403, (("cf-access-error", "forbidden"),)))
        with client(ServiceToken(site.host, credentials=lambda: GOOD)) as call, pytest.raises(NotAdmitted):
            call(f"{site.url}/a")
        assert len(site.asked) == 1

    def test_something_else_is_an_error(self, client: Open, site: Site) -> None:
        with (
            client(ServiceToken(site.host, credentials=lambda: "cfast_secret")) as call,  # type: ignore[arg-type,return-value]
            pytest.raises(CredentialsUnusable, match="text of 12 characters"),
        ):
            call(f"{site.url}/a")
        assert site.asked == []


@pytest.mark.parametrize("name", CLIENTS)
def test_an_asynchronous_callable_is_for_asynchronous_clients(name: str, site: Site) -> None:
    async def give() -> object:
        return GOOD

    caller = ServiceToken(site.host, credentials=give)  # type: ignore[arg-type]  # it is the very question
    with CLIENTS[name](caller) as call:
        if name in ("httpx-asyncio", "httpx2-trio"):
            assert call(f"{site.url}/a").status == 200
        else:
            with pytest.raises(ConfigurationError, match="asynchronous"):
                call(f"{site.url}/a")


@every_client
@pytest.mark.parametrize(
    "says",
    [
        pytest.param(Says(403), id="403"),
        pytest.param(Says(401, (("www-authenticate", 'Bearer realm="mine"'),)), id="401"),
        pytest.param(
            Says(401, (("www-authenticate", 'Cloudflare-Access realm="acme.cloudflareaccess.com"'),)),
            id="401 of a middleware that checks assertions",
        ),
        pytest.param(Says(500, (("cf-access-error", "x"),)), id="500"),
        pytest.param(Says(302, (("location", "/login"),)), id="its own login"),
        pytest.param(Says(302, (("location", "/cdn-cgi/access/logins"),)), id="a path that begins alike"),
    ],
)
def test_what_the_application_says_is_left_alone(client: Open, serve: Serve, says: Says) -> None:
    site = serve(lambda _: says)
    with client(ServiceToken(site.host, credentials=GOOD), follow=False) as call:
        assert call(f"{site.url}/a").status == says.status
    assert len(site.asked) == 1


def test_an_address_that_is_none_leads_to_no_login_page() -> None:
    # clients raise errors of their own at such a one; it is not ours that comes before
    assert refusal_in(Answer(status=302, headers=(("location", "https://[/cdn-cgi/access/login"),))) is None


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        pytest.param(login(), LoginDemanded, id="login"),
        pytest.param(Says(302, (("location", "/cdn-cgi/access/login"),)), LoginDemanded, id="login on the host"),
        pytest.param(Says(401, (("cf-access-aud", "x"),)), CredentialsRefused, id="401 with an audience"),
        pytest.param(
            Says(
                401,
                (
                    ("www-authenticate", "Basic"),
                    (
                        "www-authenticate",
                        'Bearer resource_metadata="https://x/.well-known/cloudflare-access-protected-resource/"',
                    ),
                ),
            ),
            CredentialsRefused,
            id="401 with Managed OAuth",
        ),
        pytest.param(Says(403, (("cf-access-domain", "x"),)), NotAdmitted, id="403 with a domain"),
        pytest.param(Says(403, (("cf-access-error", "x"), ("cf-ray", "no ray\tat all"))), NotAdmitted, id="odd ray"),
    ],
)
def test_what_access_says_is_an_error(serve: Serve, says: Says, expected: type[CallError]) -> None:
    site = serve(lambda _: says)
    with httpx_only(ServiceToken(site.host, credentials=GOOD), follow=False) as call, pytest.raises(expected) as raised:
        call(f"{site.url}/a")
    assert isinstance(raised.value, AccessRefused)
    assert raised.value.ray == ""


@pytest.mark.parametrize(
    ("status", "said"), [(True, "it knows the token, but"), (False, "else the secret"), ("", "else")]
)
def test_what_the_way_to_the_login_page_says_of_the_token(
    serve: Serve, team: Issuer, status: object, said: str
) -> None:
    meta = team.login_meta(audience=DEFAULT_AUDIENCE, service_token_status=status)
    site = serve(lambda _: login(meta=meta))
    with (
        httpx_only(ServiceToken(site.host, credentials=GOOD), follow=False) as call,
        pytest.raises(LoginDemanded, match=said),
    ):
        call(f"{site.url}/a")


def test_other_ways_to_name_the_header_are_mends(serve: Serve) -> None:
    def answers(asked: Asked) -> Says:
        return Says(401, (("cf-access-aud", "x"),))

    site = serve(answers)
    for header, said in ((None, "give header="), ("X-Service", "does not read service tokens from X-Service")):
        with (
            httpx_only(ServiceToken(site.host, credentials=GOOD, header=header)) as call,
            pytest.raises(CredentialsRefused, match=said),
        ):
            call(f"{site.url}/a")
