"""The plugin in runs of pytest of its own, as a user of the package would have it."""

import importlib.metadata
import inspect
import os
import subprocess
import sys
from pathlib import Path

import httpcore  # noqa: F401 - before pytester forgets what its runs import: httpx keeps its exceptions for good
import pytest

from cfaccess_mw.testing import plugin

pytest_plugins = ["pytester"]

EXAMPLES = Path(__file__).parents[2] / "examples" / "testing"
# The one plugin, and none of what else happens to be installed: their imports would take most of the time.
ALONE = ["-p", "no:cacheprovider", "-p", plugin.__name__]

APPLICATION = """
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from cfaccess_mw import Rule
    from cfaccess_mw.asgi import AccessMiddleware

    async def home(request):
        return PlainTextResponse(request.user.display_name)

    def create_app():
        routes = [Route("/", home), Route("/admin", home)]
        return AccessMiddleware(Starlette(routes=routes), rules=[Rule.allow("/admin", groups=["admins"])])
"""
CLIENT = """
    import pytest
    from starlette.testclient import TestClient
    from application import create_app

    @pytest.fixture
    def client(cfaccess):
        return TestClient(create_app())
"""


@pytest.fixture(autouse=True)
def _run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CFACCESS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.syspath_prepend(pytester.path)
    pytester.makeini("[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n")
    pytester.makepyfile(application=APPLICATION)


def _inside(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments, plugins=[plugin])


def _passes(pytester: pytest.Pytester, *arguments: str, **counts: int) -> pytest.RunResult:
    result = _inside(pytester, *arguments)
    result.assert_outcomes(**(counts or {"passed": 1}))
    return result


def test_it_comes_with_the_package() -> None:
    points = [point for point in importlib.metadata.entry_points(group="pytest11") if point.value == plugin.__name__]
    if not points and os.environ.get("TESTED_PACKAGE") != "wheel":
        pytest.skip("installed from a source tree, before it had a plugin")
    assert [point.name for point in points] == ["cfaccess"]


def test_the_marker_says_who_asks(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CLIENT)
    pytester.makepyfile("""
        import pytest
        access = pytest.mark.cfaccess

        def test_nobody(client):
            assert client.get("/").status_code == 401

        @access(user="alice@example.com", groups=["admins"])
        def test_alice(client):
            assert client.get("/admin").text == "alice@example.com"

        @access(user="bob@example.com")
        def test_bob(client):
            assert client.get("/admin").status_code == 403

        @access
        def test_somebody(client):
            assert client.get("/").text == "user@example.com"

        @access(service=True)
        def test_service(client):
            assert client.get("/").text == "e367826f93b8d71185e03fe518aff3b4.access"

        @access(service="00000000000000000000000000000000.access", claims={"extra": 1})
        def test_this_service(client):
            assert client.get("/").text.startswith("0000")

        @pytest.mark.parametrize("code", [
            pytest.param(code, marks=access(refused=code, user="alice@example.com"))
            for code in ("expired", "wrong-audience", "unknown-key")
        ])
        def test_refused(client, code):
            assert client.get("/").json()["code"] == code

        @access(user="alice@example.com")
        class TestNearest:
            def test_of_the_class(self, client):
                assert client.get("/").text == "alice@example.com"

            @access(user="bob@example.com")
            def test_of_the_function(self, client):
                assert client.get("/").text == "bob@example.com"

            @access(anonymous=True)
            def test_anonymous(self, client):
                assert client.get("/").status_code == 401
    """)
    _passes(pytester, passed=12)


