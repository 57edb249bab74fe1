"""The cookies that the edge sets, asks for, and keeps from the application."""

import re
from typing import Any

import httpx
import jwt
import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator import cookie
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, Application, audience_for
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.users import DEFAULT_USERS
from tests.emulator.conftest import ROBOT, Connect, Emulate

_ATTRIBUTES: list[Any] = [
    pytest.param({}, "Path=/; HttpOnly; SameSite=Lax", id="by default"),
    pytest.param({"same_site": "strict"}, "Path=/; HttpOnly; SameSite=Strict", id="strict"),
    pytest.param({"same_site": "none"}, "Path=/; HttpOnly; Secure; SameSite=None", id="none"),
    pytest.param({"http_only": False}, "Path=/; SameSite=Lax", id="for scripts"),
    pytest.param({"path_cookie": True}, "Path=/4; HttpOnly; SameSite=Lax", id="of one path"),
]
_BOUND = Application(path="/bound", audience=audience_for(path="/bound"), binding_cookie=True)


@pytest.fixture(scope="module")
def edge(share: Emulate) -> Emulator:
    applications = [
        Application(path=f"/{at}", audience=audience_for(path=f"/{at}"), **case.values[0])
        for at, case in enumerate(_ATTRIBUTES)
    ]
    return share(applications=[*applications, _BOUND, Application()], service_tokens=[ROBOT])


def signed_in(client: httpx.Client, path: str, email: str = "alice@example.com") -> httpx.Response:
    """Walk from the application to the login page and back."""
    authorized = client.post(client.get(path).headers["location"], data={"email": email})
    return client.get(authorized.headers["location"])


@pytest.mark.parametrize(
    ("path", "attributes"),
    [pytest.param(f"/{at}", case.values[1], id=case.id) for at, case in enumerate(_ATTRIBUTES)],
)
def test_attributes(edge: Emulator, connect: Connect, path: str, attributes: str) -> None:
    after_login = signed_in(connect(edge), path).headers["set-cookie"]
    service = {"CF-Access-Client-Id": ROBOT.client_id, "CF-Access-Client-Secret": ROBOT.client_secret}
    of_a_service = connect(edge).get(path, headers=service).headers["set-cookie"]
    for value in (after_login, of_a_service):
        assert re.sub(r"^CF_Authorization=[\w.-]+; ", "", value) == attributes


def test_same_site_is_one_of_three() -> None:
    with pytest.raises(ConfigurationError, match="same_site: is text of 3 characters; give one of lax, strict, none"):
        Application(same_site="any")  # type: ignore[arg-type]


class TestAppSession:
    def test_comes_with_the_way_to_the_login_page(self, edge: Emulator, connect: Connect) -> None:
        first, second = (connect(edge).get("/").headers["set-cookie"] for _ in range(2))
        form = r"CF_AppSession=[0-9a-f]{32}; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"
        assert re.fullmatch(form, first)
        assert first != second

    def test_comes_with_no_other_answer(self, edge: Emulator, connect: Connect) -> None:
        refused = connect(edge).get("/", headers={"X-Requested-With": "XMLHttpRequest"})
        assert "set-cookie" not in refused.headers


class TestBinding:
    def test_the_token_counts_together_with_it_only(self, edge: Emulator, connect: Connect) -> None:
        browser = connect(edge)
        cookies = signed_in(browser, "/bound").headers.get_list("set-cookie")
        assert [value.partition("=")[0] for value in cookies] == ["CF_Authorization", "CF_Binding"]
        assert cookies[1].endswith("; Path=/; HttpOnly; SameSite=Lax")
        assert browser.get("/bound").status_code == 201
        stolen = {"Cookie": f"CF_Authorization={browser.cookies['CF_Authorization']}"}
        assert connect(edge).get("/bound", headers=stolen).status_code == 302

    @pytest.mark.parametrize("value", ["", "x", "\xff", "0" * 64])
    def test_another_one_is_none(self, edge: Emulator, connect: Connect, value: str) -> None:
        token = edge.issuer.user(audience=_BOUND.audience)
        header = f"CF_Authorization={token}; CF_Binding={value}".encode("latin-1")
        assert connect(edge).get("/bound", headers={b"Cookie": header}).status_code == 302

    def test_it_is_bound_to_one_session(self, edge: Emulator, connect: Connect) -> None:
        mine, theirs = connect(edge), connect(edge)
        signed_in(mine, "/bound")
        signed_in(theirs, "/bound")
        mixed = f"CF_Authorization={theirs.cookies['CF_Authorization']}; CF_Binding={mine.cookies['CF_Binding']}"
        assert connect(edge).get("/bound", headers={"Cookie": mixed}).status_code == 302

    def test_the_application_never_sees_it(self, edge: Emulator, connect: Connect) -> None:
        browser = connect(edge)
        signed_in(browser, "/bound")
        token, binding = browser.cookies["CF_Authorization"], browser.cookies["CF_Binding"]
        sent = connect(edge).get(
            "/bound", headers={"Cookie": f'a=1; CF_Binding={binding};  CF_Authorization={token}; b="2"'}
        )
        assert dict(sent.json()["headers"])["cookie"] == f'a=1;  CF_Authorization={token}; b="2"'


