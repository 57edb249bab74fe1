"""What is answered below ``/cdn-cgi/access/``, over real sockets."""

import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, Application, audience_for
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.emulator.conftest import APPLICATIONS, ROBOT, Clock, Connect, Emulate

VECTORS = Path(__file__).parent.parent / "vectors" / "cloudflare"
LOGIN = "/cdn-cgi/access/login/127.0.0.1"


def sign_in(client: httpx.Client, path: str = "/", **fields: str) -> httpx.Response:
    """Walk from the application to the login page and back, as a browser does."""
    login = client.get(path).headers["location"]
    authorized = client.post(login, data=fields or {"email": "alice@example.com"})
    assert authorized.status_code == 303
    return client.get(authorized.headers["location"])


def claims(client: httpx.Client) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(client.cookies["CF_Authorization"], options={"verify_signature": False})
    return decoded


class TestCerts:
    def test_a_library_s_own_client_finds_the_key_and_verifies(self, emulator: Emulator) -> None:
        token = emulator.issuer.user(audience=DEFAULT_AUDIENCE)
        key = jwt.PyJWKClient(emulator.certs_url).get_signing_key_from_jwt(token)
        verified = jwt.decode(token, key, algorithms=["RS256"], audience=DEFAULT_AUDIENCE, issuer=emulator.issuer.iss)
        assert verified["email"] == "user@example.com"

    def test_is_json_on_every_host(self, emulator: Emulator, client: httpx.Client) -> None:
        for host in ("127.0.0.1", "wiki.test"):
            response = client.get("/cdn-cgi/access/certs", headers={"Host": host})
            assert response.headers["content-type"] == "application/json"
            assert response.json() == emulator.issuer.certs()

    def test_a_rotation_is_served_at_once(
        self, emulate: Emulate, connect: Connect, signing_keys: list[SigningKey]
    ) -> None:
        emulator = emulate()
        client = connect(emulator)
        emulator.issuer.rotate(signing_keys[2])
        served = [key["kid"] for key in client.get("/cdn-cgi/access/certs").json()["keys"]]
        assert served == [signing_keys[0].kid, signing_keys[2].kid]

    @pytest.mark.parametrize("status", [503, 404, 500])
    def test_down_and_up_again(self, emulate: Emulate, connect: Connect, status: int) -> None:
        emulator = emulate()
        client = connect(emulator)
        emulator.certs_down(status=status)
        assert client.get("/cdn-cgi/access/certs").status_code == status
        emulator.certs_up()
        assert client.get("/cdn-cgi/access/certs").status_code == 200

    def test_breaking_off(self, emulate: Emulate, connect: Connect) -> None:
        emulator = emulate()
        client = connect(emulator)
        emulator.certs_down(status=None)
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/cdn-cgi/access/certs")
        emulator.certs_up()
        assert client.get("/cdn-cgi/access/certs").status_code == 200

    def test_down_is_503_unless_said_otherwise(self, emulate: Emulate, connect: Connect) -> None:
        emulator = emulate()
        emulator.certs_down()
        assert connect(emulator).get("/cdn-cgi/access/certs").status_code == 503


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

    @pytest.mark.parametrize("fields", [{}, {"email": ""}, {"other": "no address"}, {"other": "<script>@x y"}])
    def test_nobody_is_asked_again(self, client: httpx.Client, fields: dict[str, str]) -> None:
        response = client.post(LOGIN, data=fields)
        assert response.status_code == 422
        assert 'role="alert"' in response.text
        assert 'aria-describedby="error"' in response.text
        assert "<script>" not in response.text
        assert " checked" not in response.text

    def test_the_page_names_everything_escapes_everything_and_runs_nothing(self, client: httpx.Client) -> None:
        response = client.get(LOGIN)
        assert "Sign in to Payroll &lt;&amp;&gt;" in response.text
        for email in ("alice@example.com", "bob@example.com", "carol@example.com"):
            assert f'value="{email}"' in response.text
        assert response.text.count(" checked") == 1
        assert "admins, staff" in response.text
        assert "<script" not in response.text
        assert 'lang="en"' in response.text
        policy = response.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; form-action ")
        assert "frame-ancestors 'none'" in policy
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "same-origin"
        assert response.headers["x-content-type-options"] == "nosniff"

    def test_every_control_has_a_label(self, client: httpx.Client) -> None:
        text = client.get(LOGIN).text
        assert len(re.findall(r'<label class="choice">\s*<input type="radio"', text)) == text.count('type="radio"') == 3
        assert '<label for="other">' in text
        assert '<input id="other"' in text
        assert "<legend>" in text

    def test_without_users_an_address_can_be_given(self, emulate: Emulate, connect: Connect) -> None:
        client = connect(emulate(users=()))
        assert client.get(LOGIN).status_code == 200
        sign_in(client, other="zoe@example.com")
        assert claims(client)["email"] == "zoe@example.com"

    def test_style_sheet(self, client: httpx.Client) -> None:
        response = client.get("/cdn-cgi/access/style.css")
        assert response.headers["content-type"].startswith("text/css")
        assert "prefers-color-scheme: dark" in response.text