def test_a_client_of_a_wider_scope_is_as_it_was(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest
        from starlette.testclient import TestClient
        from starlette.applications import Starlette
        from cfaccess_mw.asgi import AccessMiddleware

        @pytest.fixture(scope="module")
        def client(cfaccess_kit):
            client = TestClient(AccessMiddleware(Starlette(), **cfaccess_kit.options()))
            return cfaccess_kit.sign_in(client, "alice@example.com")

        def sent(client):
            return client.headers.get("Cf-Access-Jwt-Assertion")

        def test_before(client):
            client.first = sent(client)
            assert client.get("/").status_code == 404

        @pytest.mark.cfaccess(anonymous=True)
        def test_anonymous(client):
            assert sent(client) is None
            assert client.get("/").status_code == 401

        @pytest.mark.cfaccess(user="bob@example.com")
        def test_bob(client):
            assert sent(client) not in (None, client.first)

        @pytest.mark.parametrize("marked", [pytest.param(True, marks=pytest.mark.cfaccess(anonymous=True)), False])
        def test_one_of_two(client, marked):
            assert (sent(client) is None) is marked

        def test_after(client):
            assert sent(client) == client.first
    """)
    _passes(pytester, passed=6)


def test_other_names_and_other_clients(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ncfaccess_clients = api rf\naddopts = --strict-config --strict-markers\n")
    pytester.makeconftest(CLIENT.replace("def client", "def api"))
    pytester.makepyfile("""
        import pytest
        pytestmark = pytest.mark.cfaccess(user="alice@example.com")

        @pytest.fixture
        def client():
            return object()

        def test_named(api, client):
            assert api.get("/").text == "alice@example.com"

        @pytest.fixture
        def own(cfaccess_headers):
            return cfaccess_headers

        def test_headers(own):
            assert list(own) == ["Cf-Access-Jwt-Assertion"]

        @pytest.mark.cfaccess(anonymous=True)
        def test_no_headers(own):
            assert own == {}

        @pytest.mark.usefixtures("api")
        def test_used(request):
            assert "Cf-Access-Jwt-Assertion" in request.getfixturevalue("api").headers
    """)
    _passes(pytester, passed=4)


def test_headers_of_nobody(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(cfaccess_headers): assert cfaccess_headers == {}")
    _passes(pytester)


def test_an_asynchronous_client(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import httpx
        import pytest
        from application import create_app

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.fixture
        async def async_client(cfaccess):
            transport = httpx.ASGITransport(app=create_app())
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                yield client

        @pytest.mark.anyio
        @pytest.mark.cfaccess(user="alice@example.com", groups=["admins"])
        async def test_it(async_client):
            assert (await async_client.get("/admin")).text == "alice@example.com"
    """)
    _passes(pytester, "-p", "anyio")


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        pytest.param('(user="a@b.c", service=True)', "name one of user, service, anonymous", id="two"),
        pytest.param('("a@b.c")', "name one of user, service, anonymous", id="positional"),
        pytest.param("(user=None)", "user is None; give an e-mail address", id="none"),
        pytest.param("(user=True)", "user is a boolean; give an e-mail address", id="true-user"),
        pytest.param("(anonymous=False)", "anonymous is a boolean; give True", id="anonymous"),
        pytest.param('(anonymous=True, groups=["a"])', "groups is of nobody", id="details-of-nobody"),
        pytest.param('(user="a@b.c", group=["a"])', "unexpected keyword argument 'group'", id="unknown"),
        pytest.param('(service=True, groups=["a"])', "unexpected keyword argument 'groups'", id="groups-of-service"),
        pytest.param('(refused="tired")', "code: is text of 5 characters that no token causes", id="code"),
        pytest.param('(user="alice")', "user is text of 5 characters; give an e-mail address", id="no-address"),
        pytest.param('(user="a@b@c")', "email: must have one '@'", id="bad-address"),
        pytest.param(
            '(service="alice")', "who: is text of 5 characters; give an e-mail address, a Client ID", id="no-id"
        ),
        pytest.param(
            '(service="a@b.c")', "service is text of 5 characters; give True or a Client ID", id="address-as-id"
        ),
    ],
)
def test_mistakes_in_a_marker(pytester: pytest.Pytester, marker: str, said: str) -> None:
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.cfaccess{marker}
        def test_it(cfaccess_headers):
            pass
    """)
    result = _passes(pytester, errors=1)
    result.stdout.fnmatch_lines([f"*{said.translate({ord('['): '[[]'})}*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_marker_without_effect_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import unittest
        import pytest

        @pytest.mark.cfaccess(user="alice@example.com")
        def test_it(cfaccess):
            pass

        @pytest.mark.cfaccess
        class TestIt(unittest.TestCase):
            def test_it(self):
                pass
    """)
    result = _passes(pytester, errors=2)
    result.stdout.fnmatch_lines(
        ["*has none of the fixtures client, async_client; name its client in cfaccess_clients*"]
    )


def test_the_environment_comes_first_and_goes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import os
        import pytest
        from application import create_app

        @pytest.fixture
        def app():
            return create_app()

        @pytest.fixture(scope="module")
        def wide():
            return create_app()

        @pytest.mark.parametrize("times", [1, 2])
        def test_an_application_that_asks_for_nothing(times, wide, app, cfaccess_user_token):
            assert app.protection.verify(cfaccess_user_token).email == "user@example.com"
            assert wide.protection.verify(cfaccess_user_token).email == "user@example.com"

        def test_afterwards():
            assert not [name for name in os.environ if name.startswith("CFACCESS_")]

        def test_wide_kits_leave_it_alone(cfaccess_kit):
            test_afterwards()
    """)
    _passes(pytester, passed=4)


def test_what_a_test_did_is_forgotten(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest
        seen = []

        @pytest.mark.parametrize("times", [1, 2])
        def test_it(cfaccess, times):
            for token in seen:
                assert cfaccess.sessions.reply(token).status == 200
            seen.append(cfaccess.user("alice@example.com"))
            cfaccess.end_session("alice@example.com")
            assert cfaccess.sessions.reply(seen[-1]).status == 400
    """)
    _passes(pytester, passed=2)


def test_every_token_by_its_fixture(pytester: pytest.Pytester) -> None:
    kinds = [name for name in vars(plugin) if name.endswith("_token") and name.startswith("cfaccess_")]
    good = {"cfaccess_user_token", "cfaccess_service_token", "cfaccess_rotated_token"}
    assert len(kinds) == 12
    assert all(kind in inspect.getdoc(plugin) for kind in kinds)  # type: ignore[operator]
    pytester.makepyfile(f"""
        import pytest
        from cfaccess_mw import Refused
        from cfaccess_mw.protection import Protection

        @pytest.mark.parametrize("name", {kinds})
        def test_it(request, cfaccess, name):
            token = request.getfixturevalue(name)
            try:
                Protection(cfaccess.config()).verify(token)
            except Refused:
                assert name not in {good}
            else:
                assert name in {good}
    """)
    _passes(pytester, passed=len(kinds))


