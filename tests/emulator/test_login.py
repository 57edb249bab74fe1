"""Signing in: what the form takes, who comes back from it, and where to."""

import re
from urllib.parse import urlsplit

import httpx
import jwt
import pytest

from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, Application, audience_for
from cfaccess_mw.emulator.pins import Pins
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.users import User
from tests.emulator.conftest import NOW, Clock, Connect, Emulate
from tests.emulator.visiting import LOGIN, claims, sign_in


class TestLogin:
    def test_the_whole_way_and_the_cookie_it_leaves(self, client: httpx.Client) -> None:
        response = sign_in(client, "/reports/%2e%2e/a%20b?x=%2F&y=1", email="bob@example.com")
        assert response.status_code == 302
        assert response.headers["location"] == "/reports/%2e%2e/a%20b?x=%2F&y=1"
        assert response.headers["cache-control"] == "no-store"
        value, attributes = re.fullmatch(r"CF_Authorization=([\w.-]+); (.*)", response.headers["set-cookie"]).groups()  # type: ignore[union-attr]
        assert attributes == "Path=/; HttpOnly; SameSite=Lax"
        assert value == client.cookies["CF_Authorization"]
        assert client.get("/reports").status_code == 201

    def test_the_token_says_who_was_picked(self, emulator: Emulator, client: httpx.Client) -> None:
        sign_in(client, email="carol@example.com")
        said = claims(client)
        assert said["email"] == "carol@example.com"
        assert said["sub"] == emulator.issuer.subject("carol@example.com")
        assert said["aud"] == [DEFAULT_AUDIENCE]
        assert said["country"] == "US"
        assert said["custom"] == {"department": "R&D"}
        assert said["exp"] - said["iat"] == 86_400

    def test_a_user_s_country_and_an_application_s_session_length(self, client: httpx.Client) -> None:
        sign_in(client, "/api/x", email="bob@example.com")
        said = claims(client)
        assert said["country"] == "DE"
        assert said["exp"] - said["iat"] == 60
        assert said["aud"] == [audience_for(path="/api")]
        assert "custom" not in said

    def test_any_other_address_wins_over_the_one_that_is_picked(self, client: httpx.Client) -> None:
        sign_in(client, email="alice@example.com", other=" dora@example.com ")
        assert claims(client)["email"] == "dora@example.com"

    def test_a_known_address_is_the_known_person(self, client: httpx.Client) -> None:
        sign_in(client, other="Carol@Example.com")
        assert claims(client)["custom"] == {"department": "R&D"}

    def test_a_path_s_own_cookie_goes_to_that_path_only(self, client: httpx.Client) -> None:
        sign_in(client, "/")
        assert "; Path=/admin;" in sign_in(client, "/admin/x").headers["set-cookie"]
        # two cookies of one name now, and the edge takes the one for this application
        assert client.get("/admin/x").status_code == 201
        assert client.get("/").status_code == 201

    def test_the_cookie_is_set_on_the_application_s_own_host(self, client: httpx.Client) -> None:
        shown = client.get("/cdn-cgi/access/login/wiki.test", params={"redirect_url": "/page"})
        assert "Sign in to Wiki" in shown.text
        [action] = re.findall(r"form-action ([^;]+);", shown.headers["content-security-policy"])
        answer = client.post("/cdn-cgi/access/login/wiki.test?redirect_url=/page", data={"email": "bob@example.com"})
        back = urlsplit(answer.headers["location"])
        assert back.hostname == "wiki.test"
        assert action == f"'self' http://{back.netloc}"
        assert back.port == client.base_url.port
        authorized = f"{back.path}?{back.query}"
        response = client.get(authorized, headers={"Host": back.netloc})
        assert response.headers["location"] == "/page"
        assert jwt.decode(
            response.headers["set-cookie"].split("=", 1)[1].split(";")[0], options={"verify_signature": False}
        )["aud"] == [audience_for("wiki.test")]

    def test_a_grant_is_good_once(self, client: httpx.Client) -> None:
        authorized = client.post(LOGIN, data={"email": "alice@example.com"}).headers["location"]
        assert client.get(authorized).status_code == 302
        assert client.get(authorized).status_code == 400

    @pytest.mark.parametrize("query", ["", "?grant=guess"])
    def test_no_grant_no_cookie(self, client: httpx.Client, query: str) -> None:
        response = client.get(f"/cdn-cgi/access/authorized{query}")
        assert response.status_code == 400
        assert "set-cookie" not in response.headers

    @pytest.mark.parametrize(
        "url", ["//evil.test", "/\\evil.test", "https://evil.test/", "evil", "", "/\t/evil.test", "/\r\nX: y"]
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_redirect_elsewhere_is_refused(self, client: httpx.Client, method: str, url: str) -> None:
        response = client.request(method, LOGIN, params={"redirect_url": url}, data={"email": "alice@example.com"})
        assert response.status_code == 400

    @pytest.mark.parametrize(
        ("host", "kid", "status"),
        [
            pytest.param("127.0.0.1", None, 200, id="by host and path"),
            pytest.param("app.localhost", None, 200, id="another loopback name"),
            pytest.param("127.0.0.1", DEFAULT_AUDIENCE, 200, id="by audience"),
            pytest.param("WIKI.test", audience_for("wiki.test"), 200, id="a named host, in any case"),
            pytest.param("127.0.0.1", "0" * 64, 404, id="an unknown audience"),
            pytest.param("127.0.0.1", audience_for("wiki.test"), 404, id="an audience of another host"),
            pytest.param("evil.test", None, 404, id="a strange host"),
            pytest.param("evil.test", DEFAULT_AUDIENCE, 404, id="a strange host with a known audience"),
        ],
    )
    def test_which_application(self, client: httpx.Client, host: str, kid: str | None, status: int) -> None:
        params = {} if kid is None else {"kid": kid}
        assert client.get(f"/cdn-cgi/access/login/{host}", params=params).status_code == status

    def test_a_host_without_an_application_at_that_path(self, emulate: Emulate, connect: Connect) -> None:
        client = connect(emulate(applications=[Application(path="/app")]))
        assert client.get(LOGIN, params={"redirect_url": "/other"}).status_code == 404
        assert client.get(LOGIN, params={"redirect_url": "/app/x?y"}).status_code == 200

    @pytest.mark.parametrize(
        ("origin", "status"),
        [
            pytest.param(None, 303, id="no browser"),
            pytest.param("own", 303, id="this page"),
            pytest.param("https://evil.test", 403, id="another site"),
            pytest.param("null", 403, id="an opaque origin"),
            pytest.param("http://127.0.0.1", 403, id="another port"),
        ],
    )
    def test_the_form_is_taken_from_this_page_only(
        self, emulator: Emulator, client: httpx.Client, origin: str | None, status: int
    ) -> None:
        headers = {} if origin is None else {"Origin": emulator.url if origin == "own" else origin}
        assert client.post(LOGIN, data={"email": "alice@example.com"}, headers=headers).status_code == status

    @pytest.mark.parametrize(
        "fields",
        [{}, {"email": ""}, {"other": "no address"}, {"other": "<script>@x y"}, {"other": "no", "step": "pin"}],
    )
    def test_nobody_is_asked_again(self, client: httpx.Client, fields: dict[str, str]) -> None:
        response = client.post(LOGIN, data=fields)
        assert response.status_code == 422
        assert "<title>Error: Sign in to Payroll" in response.text
        assert 'aria-invalid="true" aria-describedby="error" autofocus' in response.text
        assert "such as alice@example.com" in response.text
        assert "<script>" not in response.text
        assert "set-cookie" not in response.headers

    def test_the_page_names_everything_escapes_everything_and_runs_nothing(self, client: httpx.Client) -> None:
        response = client.get(LOGIN)
        assert "Sign in to Payroll &lt;&amp;&gt;" in response.text
        for email in ("alice@example.com", "bob@example.com", "carol@example.com"):
            assert f'value="{email}"' in response.text
        assert response.text.count(" checked") == 1
        assert "Groups: admins, staff" in response.text
        assert "<script" not in response.text
        assert "Error" not in response.text

    def test_without_groups_a_name_or_a_country(self, emulate: Emulate, connect: Connect) -> None:
        text = connect(emulate(users=[User(email="zoe@example.com", country="")])).get(LOGIN).text
        assert text.count("zoe@example.com") == 2
        assert "No groups</span>" in text

    def test_without_users_an_address_can_be_given(self, emulate: Emulate, connect: Connect) -> None:
        client = connect(emulate(users=()))
        assert client.get(LOGIN).status_code == 200
        sign_in(client, other="zoe@example.com")
        assert claims(client)["email"] == "zoe@example.com"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.test%3f.localhost",
        "evil.test%23.localhost",
        "evil.test%5c.localhost",
        "u%40evil.test%3f.localhost",
        "x;%20script-src%20*%20.localhost",
        "x%0d%0aSet-Cookie:%20a=b.localhost",
        "[::1%25evil]",
    ],
)
def test_a_host_that_leads_elsewhere_has_no_login_page(client: httpx.Client, method: str, host: str) -> None:
    response = client.request(method, f"/cdn-cgi/access/login/{host}", data={"email": "alice@example.com"})
    assert response.status_code == 404
    assert "evil" not in response.headers.get("location", "") + response.headers["content-security-policy"]


