"""Does the project hold on the servers that people run it on, behind an emulated Access?

They see what a test client does not: headers in every spelling, and what the server makes of them.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from cfaccess_mw.emulator.issuer import Issuer
from tests.examples.catalogue import Example
from tests.examples.process import Running, running, skip_what_is_missing

ALICE, BOB = "alice@example.com", "bob@example.com"

SERVERS = {
    "runserver": "python manage.py runserver --noreload",
    "gunicorn": "gunicorn project.wsgi:application",
    "uvicorn": "uvicorn project.asgi:application",
}

FORGED = [
    pytest.param({"Remote-User": ALICE}, id="remote-user"),
    pytest.param({"REMOTE_USER": ALICE}, id="remote-user-underscored"),
    pytest.param({"Cf-Access-Authenticated-User-Email": ALICE}, id="email"),
    pytest.param({"cf_access_authenticated_user_email": ALICE}, id="email-underscored"),
    pytest.param({"Cf-Access-Jwt-Assertion": "eyJhbGciOiJub25lIn0.e30."}, id="unsigned"),
    pytest.param({"Cookie": "CF_Authorization=x; sessionid=x"}, id="cookies"),
    pytest.param({"X-Original-URL": "/healthz", "X-Rewrite-URL": "/healthz"}, id="another-url"),
    pytest.param({"X-HTTP-Method-Override": "OPTIONS"}, id="another-method"),
]

Browser = Callable[[str], httpx.Client]


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The example on a server."""
    run = SERVERS[request.param]
    package = () if request.param == "runserver" else (str(request.param),)
    example = Example(name="django", needs=("django", *package), run=run, file="manage.py")
    skip_what_is_missing(example)
    log = tmp_path_factory.mktemp("django") / f"{request.param}.log"
    with running(example, Issuer("acme"), log) as found:
        yield found


@pytest.fixture(scope="module")
def browser(server: Running) -> Iterator[Browser]:
    """Browsers, each of somebody who has signed in at the edge."""
    with ExitStack() as stack:

        def of(email: str) -> httpx.Client:
            headers = {"Accept": "text/html"}
            client = stack.enter_context(httpx.Client(base_url=server.edge, trust_env=False, headers=headers))
            client.post(client.get("/").headers["location"], data={"email": email}, follow_redirects=True)
            return client

        yield of


@pytest.fixture(scope="module")
def bob(browser: Browser) -> httpx.Client:
    """Somebody who is signed in, and is no member of the group."""
    return browser(BOB)


@pytest.mark.parametrize("headers", FORGED)
@pytest.mark.parametrize("path", ["/whoami", "/admin/"])
def test_nobody_gets_in_by_header(server: Running, path: str, headers: dict[str, str]) -> None:
    assert httpx.get(server.origin + path, headers=headers, trust_env=False).status_code == 401


@pytest.mark.parametrize("headers", FORGED)
def test_nobody_becomes_somebody_else_by_header(bob: httpx.Client, headers: dict[str, str]) -> None:
    given = {name: value for name, value in headers.items() if name != "Cookie"}
    assert bob.get("/whoami", headers=given).json()["email"] == BOB
    assert bob.get("/staff", headers=given).status_code == 403


def test_the_admin_is_entered_without_a_password(browser: Browser, bob: httpx.Client) -> None:
    page = browser(ALICE).get("/admin/", follow_redirects=True)
    assert page.status_code == 200
    assert "Site administration" in page.text
    refused = bob.get("/admin/", follow_redirects=True)
    assert refused.status_code == 403
    assert "password" not in refused.text.lower()


def test_logging_out_of_the_admin_logs_out_of_access(browser: Browser, server: Running) -> None:
    client = browser(ALICE)
    client.get("/admin/")
    token = client.cookies["csrftoken"]
    answer = client.post("/admin/logout/", data={"csrfmiddlewaretoken": token}, follow_redirects=True)
    assert answer.request.url.path == "/cdn-cgi/access/logout"
    assert "sessionid" not in client.cookies
    assert "/cdn-cgi/access/login/" in client.get("/admin/").headers["location"]