def test_options(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ncfaccess_team = blue\ncfaccess_audience = one two\n")
    pytester.makepyfile("""
        from cfaccess_mw.settings import configure

        def test_it(cfaccess):
            config = configure()
            assert config.teams[0].issuer == "https://blue.cloudflareaccess.com"
            assert config.audience == ("one", "two")
            assert cfaccess.audience == "one"
    """)
    _passes(pytester)


def test_the_environment_of_a_whole_run(pytester: pytest.Pytester) -> None:
    before = dict(os.environ)
    pytester.makeini("[pytest]\ncfaccess_environment = true\nfilterwarnings = error\n")
    pytester.makeconftest("from application import create_app\napp = create_app()\n")
    pytester.makepyfile("""
        from conftest import app

        def test_an_application_of_the_import(cfaccess):
            assert app.protection.verify(cfaccess.user()).email == "user@example.com"

        def test_it_stays(cfaccess_kit):
            import os
            assert os.environ["CFACCESS_KEYS"] == cfaccess_kit.environment()["CFACCESS_KEYS"]
            with open("keys", "w") as file:
                file.write(os.environ["CFACCESS_KEYS"])
    """)
    _passes(pytester, passed=2)
    assert not Path((pytester.path / "keys").read_text()).exists()
    assert {name: value for name, value in os.environ.items() if name.startswith("CFACCESS_")} == {}
    assert before.keys() >= {name for name in os.environ if name.startswith("CF")}


def test_workers_have_keys_of_their_own(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makeini("[pytest]\ncfaccess_environment = true\nfilterwarnings = error\n")
    pytester.makepyfile("""
        import pathlib
        import os
        import pytest
        from application import create_app

        app = create_app()

        @pytest.mark.parametrize("times", range(6))
        def test_it(cfaccess, times, worker_id):
            assert app.protection.verify(cfaccess.user()).email
            pathlib.Path(f"kid-{worker_id}").write_text(cfaccess.issuer.current.kid)
            assert "CFACCESS_KEYS" in os.environ
    """)
    result = pytester.runpytest_subprocess(*ALONE, "-p", "xdist", "--numprocesses", "2", "--dist", "each")
    result.assert_outcomes(passed=12)
    assert len({file.read_text() for file in pytester.path.glob("kid-*")}) == 2


def test_runs_that_use_nothing_of_it_pay_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import os
        import sys

        def test_it(request):
            assert not {"cryptography", "joserfc", "starlette", "httpx", "anyio"} & set(sys.modules)
            assert not {name for name in sys.modules if name.startswith("cfaccess_mw.testing.")} - {
                "cfaccess_mw.testing.plugin"
            }
            assert not [name for name in os.environ if name.startswith("CFACCESS_")]
            assert request.fixturenames == ["request"]
    """)
    result = pytester.runpytest_subprocess(*ALONE)
    result.assert_outcomes(passed=1)


def test_the_marker_and_the_fixtures_are_documented(pytester: pytest.Pytester) -> None:
    markers = _inside(pytester, "--markers")
    markers.stdout.fnmatch_lines(["@pytest.mark.cfaccess(user=, service=, refused=, anonymous=, *)*"])
    fixtures = _inside(pytester, "--fixtures")
    fixtures.stdout.fnmatch_lines(["cfaccess_expired_token*", "*expired an hour ago*"])


def test_the_emulator_stands_before_an_application(pytester: pytest.Pytester) -> None:
    pytest.importorskip("uvicorn")
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile("""
        import threading
        from wsgiref.simple_server import make_server
        import httpx
        import pytest
        from cfaccess_mw import current_identity
        from cfaccess_mw.wsgi import AccessMiddleware

        def home(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [current_identity().email.encode()]

        @pytest.fixture
        def upstream(cfaccess):
            with make_server("127.0.0.1", 0, AccessMiddleware(home, **cfaccess.options())) as server:
                thread = threading.Thread(target=server.serve_forever, args=(0.01,))
                thread.start()
                yield f"http://127.0.0.1:{server.server_port}"
                server.shutdown()
                thread.join()

        def test_it(cfaccess, cfaccess_emulator, upstream):
            edge = cfaccess_emulator(upstream, country="NZ")
            assert edge.audience == cfaccess.audience
            with httpx.Client(base_url=edge.url, trust_env=False) as client:
                assert client.get("/").status_code == 302
                client.cookies.set("CF_Authorization", cfaccess.user("alice@example.com"), domain="127.0.0.1")
                assert client.get("/").text == "alice@example.com"
    """)
    _passes(pytester, "-s")


def test_the_examples_pass(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("flask")
    for file in EXAMPLES.glob("*.*"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *ALONE, "-q", "-W", "error"],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "13 passed" in done.stdout