@pytest.mark.parametrize(
    ("given", "left"),
    [
        pytest.param(b"CF_Binding=x", [], id="alone"),
        pytest.param(b"a=1;  b=2 ;c", [b"a=1;  b=2 ;c"], id="none, byte for byte"),
        pytest.param(b"CF_Binding=x; a=1", [b"a=1"], id="first"),
        pytest.param(b"a=CF_Binding", [b"a=CF_Binding"], id="in a value"),
        pytest.param(b"CF_Bindings=1; CF_Binding = 2", [b"CF_Bindings=1"], id="only this name"),
    ],
)
def test_without_binding(given: bytes, left: list[bytes]) -> None:
    other = (b"x", b"CF_Binding=1")
    assert cookie.without_binding([(b"cookie", given), other]) == [*((b"cookie", value) for value in left), other]


class TestTheTeamsOwnHost:
    """The global session (``type`` ``org``) and its cookie, on a host of the team's own."""

    @pytest.mark.parametrize("name", ["Acme.localhost", "acme.localhost:80", "a b", "", "[::1"])
    def test_has_a_name(self, emulate: Emulate, name: str) -> None:
        with pytest.raises(ConfigurationError, match="team_host: must be a lower-case host name without port"):
            emulate(team_host=name)

    def test_may_be_any_name(self, emulate: Emulate, connect: Connect) -> None:
        client = connect(emulate(team_host="login.test"))
        assert client.get("/cdn-cgi/access/certs", headers={"Host": "login.test"}).status_code == 200
        assert client.get("/cdn-cgi/access/certs", headers={"Host": "other.test"}).status_code == 421

    def test_without_one_there_is_no_session(self, emulate: Emulate, connect: Connect) -> None:
        emulator = emulate()
        client = connect(emulator)
        login = client.get("/").headers["location"]
        session = emulator.issuer.organisation(audience=emulator.issuer.organisation_audience)
        assert client.get(login, headers={"Cookie": f"CF_Authorization={session}"}).status_code == 200
        assert "set-cookie" not in client.post(login, data={"email": "a@b"}).headers

    @pytest.fixture
    def browser(self, emulate: Emulate, connect: Connect) -> "Browser":
        emulator = emulate(
            team_host="acme.localhost", applications=[Application(), Application(path="/b", audience="b" * 64)]
        )
        return Browser(emulator, connect(emulator))

    def test_the_login_page_is_there(self, browser: "Browser") -> None:
        assert browser.go("app.localhost", "/").headers["location"].startswith("http://acme.localhost:")

    def test_no_application_is(self, browser: "Browser") -> None:
        assert "<title>" in browser.go("acme.localhost", "/").text  # the launcher
        assert browser.go("acme.localhost", "/b").status_code == 404
        assert browser.go("app.localhost", "/b").status_code == 302

    def test_a_login_leaves_a_session_that_opens_the_next_application(self, browser: "Browser") -> None:
        landed = browser.sign_in("app.localhost", "/x?y=1", email="bob@example.com")
        assert landed.headers["location"] == "/x?y=1"
        claims = jwt.decode(browser.cookie("acme.localhost"), options={"verify_signature": False})
        assert (claims["type"], claims["email"]) == ("org", "bob@example.com")
        assert claims["aud"] == [browser.emulator.issuer.organisation_audience]
        # another application asks for nothing: the page is answered with the way back
        login = browser.go("app.localhost", "/b").headers["location"]
        authorized = browser.follow(login)
        assert authorized.status_code == 303
        browser.follow(authorized.headers["location"])
        token = jwt.decode(browser.cookie("app.localhost"), options={"verify_signature": False})
        assert (token["email"], token["aud"], token["type"]) == ("bob@example.com", ["b" * 64], "app")

    def test_the_session_opens_no_application_by_itself(self, browser: "Browser") -> None:
        browser.sign_in("app.localhost", "/")
        session = {"Cookie": f"CF_Authorization={browser.cookie('acme.localhost')}"}
        assert browser.client.get("/", headers=session).status_code == 302
        assert browser.client.get("/cdn-cgi/access/get-identity", headers=session).status_code == 400

    def test_a_session_of_one_s_own_making_is_none(self, browser: "Browser") -> None:
        login = browser.go("app.localhost", "/").headers["location"]
        forged = browser.emulator.issuer.user(audience=DEFAULT_AUDIENCE)
        browser.cookies["acme.localhost"] = f"CF_Authorization={forged}"
        assert browser.follow(login).status_code == 200

    def test_signing_out_there_ends_everything(self, browser: "Browser") -> None:
        browser.sign_in("app.localhost", "/")
        assert browser.go("app.localhost", "/").status_code == 201
        browser.go("acme.localhost", "/cdn-cgi/access/logout")
        answer = browser.go("app.localhost", "/")
        assert answer.status_code == 302
        browser.cookies["acme.localhost"] = browser.former["acme.localhost"]  # as somebody would who had copied it
        assert browser.follow(answer.headers["location"]).status_code == 200

    def test_signing_out_at_an_application_ends_everything_too(self, browser: "Browser") -> None:
        browser.sign_in("app.localhost", "/")
        browser.go("app.localhost", "/cdn-cgi/access/logout")
        login = browser.go("app.localhost", "/").headers["location"]
        assert browser.follow(login).status_code == 200  # the page, and not the way back

    def test_a_revocation_by_nonce_ends_it_too(self, browser: "Browser") -> None:
        browser.sign_in("app.localhost", "/")
        token = jwt.decode(browser.cookie("app.localhost"), options={"verify_signature": False})
        browser.emulator.revoke(nonce=token["identity_nonce"])
        login = browser.go("app.localhost", "/").headers["location"]
        assert browser.follow(login).status_code == 200

    def test_whoever_signs_in_again_in_the_same_second_has_one(self, browser: "Browser") -> None:
        browser.sign_in("app.localhost", "/")
        browser.go("acme.localhost", "/cdn-cgi/access/logout")
        browser.sign_in("app.localhost", "/")  # the clock stands still
        login = browser.go("app.localhost", "/b").headers["location"]
        assert browser.follow(login).status_code == 303

    def test_a_failed_login_leaves_none(self, browser: "Browser") -> None:
        login = browser.go("app.localhost", "/").headers["location"]
        browser.follow(login, method="POST", data={"other": "no address"})
        assert "acme.localhost" not in browser.cookies