class TestLogout:
    def test_takes_the_cookies_away_and_ends_the_session_for_all_applications(self, client: httpx.Client) -> None:
        sign_in(client, "/")
        first = client.cookies["CF_Authorization"]
        sign_in(client, "/api/x")
        response = client.get("/cdn-cgi/access/logout")
        assert response.status_code == 200
        assert response.headers.get_list("set-cookie") == [
            "CF_Authorization=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
            "CF_Authorization=; Path=/admin; Max-Age=0; HttpOnly; SameSite=Lax",
        ]
        assert "CF_Authorization" not in client.cookies
        assert client.get("/", headers={"Cookie": f"CF_Authorization={first}"}).status_code == 302

    def test_leaves_others_signed_in(self, emulator: Emulator, connect: Connect) -> None:
        one, other = connect(emulator), connect(emulator)
        sign_in(one, email="leaver@example.com", other="leaver@example.com")
        sign_in(other, email="stayer@example.com", other="stayer@example.com")
        one.get("/cdn-cgi/access/logout")
        assert other.get("/").status_code == 201

    def test_ends_a_token_that_was_minted_elsewhere(self, client: httpx.Client, alice: httpx.Client) -> None:
        assert alice.get("/").status_code == 201
        alice.get("/cdn-cgi/access/logout")
        assert alice.get("/").status_code == 302

    def test_without_a_cookie_or_with_a_service_s_is_harmless(self, emulator: Emulator, client: httpx.Client) -> None:
        token = emulator.issuer.service(ROBOT.client_id, audience=DEFAULT_AUDIENCE)
        robot = {"Cookie": f"CF_Authorization={token}"}
        assert client.get("/cdn-cgi/access/logout").status_code == 200
        assert client.get("/cdn-cgi/access/logout", headers=robot).status_code == 200
        assert client.get("/", headers=robot).status_code == 201


class TestGetIdentity:
    def test_has_the_documented_fields_only(self, client: httpx.Client) -> None:
        sign_in(client, email="bob@example.com")
        response = client.get("/cdn-cgi/access/get-identity")
        profile = response.json()
        assert set(profile) <= set(json.loads((VECTORS / "get_identity_shape.json").read_text()))
        assert response.headers["cache-control"] == "no-store"
        said = claims(client)
        assert profile["email"] == "bob@example.com"
        assert profile["id"] == profile["user_uuid"] == said["sub"]
        assert profile["iat"] == said["iat"]
        assert profile["groups"] == ["staff"]
        assert profile["name"] == "Bob Builder"
        assert profile["geo"] == {"country": "DE"}
        assert profile["ip"] == "127.0.0.1"
        assert set(profile["idp"]) == {"id", "type"}
        assert "oidc_fields" not in profile

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more than one loopback address by itself")
    def test_says_from_where_the_user_signed_in(
        self, emulator: Emulator, client: httpx.Client, connect: Connect
    ) -> None:
        sign_in(client)
        elsewhere = connect(emulator, transport=httpx.HTTPTransport(local_address="127.0.0.2"))
        session = {"Cookie": f"CF_Authorization={client.cookies['CF_Authorization']}"}
        minted = {"Cookie": f"CF_Authorization={emulator.issuer.user(audience=DEFAULT_AUDIENCE)}"}
        seen = [elsewhere.get("/cdn-cgi/access/get-identity", headers=who).json()["ip"] for who in (session, minted)]
        assert seen == ["127.0.0.1", "127.0.0.2"]

    def test_gives_a_user_s_groups_claims_and_own_fields(self, client: httpx.Client) -> None:
        sign_in(client, email="carol@example.com")
        profile = client.get("/cdn-cgi/access/get-identity").json()
        assert profile["groups"] == [{"id": "g1", "name": "staff", "email": "staff@example.com"}]
        assert profile["oidc_fields"] == {"department": "R&D"}
        assert profile["is_warp"] is True

    @pytest.mark.parametrize(
        ("email", "name", "country"),
        [
            pytest.param("Alice@example.com", "Alice Admin", "US", id="a known address"),
            pytest.param("zoe@example.com", "", "FR", id="an unknown address"),
        ],
    )
    def test_knows_a_token_that_was_minted_elsewhere(
        self, emulator: Emulator, client: httpx.Client, email: str, name: str, country: str
    ) -> None:
        token = emulator.issuer.user(email, audience=DEFAULT_AUDIENCE, country="FR")
        profile = client.get("/cdn-cgi/access/get-identity", headers={"Cookie": f"CF_Authorization={token}"}).json()
        assert (profile["name"], profile["geo"]["country"]) == (name, country)

    def test_of_a_service(self, emulator: Emulator, client: httpx.Client) -> None:
        token = emulator.issuer.service(ROBOT.client_id, audience=DEFAULT_AUDIENCE)
        profile = client.get("/cdn-cgi/access/get-identity", headers={"Cookie": f"CF_Authorization={token}"}).json()
        assert profile["service_token_id"] == ROBOT.client_id
        assert profile["service_token_status"] is True
        assert "email" not in profile

    @pytest.mark.parametrize("kind", ["none", "garbage", "org", "expired", "revoked", "nobody"])
    def test_nobody_is_nobody(self, emulator: Emulator, client: httpx.Client, kind: str) -> None:
        issuer = emulator.issuer
        token = {
            "none": "",
            "garbage": "a.b.c",
            "org": issuer.organisation(audience=DEFAULT_AUDIENCE),
            "expired": issuer.user(audience=DEFAULT_AUDIENCE, expires_in=-1),
            "revoked": issuer.user(audience=DEFAULT_AUDIENCE),
            "nobody": issuer.sign(None, {"type": "app", "exp": 9e9, "iat": 1}),
        }[kind]
        headers = {} if kind == "none" else {"Cookie": f"CF_Authorization={token}"}
        if kind == "revoked":
            client.get("/cdn-cgi/access/logout", headers=headers)
        response = client.get("/cdn-cgi/access/get-identity", headers=headers)
        assert response.status_code == 400
        assert response.json() == {"err": "no app token set"}

    def test_the_first_good_one_of_several_cookies(self, emulator: Emulator, client: httpx.Client) -> None:
        good = emulator.issuer.user("zoe@example.com", audience=DEFAULT_AUDIENCE)
        header = {"Cookie": f"CF_Authorization=a.b.c; CF_Authorization={good}"}
        assert client.get("/cdn-cgi/access/get-identity", headers=header).json()["email"] == "zoe@example.com"


