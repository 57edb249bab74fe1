"""Does any spelling of a path or a request reach a protected handler without a token, in any server?

A row of a table is a line in the failure of its pair: twelve thousand tests would say no more.
"""

import json
import re
from collections.abc import Callable, Mapping

import pytest

from tests.servers.matrix import EVERY_PAIR, Pair
from tests.servers.process import Running
from tests.servers.raw import get, request, statuses
from tests.servers.tables import Trick, mounted_tricks, request_tricks, rows, target_tricks

Send = Callable[[Running, list[Trick]], Mapping[str, bytes]]

TABLES = [
    pytest.param(target_tricks, id="targets"),
    pytest.param(request_tricks, id="requests"),
]
MOUNTED = [
    Pair(server=server, application=application, mount="/api")
    for server, application in (
        ("uvicorn-httptools", "starlette_app"),
        ("hypercorn", "django_asgi"),
        ("granian", "fastapi_app"),
        ("gunicorn", "flask_app"),
        ("waitress", "flask_app"),
        ("granian-wsgi", "django_wsgi"),
        ("hypercorn-wsgi", "flask_app"),
    )
]
WIDE = [
    Pair(server=server, application=application, wide=True)
    for server, application in (
        ("uvicorn-h11", "starlette_app"),
        ("uvicorn-httptools", "django_asgi"),
        ("hypercorn", "fastapi_app"),
        ("granian", "django_asgi"),
        ("gunicorn", "flask_app"),
        ("waitress", "flask_app"),
        ("waitress", "django_wsgi"),
        ("granian-wsgi", "flask_app"),
        ("hypercorn-wsgi", "flask_app"),
    )
]
WIDE_MOUNTED = [
    Pair(server=server, application=application, mount="/api", wide=True)
    for server, application in (
        ("uvicorn-h11", "starlette_app"),
        ("hypercorn", "fastapi_app"),
        ("granian", "django_asgi"),
        ("gunicorn", "flask_app"),
        ("waitress", "django_wsgi"),
        ("granian-wsgi", "flask_app"),
        ("hypercorn-wsgi", "flask_app"),
    )
]
# What reaches a protected handler where the door is left out: proof that the tables have teeth.
BARE = [
    pytest.param(
        Pair(server="uvicorn-httptools", application="starlette_app", naked=True),
        {"lf-at-end", "lf-at-end-open", "fragment-open", "absolute-open", "version-0-9", "smuggled-te-list"},
        id="starlette",
    ),
    pytest.param(
        Pair(server="hypercorn", application="fastapi_app", naked=True),
        {"lf-at-end", "letter-encoded-open", "encoded-slash-instead", "smuggled-chunk-trailer", "method-lower"},
        id="fastapi",
    ),
    pytest.param(
        Pair(server="granian", application="django_asgi", naked=True),
        {"absolute-other-host-open", "fragment-behind", "encoded-slash-instead-open", "method-crlf-first"},
        id="django-asgi",
    ),
    pytest.param(
        Pair(server="gunicorn", application="flask_app", naked=True),
        {"slashes-in-front", "script-name-static", "script-name-two", "script-name-whoami", "absolute-slashes"},
        id="flask",
    ),
    pytest.param(
        Pair(server="waitress", application="django_wsgi", naked=True),
        {"slashes-before-open", "mount-slashes-in-front", "method-space", "encoded-slash-only"},
        id="django-wsgi",
    ),
]


def reached(answers: Mapping[str, bytes]) -> set[str]:
    """The rows whose answer a protected handler gave."""
    return {name for name, answer in answers.items() if b"SECRET" in answer}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("server", EVERY_PAIR, indirect=True, ids=str)
def test_no_trick_reaches_a_protected_handler(server: Running, send: Send, table: Callable[[], list[Trick]]) -> None:
    """Whatever comes back, a protected handler did not say it; and the door never falls over."""
    answers = send(server, table())
    assert reached(answers) == set()
    # 501 is what servers say of transfer codings; granian says 500 itself of a body that Django cannot read
    broken = {name for name, answer in answers.items() if 500 in statuses(answer)}
    assert {name for name in broken if not name.startswith("smuggled-chunk-")} == set()
    assert _raised_by_the_door(server) == []


@pytest.mark.parametrize("server", WIDE, indirect=True, ids=str)
def test_no_trick_takes_a_protected_path_for_a_public_one(server: Running, send: Send) -> None:
    """The same where everything else is public."""
    assert reached(send(server, [*target_tricks(), *request_tricks()])) == set()


@pytest.mark.parametrize("server", [*MOUNTED, *WIDE_MOUNTED], indirect=True, ids=str)
def test_no_trick_gets_round_a_mount(server: Running, send: Send) -> None:
    """The same where the server says that the application is mounted."""
    assert reached(send(server, mounted_tricks())) == set()


@pytest.mark.parametrize(("server", "rows_"), BARE, indirect=["server"])
def test_the_tricks_work_where_there_is_no_door(server: Running, send: Send, rows_: set[str]) -> None:
    """Without the door the same rows do reach the handler."""
    found = reached(send(server, [*target_tricks(), *request_tricks()]))
    assert rows_ - found == set()
    assert len(found) > 70


@pytest.mark.parametrize("server", EVERY_PAIR, indirect=True, ids=str)
def test_honest_paths_stay_public(server: Running) -> None:
    """No rule closes what is public, and the handler sees the name that was meant."""
    seen = {}
    for row in rows("honest"):
        with server.connect() as conversation:
            conversation.send(get(row["target"]))
            answer = conversation.answer()
        shown = (
            json.loads(answer.body.partition(b"{")[2].join([b"{", b""])).get("path") if answer.status == 200 else None
        )
        seen[row["id"]] = (answer.status, shown)
    assert seen == {row["id"]: (200, row["shows"]) for row in rows("honest")}


@pytest.mark.parametrize("server", MOUNTED, indirect=True, ids=str)
@pytest.mark.parametrize("target", ["/static/x", "/static/a%20b.png", "/static/100%25.png", "/healthz"])
def test_what_is_public_below_a_mount_stays_public(server: Running, target: str) -> None:
    """uvicorn is told of a mount that a proxy has taken off; the others find it in the target."""
    stripped = server.pair.server.startswith("uvicorn")
    with server.connect() as conversation:
        conversation.send(get(target if stripped else f"/api{target}"))
        assert conversation.answer().status == 200


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_a_refused_request_does_not_open_the_connection(server: Running, version: str) -> None:
    """Every request on a connection is decided on its own, whatever came before it."""
    with server.connect() as conversation:
        conversation.send(request("/static/x", version=version, close=False) + request("/admin", version=version))
        assert b"SECRET" not in conversation.until_silence()


def _raised_by_the_door(server: Running) -> list[str]:
    """The errors in a server's log that came up in our own lines, and not in a server that was called from them."""
    written = server.log.read_text(errors="replace")
    tracebacks = re.findall(r"^Traceback .*?^\w\S*: .*?$", written, re.MULTILINE | re.DOTALL)
    ours = [each for each in tracebacks if "/cfaccess_mw/" in each[each.rfind('  File "') :]]
    # granian answers a broken handshake itself, and asks the application all the same
    return [each for each in ours if "ASGI flow error" not in each]