class TestPin:
    """The second step, for the look of it."""

    def ask(self, client: httpx.Client, email: str = "dora@example.com") -> tuple[str, str]:
        response = client.post(LOGIN, data={"other": email, "step": "pin"})
        assert response.status_code == 200
        [pin] = re.findall(r"<strong>(\d{3} \d{3})</strong>", response.text)
        [challenge] = re.findall(r'name="challenge" value="([^"]+)"', response.text)
        return challenge, pin

    @pytest.mark.parametrize("typed", ["{}", " {} ", "{0[0]}{0[1]} {0[2]}{0[4]}{0[5]}{0[6]}"])
    def test_lets_in_who_types_it(self, client: httpx.Client, typed: str) -> None:
        challenge, pin = self.ask(client)
        authorized = client.post(LOGIN, data={"challenge": challenge, "pin": typed.format(pin)})
        assert authorized.status_code == 303
        client.get(authorized.headers["location"])
        assert claims(client)["email"] == "dora@example.com"

    def test_of_a_known_person(self, client: httpx.Client) -> None:
        challenge, pin = self.ask(client, "Carol@Example.com")
        client.get(client.post(LOGIN, data={"challenge": challenge, "pin": pin}).headers["location"])
        assert claims(client)["custom"] == {"department": "R&D"}

    @pytest.mark.parametrize("typed", ["", "12345", "not a number", "\uff10\uff11\uff12", "<script>"])
    def test_a_wrong_one_is_asked_for_again(self, client: httpx.Client, typed: str) -> None:
        challenge, pin = self.ask(client)
        again = client.post(LOGIN, data={"challenge": challenge, "pin": typed})
        assert again.status_code == 422
        assert "<title>Error: Enter" in again.text
        assert 'aria-describedby="error mail" aria-invalid="true"' in again.text
        assert "<script>" not in again.text
        assert client.post(LOGIN, data={"challenge": challenge, "pin": pin}).status_code == 303

    def test_is_good_once(self, client: httpx.Client) -> None:
        challenge, pin = self.ask(client)
        assert client.post(LOGIN, data={"challenge": challenge, "pin": pin}).status_code == 303
        again = client.post(LOGIN, data={"challenge": challenge, "pin": pin})
        assert again.status_code == 422
        assert "Ask for another" in again.text

    @pytest.mark.parametrize(("seconds", "status"), [(599, 303), (600, 422)])
    def test_is_good_for_ten_minutes(self, emulate: Emulate, connect: Connect, seconds: float, status: int) -> None:
        clock = Clock()
        client = connect(emulate(clock=clock))
        challenge, pin = self.ask(client)
        clock.now += seconds
        assert client.post(LOGIN, data={"challenge": challenge, "pin": pin}).status_code == status

    def test_an_old_one_is_forgotten_when_the_next_is_sent(self) -> None:
        pins = Pins()
        old = pins.send("a@example.com", now=NOW)
        new = pins.send("b@example.com", now=NOW + 600)
        assert pins.find(old.challenge, now=NOW) is None
        assert pins.find(new.challenge, now=NOW + 600) == new
        assert new.digits not in repr(new)

    def test_a_challenge_that_nobody_gave(self, client: httpx.Client) -> None:
        assert client.post(LOGIN, data={"challenge": "", "pin": "", "email": "alice@example.com"}).status_code == 422
