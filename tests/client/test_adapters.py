"""What does each client's module do beside the rules that all share?"""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import requests

from cfaccess_mw.client import CallError, LoginDemanded, ServiceToken
from cfaccess_mw.client.httpx import AccessAuth as HttpxAuth
from cfaccess_mw.client.httpx2 import AccessAuth as Httpx2Auth
from cfaccess_mw.client.requests import AccessAuth as RequestsAuth
from tests.client.conftest import GOOD, Serve
from tests.client.site import Says, Site
from tests.client.test_redirects import protected
from tests.client.test_service_token import HEADERS


@pytest.mark.parametrize("module", ["requests", "httpx2"])
def test_a_client_that_is_not_installed_is_named_with_its_extra(module: str, alone: Path) -> None:
    code = f"""
import sys
sys.modules[{module!r}] = None
import cfaccess_mw.client
try:
    import cfaccess_mw.client.{module}
except ImportError as error:
    print(error, error.name)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=alone, capture_output=True, text=True, check=True)
    assert run.stdout == (
        f"cfaccess_mw needs {module} for this, which is not installed: pip install 'cfaccess-mw[{module}]' {module}\n"
    )


def test_the_package_itself_imports_no_client(alone: Path) -> None:
    code = "import sys, cfaccess_mw.client; print({'httpx', 'httpx2', 'requests'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], cwd=alone, capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


@pytest.mark.parametrize("auth", [HttpxAuth, Httpx2Auth, RequestsAuth])
def test_an_auth_says_for_whom_it_is(auth: type[HttpxAuth]) -> None:
    assert repr(auth(ServiceToken("a.example", credentials=GOOD))) == "AccessAuth(ServiceToken(a.example))"


def test_each_is_for_its_own_client() -> None:
    caller = ServiceToken("a.example", credentials=GOOD)
    assert isinstance(HttpxAuth(caller), httpx.Auth)
    assert isinstance(Httpx2Auth(caller), httpx2.Auth)
    with pytest.raises(TypeError):
        httpx2.Client(auth=HttpxAuth(caller))  # type: ignore[arg-type]  # it is the mistake


@pytest.mark.parametrize(("library", "auth"), [(httpx, HttpxAuth), (httpx2, Httpx2Auth)])
def test_what_hooks_do_to_a_request_is_sent_and_stays(library: type[httpx], auth: type[HttpxAuth], site: Site) -> None:  # type: ignore[valid-type]
    def hook(request: httpx.Request) -> None:
        request.headers["X-Trace"] = "1"

    hooks = {"request": [hook]}
    caller = ServiceToken(site.host, credentials=GOOD)
    with library.Client(auth=auth(caller), event_hooks=hooks, trust_env=False) as client:  # type: ignore[attr-defined]
        response = client.get(site.url)
    assert site.asked[0].all("x-trace") == ["1"]
    assert site.brought() == [HEADERS]
    assert response.request.headers["x-trace"] == "1"


def test_a_request_that_was_prepared_can_be_sent_again(serve: Serve) -> None:
    site = serve(protected())
    with requests.Session() as session:
        session.trust_env = False
        caller = ServiceToken(site.host, credentials=GOOD)
        prepared = session.prepare_request(requests.Request("GET", f"{site.url}/a", auth=RequestsAuth(caller)))
        bodies = [session.send(request).content for request in (prepared, prepared, prepared.copy())]
    assert bodies == [b"the application"] * 3


def test_where_it_went_astray_before_does_not_matter_then(serve: Serve) -> None:
    other = serve()
    ways = iter([f"{other.url}/", "/b"])
    site = serve(protected(lambda asked: Says(302, (("location", next(ways)),)) if asked.path == "/a" else Says()))
    with requests.Session() as session:
        session.trust_env = False
        auth = RequestsAuth(ServiceToken(site.host, credentials=lambda: GOOD))
        prepared = session.prepare_request(requests.Request("GET", f"{site.url}/a", auth=auth))
        session.send(prepared)
        assert session.send(prepared).content == b"the application"
    assert [asked.path for asked in site.asked if asked.brought] == ["/a", "/a", "/b"]


def test_a_copy_of_a_request_that_was_prepared_takes_nothing_elsewhere(serve: Serve) -> None:
    other = serve()
    site = serve(lambda _: Says(302, (("location", f"{other.url}/b"),)))
    with requests.Session() as session:
        session.trust_env = False
        caller = ServiceToken(site.host, credentials=GOOD, header="X-Service")
        prepared = session.prepare_request(requests.Request("GET", f"{site.url}/a", auth=RequestsAuth(caller)))
        session.send(prepared.copy())
    assert (site.brought(), other.brought()) == ([{"x-service"}], [set()])


@pytest.mark.parametrize(("library", "auth"), [(httpx, HttpxAuth), (httpx2, Httpx2Auth)])
def test_cookies_of_any_encoding_stay_as_they_are(library: Any, auth: Any, site: Site) -> None:
    with library.Client(auth=auth(ServiceToken(site.host, credentials=GOOD)), trust_env=False) as client:
        client.get(site.url, headers={b"Cookie": "a=\u20ac".encode()})
    assert site.asked[0].all("cookie") == ["a=\u20ac".encode().decode("latin-1")]


def test_a_file_follows_a_redirect_from_its_beginning(serve: Serve, tmp_path: Path) -> None:
    answers = protected(lambda asked: Says(307, (("location", "/b"),)) if asked.path == "/a" else Says(body=asked.body))
    site = serve(answers)
    (tmp_path / "file").write_bytes(b"what is in it")
    auth = RequestsAuth(ServiceToken(site.host, credentials=GOOD))
    with (tmp_path / "file").open("rb") as file:
        assert requests.post(f"{site.url}/a", data=file, auth=auth, timeout=20).content == b"what is in it"
    with pytest.raises(requests.exceptions.UnrewindableBodyError):
        requests.post(f"{site.url}/a", data=iter([b"x"]), auth=auth, timeout=20)


def test_a_jar_of_the_users_own_is_left_as_it_is(site: Site) -> None:
    jar = requests.cookies.RequestsCookieJar()
    jar.update({"CF_Authorization": "mine", "a": "1"})
    policy = jar.get_policy()
    request = requests.Request(
        "GET", site.url, cookies=jar, auth=RequestsAuth(ServiceToken(site.host, credentials=GOOD))
    )
    prepared = request.prepare()
    assert prepared.headers["Cookie"] == "a=1"
    assert (dict(jar), jar.get_policy()) == ({"CF_Authorization": "mine", "a": "1"}, policy)


def test_errors_can_be_sent_to_another_process() -> None:
    error = LoginDemanded("said", mend="mend", host="a.example", status=302, ray="r")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.mend, again.host, again.status, again.ray) == (
        "said; mend (Cf-Ray r)",
        "mend",
        "a.example",
        302,
        "r",
    )


def test_every_error_has_a_code_of_its_own() -> None:
    def below(error: type[CallError]) -> list[type[CallError]]:
        return [error, *(each for child in error.__subclasses__() for each in below(child))]

    codes = [error.code for error in below(CallError)]
    assert len(set(codes)) == len(codes)
    assert str(CallError("said")) == "said"
