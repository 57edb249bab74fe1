"""What does each framework add of its own, that the table asks nobody to have? It is there behind the door, and only
there."""

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.emulator.issuer import Issuer
from tests.conformance.asking import ask_asgi, ask_wsgi
from tests.conformance.configurations import options_of
from tests.conformance.row import NOBODY, Row, passes
from tests.conformance.subjects import FILES, SUBJECTS, Subject
from tests.servers.raw import Answer

pytestmark = pytest.mark.filterwarnings("ignore:'cgi' is deprecated:DeprecationWarning")

UNMOUNTED = [subject for subject in SUBJECTS if not subject.mounts]

# Pages that frameworks make by themselves, and what stands in them.
OWN_PAGES = [
    pytest.param("fastapi", "/docs", b"swagger", id="fastapi-docs"),
    pytest.param("fastapi", "/redoc", b"redoc", id="fastapi-redoc"),
    pytest.param("fastapi", "/openapi.json", b"CloudflareAccess", id="fastapi-openapi"),
    pytest.param("litestar", "/schema", b"openapi", id="litestar-schema"),
    pytest.param("litestar", "/schema/openapi.json", b'"openapi"', id="litestar-openapi"),
]
SLASHED = [
    pytest.param(name, id=name)
    for name in ("starlette", "fastapi", "quart", "flask", "flask-door", "django-wsgi", "django-asgi")
]


# The first two have none. Django's shows all headers, unless its own middleware of ours hides the assertion.
NO_PAGES = ("asgi", "wsgi", "django-asgi-door", "django-wsgi-door")


def ask(subject: Subject, row: Row, options: Mapping[str, Any], tokens: Mapping[str, str]) -> Answer:
    """Send one row; what the application raises is an answer of the server's, without a body."""
    if not subject.is_installed:
        pytest.skip(f"{subject.package} is not installed")
    with subject.running(dict(options)) as application:
        try:
            if subject.interface == "wsgi":
                return ask_wsgi(application, row, tokens)
            return anyio.run(ask_asgi, application, row, tokens)
        except RuntimeError as error:
            if str(error) != "boom":
                raise
            return Answer(status=500)


def get(target: str, who: str = NOBODY, *lines: str) -> Row:
    """A request for a page."""
    return passes(target, target, who, *lines)


def named(name: str) -> Subject:
    """A subject."""
    return next(subject for subject in SUBJECTS if subject.name == name)


@pytest.fixture
def options(team: Issuer) -> dict[str, Any]:
    """The usual rules."""
    return options_of("narrow", team.certs())


@pytest.mark.parametrize("subject", [subject for subject in UNMOUNTED if FILES in subject.has], ids=str)
def test_static_files_are_protected(subject: Subject, options: dict[str, Any], tokens: Mapping[str, str]) -> None:
    assert ask(subject, get("/assets/site.css"), options, tokens).status == 401
    answer = ask(subject, get("/assets/site.css", "alice"), options, tokens)
    assert (answer.status, b"SECRET" in answer.body) == (200, True)


@pytest.mark.parametrize(("name", "path", "part"), OWN_PAGES)
def test_documentation_is_protected(
    name: str, path: str, part: bytes, options: dict[str, Any], tokens: Mapping[str, str]
) -> None:
    assert ask(named(name), get(path), options, tokens).status == 401
    answer = ask(named(name), get(path, "alice"), options, tokens)
    assert (answer.status, part in answer.body) == (200, True)


@pytest.mark.parametrize("name", SLASHED)
def test_a_slash_is_added_for_those_who_may_see_the_page(
    name: str, options: dict[str, Any], tokens: Mapping[str, str]
) -> None:
    refused = ask(named(name), get("/dir"), options, tokens)
    assert (refused.status, refused.header("location")) == (401, None)
    answer = ask(named(name), get("/dir", "alice"), options, tokens)
    assert 301 <= answer.status <= 308
    assert (answer.header("location") or "").endswith("/dir/")


@pytest.mark.parametrize("subject", [subject for subject in UNMOUNTED if subject.name not in NO_PAGES], ids=str)
@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
def test_error_pages_for_developers_show_no_token(
    subject: Subject, accept: str, options: dict[str, Any], tokens: Mapping[str, str]
) -> None:
    """Who is signed in sees it, and sends it to a colleague."""
    answer = ask(subject, get("/boom", "alice", f"Accept: {accept}"), options, tokens)
    assert answer.status == 500
    assert tokens["alice"].encode() not in answer.body
    assert tokens["alice"].partition(".")[2].encode() not in answer.body


@pytest.mark.parametrize("subject", UNMOUNTED, ids=str)
def test_unknown_paths_are_unknown_to_those_who_may_ask(
    subject: Subject, options: dict[str, Any], tokens: Mapping[str, str]
) -> None:
    """The table says that nobody else learns that."""
    answer = ask(subject, get("/nothing/here", "alice"), options, tokens)
    assert answer.status == 404


def test_what_litestar_mounts_cannot_have_a_door(options: dict[str, Any], tokens: Mapping[str, str]) -> None:
    """It rewrites the path and tells of no mount, so that the door refuses whatever comes; put it before Litestar."""
    pytest.importorskip("litestar", reason="litestar is not installed")
    from litestar import Litestar, asgi

    from tests.conformance.applications.litestar import application

    inner: Any = application()
    door = AccessMiddleware(inner, **options)

    @asgi("/api", is_mount=True, copy_scope=True)
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await door(scope, receive, send)

    app: Any = Litestar([mounted], openapi_config=None)
    for target in ("/api/admin", "/api/static/x", "/api/", "/api"):
        assert anyio.run(ask_asgi, app, get(target, "alice"), tokens).status == 400
