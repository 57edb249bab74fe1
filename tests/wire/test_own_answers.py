"""Who may answer a refused request otherwise, and what cannot go wrong with it."""

import logging
from collections.abc import Generator
from typing import Any

import pytest

from cfaccess_mw.core.errors import ConfigurationError, NoToken, NotPermitted, Refused
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.wire.login import LOGOUT_PATH
from cfaccess_mw.wire.refusals import Response
from cfaccess_mw.wire.refused import OnRefusal, RefusedRequest
from tests.wire.refusing import HOST, LOGIN, NAVIGATION, RAY, TEAM_URL, asked, refusals


class Awaited:
    """Something that can be awaited and is no coroutine."""

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from ()
        return (418, {}, b"own")


async def late(request: RefusedRequest) -> Any:
    return 418, {}, b"own"


async def late_none(request: RefusedRequest) -> Any:
    return None


async def late_failure(request: RefusedRequest) -> Any:
    raise KeyError(request.code)


class LateCallable:
    """Asynchronous, and not to be told from outside."""

    async def __call__(self, request: RefusedRequest) -> Any:
        return 418, {}, b"own"


def fails(request: RefusedRequest) -> Any:
    raise KeyError(request.code)


OWN_ANSWERS = [
    pytest.param(lambda request: None, 401, False, id="none"),
    pytest.param(lambda request: (418, {}, b"own"), 418, False, id="another"),
    pytest.param(lambda request: request.response, 401, False, id="the-same"),
    pytest.param(lambda request: (200, {}, b"own"), 401, True, id="a-pass"),
    pytest.param(lambda request: (403, {"X": "a\r\nb"}, b"own"), 401, True, id="injection"),
    pytest.param(lambda request: "own", 401, True, id="nonsense"),
    pytest.param(lambda: None, 401, True, id="takes-nothing"),
    pytest.param(fails, 401, True, id="fails"),
]


def check(response: Response, status: int, logged: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert response.status == status
    assert (response.body == b"own") is (status == 418)
    assert dict(response.headers)["Cache-Control"] == "no-store"
    assert dict(response.headers)["Content-Length"] == str(len(response.body))
    said = [(record.levelno, record.name, record.getMessage()) for record in caplog.records]
    message = "on_refusal failed on no-token; the usual answer was sent"
    assert said == ([(logging.ERROR, "cfaccess_mw", message)] if logged else [])


@pytest.mark.parametrize(
    ("on_refusal", "status", "logged"),
    [
        *OWN_ANSWERS,
        pytest.param(late, 401, True, id="late"),
        pytest.param(LateCallable(), 401, True, id="late-object"),
        pytest.param(lambda request: Awaited(), 401, True, id="awaitable"),
    ],
)
def test_an_own_answer(on_refusal: OnRefusal, status: int, logged: bool, caplog: pytest.LogCaptureFixture) -> None:
    check(refusals(on_refusal=on_refusal).response(NoToken(), **asked({})), status, logged, caplog)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("on_refusal", "status", "logged"),
    [
        *OWN_ANSWERS,
        pytest.param(None, 401, False, id="not-given"),
        pytest.param(late, 418, False, id="late"),
        pytest.param(late_none, 401, False, id="late-none"),
        pytest.param(late_failure, 401, True, id="late-failure"),
        pytest.param(LateCallable(), 418, False, id="late-object"),
        pytest.param(lambda request: Awaited(), 418, False, id="awaitable"),
    ],
)
async def test_an_own_answer_on_a_loop(
    on_refusal: OnRefusal | None, status: int, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    response = await refusals(on_refusal=on_refusal).response_async(NoToken(), **asked({}))
    check(response, status, logged, caplog)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "on_refusal",
    [None, lambda request: None, lambda request: (403, {}, "own"), fails],
    ids=["not", "none", "own", "bad"],
)
async def test_own_answers_to_head_have_no_body(on_refusal: OnRefusal | None) -> None:
    door = refusals(on_refusal=on_refusal)
    get, head = door.response(NoToken(), **asked()), door.response(NoToken(), **asked(method="HEAD"))
    assert head == Response(status=get.status, headers=get.headers, body=b"")
    assert head == await door.response_async(NoToken(), **asked(method="HEAD"))


@pytest.mark.parametrize(
    ("error", "sent", "identified", "told"),
    [
        pytest.param(
            NoToken(),
            NAVIGATION | {"cf-ray": RAY},
            False,
            {
                "status": 401,
                "is_navigation": True,
                "ray": RAY,
                "login_url": LOGIN + "%2Freports%3Fq%3D1",
                "logout_url": None,
            },
            id="a-person",
        ),
        pytest.param(
            NotPermitted(),
            {"host": HOST, "cf-ray": "<"},
            True,
            {"status": 403, "is_navigation": False, "ray": None, "login_url": None, "logout_url": LOGOUT_PATH},
            id="a-program",
        ),
    ],
)
def test_what_an_own_answer_is_made_of(
    error: Refused, sent: dict[str, str], identified: bool, told: dict[str, Any], person: Identity
) -> None:
    requests: list[RefusedRequest] = []
    door = refusals(on_refusal=requests.append, team_url=TEAM_URL, login_redirect=True)
    identity = person if identified else None
    response = door.response(error, **asked(sent, identity=identity))
    (request,) = requests
    assert {name: getattr(request, name) for name in told} == told
    assert (request.code, request.title, request.detail) == (error.code, error.title, error.detail)
    assert (request.error, request.method, request.path) == (error, "GET", "/reports")
    assert request.identity is identity
    assert request.response == response
    assert "WWW-Authenticate" in dict(response.headers) or identified, "for own answers of 401"
    assert "b'" not in repr(request), "no body in a log"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"on_refusal": "tests.own"}, "on_refusal: text of 9 characters cannot be called", id="text"),
        pytest.param({"on_refusal": late, "blocking": True}, "on_refusal: is asynchronous", id="asynchronous"),
        pytest.param({"template": "no/such/file"}, "refusal_template: ", id="no-template"),
    ],
)
def test_mistakes_are_told_at_start(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        refusals(**options)


def test_what_a_blocking_door_can_call_it_takes() -> None:
    assert refusals(blocking=True, on_refusal=lambda _: (418, {}, b"own")).response(NoToken(), **asked()).status == 418