class TestRedirectToLogin:
    def test_says_where_and_for_what(self, emulator: Emulator, client: httpx.Client) -> None:
        response = client.get("/admin/%2e/x?y=%20&z")
        assert response.status_code == 302
        location = urlsplit(response.headers["location"])
        query = parse_qs(location.query)
        assert f"{location.scheme}://{location.netloc}" == emulator.url
        assert location.path == LOGIN
        assert set(query) == {"kid", "meta", "redirect_url"}
        assert query["kid"] == [APPLICATIONS[1].audience]
        assert query["redirect_url"] == ["/admin/%2e/x?y=%20&z"]
        meta = jwt.decode(query["meta"][0], options={"verify_signature": False})
        assert meta["type"] == "meta"
        assert response.headers["cf-access-aud"] == APPLICATIONS[1].audience
        assert response.headers["cf-access-domain"] == "127.0.0.1"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["www-authenticate"] == (
            "Cloudflare-Access resource_metadata="
            '"https://127.0.0.1/.well-known/cloudflare-access-protected-resource/admin/./x"'
        )
        assert "cf-access-metadata" not in response.headers

    def test_a_program_gets_401(self, client: httpx.Client) -> None:
        response = client.get("/", headers={"X-Requested-With": "XMLHttpRequest"})
        assert response.status_code == 401
        assert "location" not in response.headers
        assert response.headers["www-authenticate"].startswith("Cloudflare-Access ")

    def test_anybody_may_ask_for_the_metadata_token_and_it_opens_nothing(
        self, emulator: Emulator, client: httpx.Client
    ) -> None:
        asked = client.head("/admin", headers={"Cf-Access-Metadata-Request": "true"})
        token = asked.headers["cf-access-metadata"]
        said = jwt.decode(token, options={"verify_signature": False})
        assert said["aud"] == APPLICATIONS[1].audience
        assert said["type"] == "match"
        assert client.get("/admin", headers={"Cookie": f"CF_Authorization={token}"}).status_code == 302

    def test_expiry(self, emulate: Emulate, connect: Connect) -> None:
        clock = Clock()
        emulator = emulate(clock=clock, applications=[Application(session=60)])
        client = connect(emulator)
        sign_in(client)
        clock.now += 59
        assert client.get("/").status_code == 201
        clock.now += 1
        assert client.get("/").status_code == 302
