"""What is answered below ``/cdn-cgi/access/``, over real sockets."""

import json
import re
import sys
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from cfaccess_mw.emulator import pages
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, Application
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.emulator.conftest import APPLICATIONS, ROBOT, Clock, Connect, Emulate
from tests.emulator.visiting import LOGIN, claims, sign_in

VECTORS = Path(__file__).parent.parent / "vectors" / "cloudflare"


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


class TestLauncher:
    def test_is_the_root_of_the_team_s_own_host(self, emulate: Emulate, connect: Connect) -> None:
        client = connect(emulate(team_host="acme.localhost"), headers={"Host": "acme.localhost:81"})
        assert "<h1>Applications</h1>" in client.get("/").text
        assert 'href="http://localhost:81/"' in client.get("/").text
        assert client.get("/x").status_code == 404

    def test_lists_every_application_where_it_is(self, client: httpx.Client) -> None:
        response = client.get("/cdn-cgi/access/launcher")
        port = client.base_url.port
        assert re.findall(r'<li><a href="([^"]+)">', response.text) == [
            f"http://127.0.0.1:{port}/",
            f"http://127.0.0.1:{port}/admin",
            f"http://127.0.0.1:{port}/api",
            f"http://wiki.test:{port}/",
        ]
        assert "Payroll &lt;&amp;&gt;" in response.text
        assert "signed in" not in response.text

    @pytest.mark.parametrize(
        ("host", "first"),
        [
            pytest.param("app.localhost:81", "http://app.localhost:81/", id="the loopback name in use"),
            pytest.param("wiki.test", "http://localhost/", id="another's host cannot be the one"),
        ],
    )
    def test_an_application_without_a_host(self, client: httpx.Client, host: str, first: str) -> None:
        text = client.get("/cdn-cgi/access/launcher", headers={"Host": host}).text
        assert f'<li><a href="{first}">' in text

    def test_a_path_is_encoded(self, emulate: Emulate, connect: Connect) -> None:
        client = connect(emulate(applications=[Application(path='/a b"c')]))
        assert '/a%20b%22c">' in client.get("/cdn-cgi/access/launcher").text

    def test_says_who_is_signed_in(self, emulator: Emulator, client: httpx.Client) -> None:
        sign_in(client, other="o'hara&co@example.com")
        page = client.get("/cdn-cgi/access/launcher").text
        assert "signed in as <strong>o&#39;hara&amp;co@example.com</strong>" in page
        assert 'href="/cdn-cgi/access/logout"' in page

    def test_of_a_service(self, emulator: Emulator, client: httpx.Client) -> None:
        token = emulator.issuer.service(ROBOT.client_id, audience=DEFAULT_AUDIENCE)
        headers = {"Cookie": f"CF_Authorization=a.b.c; CF_Authorization={token}"}
        assert ROBOT.client_id in client.get("/cdn-cgi/access/launcher", headers=headers).text


class TestEveryPage:
    @pytest.mark.parametrize(
        ("path", "status", "form_action"),
        [
            pytest.param(LOGIN, 200, "'self'", id="login"),
            pytest.param("/cdn-cgi/access/launcher", 200, "'none'", id="launcher"),
            pytest.param("/cdn-cgi/access/logout", 200, "'none'", id="logout"),
            pytest.param("/cdn-cgi/access/authorized", 400, "'none'", id="too old"),
            pytest.param("/cdn-cgi/access/login/evil.test", 404, "'none'", id="refusal"),
        ],
    )
    def test_is_kept_by_nobody_framed_by_nobody_and_runs_nothing(
        self, client: httpx.Client, path: str, status: int, form_action: str
    ) -> None:
        response = client.get(path)
        assert response.status_code == status
        assert response.headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; img-src data:; "
            f"form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
        )
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "same-origin"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "<script" not in response.text
        assert 'lang="en"' in response.text

    def test_has_one_style_sheet_that_a_browser_keeps_until_it_is_another(self, client: httpx.Client) -> None:
        sheets = {
            re.findall(r'rel="stylesheet" href="([^"]+)"', client.get(path).text)[0]
            for path in (LOGIN, "/cdn-cgi/access/launcher")
        }
        [sheet] = sheets
        assert re.fullmatch(r"/cdn-cgi/access/style\.css\?[0-9a-f]{12}", sheet)
        response = client.get(sheet)
        assert response.headers["content-type"].startswith("text/css")
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "prefers-color-scheme: dark" in response.text


class TestRefusal:
    """What the gate answers with."""

    def test_says_who_is_refused_and_how_to_be_somebody_else(self) -> None:
        page = pages.refusal(
            HTTPStatus.FORBIDDEN,
            "No policy lets you in.",
            title="Not <permitted>",
            signed_in_as="<b>@example.com",
            details=[("Application", "<Payroll>")],
        )
        text = bytes(page.body).decode()
        assert page.status_code == 403
        assert "<h1>Not &lt;permitted&gt;</h1>" in text
        assert "signed in as <strong>&lt;b&gt;@example.com</strong>" in text
        assert 'href="/cdn-cgi/access/logout"' in text
        assert "<dt>Application</dt><dd>&lt;Payroll&gt;</dd>" in text
        assert 'href="/cdn-cgi/access/launcher"' in text

    def test_of_nobody_in_particular(self) -> None:
        text = bytes(pages.refusal(HTTPStatus.NOT_FOUND, "There is nothing.").body).decode()
        assert "<h1>Not Found</h1>" in text
        assert "signed in" not in text
        assert "<dl>" not in text


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
        assert "<h1>Signed out</h1>" in response.text
        assert 'href="' + str(client.base_url.copy_with(path="/admin")) in response.text
        assert client.get("/", headers={"Cookie": f"CF_Authorization={first}"}).status_code == 302

    def test_a_page_that_is_fetched_ahead_ends_nothing(self, client: httpx.Client) -> None:
        sign_in(client)
        early = client.get("/cdn-cgi/access/logout", headers={"Sec-Purpose": "prefetch;prerender"})
        assert early.status_code == 403
        assert "set-cookie" not in early.headers
        assert client.get("/").status_code == 201

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
