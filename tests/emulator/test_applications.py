"""The most specific application wins, and nothing is inherited."""

from typing import Any

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, Application, Applications, audience_for

A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)
TABLE = Applications(
    [
        Application(audience=A, public=("/healthz", "/static")),
        Application(audience=B, path="/admin", public=("/admin/login",)),
        Application(audience=C, path="/static/private/"),
        Application(audience=D, host="wiki.test", path="/docs"),
    ]
)


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        pytest.param("localhost", "/", (A, False), id="the root"),
        pytest.param("localhost", "/anything", (A, False), id="below the root"),
        pytest.param("127.0.0.1", "/healthz", (A, True), id="a public path"),
        pytest.param("127.0.0.1", "/healthz/", (A, True), id="a public path with a slash"),
        pytest.param("127.0.0.1", "/healthzz", (A, False), id="whole segments only"),
        pytest.param("127.0.0.1", "/Healthz", (A, False), id="case counts"),
        pytest.param("[::1]", "/static/x/y", (A, True), id="below a public path"),
        pytest.param("localhost", "/admin", (B, False), id="another application"),
        pytest.param("localhost", "/admin/x", (B, False), id="below it"),
        pytest.param("localhost", "/administrator", (A, False), id="not beside it"),
        pytest.param("localhost", "/admin/login", (B, True), id="its own public path"),
        pytest.param("localhost", "/admin/healthz", (B, False), id="public paths are not inherited"),
        pytest.param("localhost", "/static/private/x", (C, False), id="an application below a public path"),
        pytest.param("wiki.test", "/docs/x", (D, False), id="a host of its own"),
        pytest.param("wiki.test", "/", None, id="a host whose other paths have no application"),
        pytest.param("evil.test", "/docs", None, id="a strange host"),
        pytest.param("", "/", None, id="no host"),
    ],
)
def test_the_most_specific_application_wins(host: str, path: str, expected: tuple[str, bool] | None) -> None:
    place = TABLE.find(host, path)
    assert (None if place is None else (place.application.audience, place.public)) == expected


def test_a_named_host_comes_before_any_host_whatever_the_path() -> None:
    table = Applications([Application(audience=A, path="/deep/er"), Application(audience=B, host="app.localhost")])
    place = table.find("app.localhost", "/deep/er")
    assert place is not None
    assert place.application.audience == B


def test_a_wholly_public_application() -> None:
    place = Applications([Application(public=("/",))]).find("localhost", "/x")
    assert place is not None
    assert place.public


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"audience": "a" * 63}, "audience: must be 64", id="a short audience"),
        pytest.param({"audience": "A" * 64}, "audience: must be 64", id="an upper-case audience"),
        pytest.param({"audience": "a" * 64 + "\n"}, "audience: must be 64", id="a line break"),
        pytest.param({"host": "App.test"}, "host: must be", id="an upper-case host"),
        pytest.param({"host": "app.test:80"}, "host: must be", id="a host with port"),
        pytest.param({"host": "*.app.test"}, "host: must be", id="a wildcard host"),
        pytest.param({"path": "admin"}, "path, public: must start", id="a path without slash"),
        pytest.param({"path": "/admin/*"}, "path, public: must start", id="a wildcard"),
        pytest.param({"public": ("/a?b",)}, "path, public: must start", id="a query"),
        pytest.param({"public": ("/a#b",)}, "path, public: must start", id="a fragment"),
        pytest.param({"path": "/admin", "public": ("/open",)}, "public: must be below", id="a public path elsewhere"),
    ],
)
def test_an_application_that_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Application(**settings)


@pytest.mark.parametrize(
    ("applications", "message"),
    [
        pytest.param([], "at least one", id="none"),
        pytest.param([Application(audience=A), Application(audience=B)], "same host and path", id="one place"),
        pytest.param(
            [Application(audience=A, public=("/x",)), Application(audience=B, path="/x/")],
            "same host and path",
            id="a public path of one is another's",
        ),
        pytest.param([Application(), Application(path="/x")], "same audience", id="one audience"),
    ],
)
def test_a_table_that_cannot_be_is_refused(applications: list[Application], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Applications(applications)


def test_by_audience() -> None:
    found = TABLE.by_audience(B)
    assert found is not None
    assert found.path == "/admin"
    assert TABLE.by_audience("e" * 64) is None


@pytest.mark.parametrize(
    ("host", "served"),
    [("localhost", True), ("127.0.0.1", True), ("wiki.test", True), ("evil.test", False), ("", False)],
)
def test_serve(host: str, served: bool) -> None:
    assert TABLE.serve(host) is served


def test_cookie_path() -> None:
    assert Application(path="/admin").cookie_path == "/"
    assert Application(path="/admin", path_cookie=True).cookie_path == "/admin"


def test_audiences_stay_from_run_to_run() -> None:
    assert DEFAULT_AUDIENCE == "c3113d29f9a29f7cfe1851e93ddfe2be86d1284c0ab4c00258a6197f816f1f27"
    assert len({DEFAULT_AUDIENCE, audience_for("a.test"), audience_for("a.test", "/x"), audience_for(path="/x")}) == 4