class Browser:
    """Keeps a cookie for each host, and finds all of them at one address."""

    def __init__(self, emulator: Emulator, client: httpx.Client) -> None:
        self.emulator = emulator
        self.client = client
        self.cookies: dict[str, str] = {}
        self.former: dict[str, str] = {}

    def go(self, host: str, path: str, *, method: str = "GET", data: dict[str, str] | None = None) -> httpx.Response:
        port = self.emulator.url.rpartition(":")[2]
        headers = {"Host": f"{host}:{port}", "Cookie": self.cookies.get(host, "")}
        response = self.client.request(method, path, headers=headers, data=data)
        self.client.cookies.clear()
        for value in response.headers.get_list("set-cookie"):
            if value.startswith("CF_Authorization="):
                self.former[host] = self.cookies.get(host, "")
                self.cookies[host] = value.partition(";")[0]
        return response

    def follow(self, url: str, *, method: str = "GET", data: dict[str, str] | None = None) -> httpx.Response:
        parts = httpx.URL(url)
        return self.go(parts.host, parts.raw_path.decode(), method=method, data=data)

    def sign_in(self, host: str, path: str, *, email: str = DEFAULT_USERS[0].email) -> httpx.Response:
        authorized = self.follow(self.go(host, path).headers["location"], method="POST", data={"email": email})
        return self.follow(authorized.headers["location"])

    def cookie(self, host: str) -> str:
        return self.cookies[host].removeprefix("CF_Authorization=")
