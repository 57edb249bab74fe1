"""Is Access, and nobody else, answered, with what the function says and nothing more?"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import anyio
import anyio.lowlevel
import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.edge.external_evaluation import Applicant, ExternalEvaluation, create_key_file
from cfaccess_mw.edge.external_evaluation_nonces import Nonces, NoncesUnavailable
from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.edge.evaluating import (
    ALICE,
    JSON,
    NO,
    NONCE,
    SIDES,
    Answer,
    Ask,
    Call,
    Clock,
    Heard,
    ask_asgi,
    ask_wsgi,
    decoded,
    question,
)
from tests.tokens import AUD, ISSUER, NOW
from tests.vectors import Row, forge, rows

Make = Callable[..., ExternalEvaluation]
Codes = Callable[[], list[object]]


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our key; making one takes a moment."""
    path = tmp_path_factory.mktemp("keys") / "evaluation.json"
    create_key_file(path)
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def make(issuer: Issuer, key_file: Path, clock: Clock, heard: Heard) -> Iterator[Make]:
    """Make an endpoint of a function; it believes the team's keys, and lives at ``NOW``."""
    made: list[ExternalEvaluation] = []

    def make(evaluate: Any = lambda _: True, **options: Any) -> ExternalEvaluation:
        given = {"team": "acme", "keys": issuer.certs(), "signing_keys": key_file, "clock": clock, "listeners": [heard]}
        made.append(ExternalEvaluation(evaluate, **{**given, **options}))
        return made[-1]

    yield make
    for endpoint in made:
        endpoint.close()


@pytest.fixture(scope="module")
def shared(issuer: Issuer, key_file: Path) -> Iterator[tuple[ExternalEvaluation, Heard]]:
    heard = Heard()
    endpoint = ExternalEvaluation(
        lambda _: True,
        team="acme",
        keys=issuer.certs(),
        signing_keys=key_file,
        clock=Clock(),
        listeners=[heard],
        nonces=lambda *_: True,
    )
    yield endpoint, heard
    endpoint.close()


@pytest.fixture
def yes(shared: tuple[ExternalEvaluation, Heard]) -> ExternalEvaluation:
    """An endpoint that lets everybody in and forgets nonces; reading a key takes a moment, so the tables share it."""
    shared[1].clear()
    return shared[0]


@pytest.fixture
def refusals(shared: tuple[ExternalEvaluation, Heard]) -> Callable[[], list[object]]:
    """The codes of what ``yes`` has refused."""
    return lambda: [facts["code"] for facts in shared[1].facts("evaluation-refused")]


@pytest.fixture(params=list(SIDES))
def ask(request: pytest.FixtureRequest) -> Ask:
    """The test runs for every side."""
    return SIDES[request.param]


def refused(answer: Answer, status: int = 403) -> bool:
    """Whether an answer says no more than its status."""
    return (answer.status, answer.body) == (status, NO) and answer.headers["cache-control"] == "no-store"


# --- the documented exchange ------------------------------------------------------------------------------------------


def test_the_documented_exchange(make: Make, ask: Ask, issuer: Issuer, clock: Clock) -> None:
    sample = json.loads((Path(__file__).parents[1] / "vectors/cloudflare/external_evaluation.json").read_text("utf-8"))
    claims = sample["outgoing_jwt_claims"]
    clock.now = claims["iat"]
    endpoint = make()
    answer = ask(endpoint, Call.with_token(question(issuer, nonce=claims["nonce"], exp=clock.now + 60)))
    assert (answer.status, answer.headers["content-type"]) == (
        sample["response"]["status"],
        sample["response"]["content_type"],
    )
    assert list(json.loads(answer.body)) == list(sample["response"]["body"])
    assert answer.claims == claims
    assert answer.claims["success"] is True
    header = decoded(answer.token, 0)
    assert header.keys() == sample["outgoing_jwt_header"].keys()
    [key] = json.loads(ask(endpoint, Call(method="GET", path="/keys")).body)["keys"]
    assert key["kid"] == header["kid"]
    assert {"kid", "kty", "alg", "e", "n"} <= key.keys()
    assert {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}.isdisjoint(key)


@pytest.mark.parametrize("success", [True, False])
def test_the_function_decides(make: Make, ask: Ask, issuer: Issuer, success: bool) -> None:
    seen: list[Applicant] = []

    def evaluate(applicant: Applicant) -> bool:
        seen.append(applicant)
        return success

    groups = ["staff", {"id": "g1", "name": "admins", "email": "a@example.com"}, {"id": "g2"}, 7]
    identity = {"email": ALICE, "groups": groups, "geo": {"country": "DE"}}
    answer = ask(make(evaluate), Call.with_token(question(issuer, identity=identity)))
    assert answer.status == 200
    assert answer.claims == {"success": success, "iat": NOW, "exp": NOW + 60, "nonce": NONCE}
    [applicant] = seen
    assert (applicant.email, applicant.groups) == (ALICE, ("staff", "admins", "g2"))
    assert applicant.document == identity
    assert applicant.claims["nonce"] == NONCE
    assert repr(applicant) == "<Applicant>"


@pytest.mark.parametrize(
    "identity",
    [pytest.param({}, id="empty"), pytest.param({"email": None, "groups": "staff"}, id="null and text")],
)
def test_somebody_of_whom_little_is_known(make: Make, issuer: Issuer, identity: dict[str, Any]) -> None:
    def evaluate(applicant: Applicant) -> bool:
        return applicant.email is None and applicant.groups == ()

    assert ask_wsgi(make(evaluate), Call.with_token(question(issuer, identity=identity))).claims["success"] is True


# --- who asks ---------------------------------------------------------------------------------------------------------


_FOUND_FIRST = ("evaluation-request-too-large", "bad-encoding", "malformed-token", "bad-payload", "bad-signature")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(param.values[0], id=f"{name}-{param.id}")
        for name in ("shape", "header", "signature")
        for param in rows(f"tokens/{name}")
    ],
)
def test_what_no_door_believes_is_not_believed_here(
    row: Row, yes: ExternalEvaluation, refusals: Codes, issuer: Issuer, stranger: SigningKey
) -> None:
    forged = forge({**row, "kind": "external-evaluation"}, issuer, stranger)
    answer = ask_wsgi(yes, Call.with_token(forged))
    [code] = refusals()
    # A token in a body may be as long as the body, so that something else may be found first.
    codes = {row["code"], *(_FOUND_FIRST if row["code"] == "oversized-token" else ())}
    assert code in codes
    assert refused(answer, 413 if code == "evaluation-request-too-large" else 403)


CLAIMS = [
    pytest.param({"nonce": ABSENT}, "missing-claim", id="no nonce"),
    pytest.param({"nonce": None}, "missing-claim", id="null for a nonce"),
    pytest.param({"nonce": ""}, "missing-claim", id="empty nonce"),
    pytest.param({"nonce": 7}, "invalid-claim", id="number for a nonce"),
    pytest.param({"nonce": [NONCE]}, "invalid-claim", id="list for a nonce"),
    pytest.param({"nonce": {"a": NONCE}}, "invalid-claim", id="object for a nonce"),
    pytest.param({"nonce": "a" * 256}, None, id="long nonce"),
    pytest.param({"nonce": "a" * 257}, "invalid-claim", id="too long a nonce"),
    pytest.param({"nonce": "a\nb"}, "invalid-claim", id="control character in a nonce"),
    pytest.param({"nonce": "é"}, "invalid-claim", id="nonce beyond ASCII"),
    pytest.param({"exp": ABSENT}, "missing-claim", id="no exp"),
    pytest.param({"exp": None}, "missing-claim", id="null for exp"),
    pytest.param({"exp": str(NOW + 60)}, "invalid-claim", id="text for exp"),
    pytest.param({"exp": True}, "invalid-claim", id="boolean for exp"),
    pytest.param({"exp": NOW - 30}, "expired", id="expired"),
    pytest.param({"exp": NOW - 29}, None, id="expired within the leeway"),
    pytest.param({"exp": 0}, "expired", id="expired long ago"),
    pytest.param({"iat": NOW + 30, "nbf": NOW + 30}, None, id="issued ahead within the leeway"),
    pytest.param({"iat": NOW + 31}, "not-yet-valid", id="issued ahead"),
    pytest.param({"nbf": NOW + 31}, "not-yet-valid", id="valid later"),
    pytest.param({"iat": "now"}, "invalid-claim", id="text for iat"),
    pytest.param({"nbf": False}, "invalid-claim", id="boolean for nbf"),
    pytest.param({"iat": None, "nbf": None}, None, id="null for iat and nbf"),
    pytest.param({"iss": ISSUER}, None, id="the team as iss"),
    pytest.param({"iss": None}, None, id="null for iss"),
    pytest.param({"iss": "https://evil.cloudflareaccess.com"}, "wrong-issuer", id="another team"),
    pytest.param({"iss": ISSUER + "/"}, "wrong-issuer", id="iss with a slash"),
    pytest.param({"iss": f"{ISSUER}/cdn-cgi/access/sso/oidc/abc"}, "wrong-issuer", id="iss of a SaaS application"),
    pytest.param({"iss": [ISSUER]}, "invalid-claim", id="list for iss"),
    pytest.param({"aud": [AUD], "custom": {"a": 1}}, None, id="claims that are not documented"),
    pytest.param({"type": "external_evaluation"}, None, id="a type that is not another's"),
    pytest.param({"type": None}, None, id="null for type"),
    pytest.param({"type": 7}, "wrong-token-type", id="number for type"),
    pytest.param({"type": "app"}, "wrong-token-type", id="application token"),
    pytest.param({"type": "org"}, "wrong-token-type", id="organisation token"),
    pytest.param({"type": "match"}, "wrong-token-type", id="metadata token"),
    pytest.param({"type": "no_match"}, "wrong-token-type", id="metadata token of no application"),
    pytest.param({"type": "meta"}, "wrong-token-type", id="meta of the login redirect"),
    pytest.param({"identity": ABSENT}, "missing-claim", id="no identity"),
    pytest.param({"identity": None}, "missing-claim", id="null for an identity"),
    pytest.param({"identity": ALICE}, "invalid-claim", id="text for an identity"),
    pytest.param({"identity": [{"email": ALICE}]}, "invalid-claim", id="list for an identity"),
    pytest.param({"identity": {"email": 7}}, "invalid-claim", id="number for an e-mail"),
    pytest.param({"identity": {"email": [ALICE]}}, "invalid-claim", id="list for an e-mail"),
    pytest.param({"identity": {"email": "a@b@c"}}, "invalid-claim", id="two at signs"),
    pytest.param({"identity": {"email": "a@b\u202e"}}, "invalid-claim", id="e-mail written backwards"),
    pytest.param({"success": True}, None, id="a claim of our own answers"),
]


@pytest.mark.parametrize(("claims", "code"), CLAIMS)
def test_every_claim_has_to_be_right(
    claims: dict[str, object], code: str | None, yes: ExternalEvaluation, refusals: Codes, issuer: Issuer
) -> None:
    answer = ask_wsgi(yes, Call.with_token(question(issuer, **claims)))
    assert refusals() == ([] if code is None else [code])
    assert answer.claims["success"] is True if code is None else refused(answer)


PAYLOADS = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"[]", id="list"),
    pytest.param(b'{"nonce":"a","nonce":"b","exp":1800000060,"identity":{}}', id="two nonces"),
    pytest.param(b'{"nonce":"a","exp":1800000060,"identity":{"email":"a@b","email":"c@d"}}', id="two e-mails"),
    pytest.param(b'{"nonce":"a","exp":Infinity,"identity":{}}', id="no end"),
    pytest.param(b'{"nonce":"a","exp":NaN,"identity":{}}', id="no number"),
    pytest.param(b'{"nonce":"a","exp":1800000060,"identity":{}}\xff', id="no UTF-8"),
    pytest.param(b'{"nonce":"a","exp":1800000060,"identity":' + b'{"a":' * 80 + b"1" + b"}" * 81, id="too deep"),
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_that_two_readers_could_read_differently(
    payload: bytes, yes: ExternalEvaluation, refusals: Codes, issuer: Issuer
) -> None:
    assert refused(ask_wsgi(yes, Call.with_token(issuer.sign(None, payload))))
    assert refusals() == ["bad-payload"]


@pytest.mark.parametrize("spoilt", ["{0}.{1}=.{2}", "{0}.{1}.{2}=", "e30.{1}=.{2}", "e30.{1}.{2}=", "e30.{1}=.{2}="])
@pytest.mark.parametrize("exp", [NOW + 60, 0], ids=["good", "expired"])
def test_nothing_is_believed_that_can_be_written_in_two_ways(
    spoilt: str, exp: float, yes: ExternalEvaluation, refusals: Codes, issuer: Issuer
) -> None:
    forged = spoilt.format(*question(issuer, exp=exp).split("."))
    assert refused(ask_wsgi(yes, Call.with_token(forged)))
    assert refusals() == ["bad-encoding"]


@pytest.mark.parametrize(("length", "code"), [(1_024, "bad-header"), (1_025, "oversized-token")])
def test_a_header_is_short(yes: ExternalEvaluation, refusals: Codes, issuer: Issuer, length: int, code: str) -> None:
    _, payload, signature = question(issuer).split(".")
    assert refused(ask_wsgi(yes, Call.with_token(f"{'A' * length}.{payload}.{signature}")))
    assert refusals() == [code]


@pytest.mark.parametrize("kind", ["user", "service", "organisation", "metadata", "login_meta"])
def test_other_tokens_of_the_team_are_no_questions(yes: ExternalEvaluation, issuer: Issuer, kind: str) -> None:
    """Not even with the claims that make a question."""
    given = {"metadata": ("app.example.com",)}.get(kind, ())
    extra = {"nonce": NONCE, "exp": NOW + 60, "identity": {"email": ALICE}}
    for claims in ({}, extra):
        assert refused(ask_wsgi(yes, Call.with_token(getattr(issuer, kind)(*given, audience=AUD, **claims))))


def test_our_own_answer_is_no_question(make: Make, issuer: Issuer) -> None:
    endpoint = make()
    answer = ask_wsgi(endpoint, Call.with_token(question(issuer)))
    assert refused(ask_wsgi(endpoint, Call.with_token(answer.token)))


def test_our_own_answer_is_no_question_even_where_the_team_publishes_our_key(
    make: Make, issuer: Issuer, heard: Heard
) -> None:
    ours = json.loads(ask_wsgi(make(), Call(method="GET", path="/keys")).body)["keys"]
    endpoint = make(keys={"keys": [*issuer.certs()["keys"], *ours]})
    answer = ask_wsgi(endpoint, Call.with_token(question(issuer)))
    assert refused(ask_wsgi(endpoint, Call.with_token(answer.token)))
    assert heard.facts("evaluation-refused") == [{"code": "missing-claim"}]


def test_no_question_passes_a_second_time(make: Make, ask: Ask, issuer: Issuer, clock: Clock, heard: Heard) -> None:
    asked: list[Applicant] = []

    def evaluate(applicant: Applicant) -> bool:
        asked.append(applicant)
        return True

    endpoint, token = make(evaluate), question(issuer)
    assert ask(endpoint, Call.with_token(token)).status == 200
    for _ in range(2):
        assert refused(ask(endpoint, Call.with_token(token)))
    clock.now += 89.9  # the question counts until its exp and the leeway are over
    assert refused(ask(endpoint, Call.with_token(token)))
    assert {facts["code"] for facts in heard.facts("evaluation-refused")} == {"replayed-nonce"}
    assert len(asked) == 1
    clock.now += 0.1
    assert refused(ask(endpoint, Call.with_token(token)))
    assert heard.facts("evaluation-refused")[-1] == {"code": "expired"}
    again = question(issuer, exp=clock.now + 60)
    assert ask(endpoint, Call.with_token(again)).status == 200


def test_a_forged_question_uses_no_nonce_up(make: Make, issuer: Issuer, stranger: SigningKey) -> None:
    endpoint = make()
    good = question(issuer)
    claims = decoded(good, 1)
    assert refused(ask_wsgi(endpoint, Call.with_token(issuer.sign(issuer.header(), claims, stranger))))
    assert ask_wsgi(endpoint, Call.with_token(good)).status == 200


# --- the memory of nonces ---------------------------------------------------------------------------------------------


def test_nonces_are_forgotten_when_they_have_expired_and_no_sooner() -> None:
    clock = Clock(now=0)
    nonces = Nonces(clock, most=2)
    assert nonces("a", 10)
    assert not nonces("a", 20)
    assert nonces("b", 5)
    with pytest.raises(NoncesUnavailable) as full:
        nonces("c", 5)
    assert full.value.retry_after == 5
    clock.now = 5
    assert nonces("c", 7)
    assert not nonces("a", 10)
    clock.now = 10
    assert nonces("a", 20)


def test_of_two_threads_that_meet_one_has_a_new_nonce() -> None:
    meeting = threading.Barrier(2)

    class Nonce(str):
        """One that waits for the other thread whenever it is looked up; behind a lock there is none."""

        __slots__ = ()

        def __hash__(self) -> int:
            with suppress(threading.BrokenBarrierError):
                meeting.wait(0.1)
            return str.__hash__(self)

    nonces = Nonces(lambda: 0.0)
    new: list[bool] = []
    threads = [threading.Thread(target=lambda: new.append(nonces(Nonce("a"), 10))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == [False, True]


def _fails(_: str, __: float) -> NoReturn:
    raise OSError("a secret")


@pytest.mark.parametrize(
    ("store", "status"),
    [
        pytest.param(lambda *_: True, 200, id="new"),
        pytest.param(lambda *_: False, 403, id="known"),
        pytest.param(lambda *_: None, 503, id="nothing said"),
        pytest.param(lambda *_: 1, 503, id="as good as true"),
        pytest.param(_fails, 503, id="out of order"),
    ],
)
def test_nonces_may_be_remembered_elsewhere(make: Make, ask: Ask, issuer: Issuer, store: Any, status: int) -> None:
    told: list[tuple[str, float]] = []

    def nonces(nonce: str, until: float) -> bool:
        told.append((nonce, until))
        return bool(store(nonce, until)) if status == 200 else store(nonce, until)

    answer = ask(make(nonces=nonces), Call.with_token(question(issuer)))
    assert told == [(NONCE, NOW + 90)]
    assert answer.status == 200 if status == 200 else refused(answer, status)
    assert ("retry-after" in answer.headers) is (status == 503)


# --- what the function does -------------------------------------------------------------------------------------------


class Hanging:
    """A function that does not come back before the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, _: Applicant) -> bool:
        self.over.wait(30)
        return True


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    function = Hanging()
    yield function
    function.over.set()


async def _yes(_: Applicant) -> bool:
    await anyio.lowlevel.checkpoint()
    return True


async def _never(_: Applicant) -> bool:
    await anyio.sleep_forever()
    return True


def _raise(error: BaseException) -> Callable[[Applicant], bool]:
    def evaluate(_: Applicant) -> NoReturn:
        raise error

    return evaluate


def _raise_later(error: Exception) -> Callable[[Applicant], Any]:
    async def evaluate(_: Applicant) -> NoReturn:
        await anyio.lowlevel.checkpoint()
        raise error

    return evaluate


def _forgets_to_await(applicant: Applicant) -> Any:
    return _yes(applicant)


class _Called:
    """An object that is called, and then awaited."""

    async def __call__(self, _: Applicant) -> bool:
        return True


SAYS = [
    pytest.param(_yes, None, id="a coroutine function"),
    pytest.param(_Called(), None, id="an object with a coroutine for a call"),
    pytest.param(partial(_yes), None, id="a partial coroutine function"),
    pytest.param(_raise(ValueError("a secret alice@example.com")), "ValueError", id="an exception"),
    pytest.param(_raise_later(ValueError("a secret alice@example.com")), "ValueError", id="an exception, awaited"),
    pytest.param(_raise(SystemExit("a secret")), "SystemExit", id="the end of the program"),
    pytest.param(_raise(TimeoutError("a secret")), "TimeoutError", id="a timeout of its own"),
    pytest.param(_raise_later(TimeoutError("a secret")), "TimeoutError", id="a timeout of its own, awaited"),
    pytest.param(lambda _: None, "not-a-boolean", id="nothing"),
    pytest.param(lambda _: 1, "not-a-boolean", id="one"),
    pytest.param(lambda _: "true", "not-a-boolean", id="text"),
    pytest.param(lambda _: {"success": True}, "not-a-boolean", id="an object"),
    pytest.param(_forgets_to_await, "not-a-boolean", id="a coroutine that nobody awaits"),
    pytest.param(lambda applicant: applicant.email.endswith(7), "TypeError", id="a mistake"),
    pytest.param(_never, "TimeoutError", id="no end, awaited"),
]


@pytest.mark.parametrize(("evaluate", "problem"), SAYS)
def test_only_true_is_a_yes(
    make: Make, ask: Ask, issuer: Issuer, heard: Heard, evaluate: Any, problem: str | None
) -> None:
    answer = ask(make(evaluate, timeout=0.1 if evaluate is _never else 5), Call.with_token(question(issuer)))
    assert answer.status == 200
    assert answer.claims == {"success": problem is None, "iat": NOW, "exp": NOW + 60, "nonce": NONCE}
    failures = [facts["error"] for facts in heard.facts("evaluation-failed")]
    # asyncio in a thread does not tell its own timeout from the function's
    assert [{"timeout": "TimeoutError"}.get(str(one), one) for one in failures] == (
        [] if problem is None else [problem]
    )
    assert "a secret" not in repr(heard)
    assert b"a secret" not in answer.body


def test_a_function_that_hangs_keeps_nobody_waiting(make: Make, ask: Ask, issuer: Issuer, hanging: Hanging) -> None:
    heard = Heard()
    answer = ask(make(hanging, timeout=0.05, listeners=[heard]), Call.with_token(question(issuer)))
    assert answer.claims["success"] is False
    assert heard.facts("evaluation-failed") == [{"error": "timeout"}]


def test_functions_that_hang_do_not_pile_up(make: Make, issuer: Issuer, heard: Heard, hanging: Hanging) -> None:
    endpoint = make(hanging, timeout=0.001)
    for number in range(33):
        answer = ask_wsgi(endpoint, Call.with_token(question(issuer, nonce=str(number))))
        assert answer.claims["success"] is False
    assert [facts["error"] for facts in heard.facts("evaluation-failed")] == ["timeout"] * 32 + ["busy"]


def test_asgi_asks_a_coroutine_function_on_its_own_loop(make: Make, issuer: Issuer) -> None:
    threads: list[int] = []

    async def evaluate(_: Applicant) -> bool:
        threads.append(threading.get_ident())
        return True

    ask_asgi(make(evaluate), Call.with_token(question(issuer)))
    assert threads == [threading.get_ident()]


# --- HTTP -------------------------------------------------------------------------------------------------------------

BODIES = [
    pytest.param((b"",), 400, id="empty"),
    pytest.param((b"null",), 400, id="null"),
    pytest.param((b'"token"',), 400, id="text"),
    pytest.param((b"[]",), 400, id="list"),
    pytest.param((b"{}",), 400, id="no token"),
    pytest.param((b'{"token":null}',), 400, id="null for a token"),
    pytest.param((b'{"token":7}',), 400, id="number for a token"),
    pytest.param((b'{"token":["a.b.c"]}',), 400, id="list for a token"),
    pytest.param((b'{"token":{"token":"a.b.c"}}',), 400, id="object for a token"),
    pytest.param((b"{'token':'a.b.c'}",), 400, id="not JSON"),
    pytest.param((b"token=a.b.c",), 400, id="a form"),
    pytest.param((b'{"token":"a.b.c","token":"a.b.c"}',), 400, id="two tokens"),
    pytest.param((b'{"token":"a.b.c"}{}',), 400, id="two documents"),
    pytest.param((b'{"token":"\xff"}',), 400, id="not UTF-8"),
    pytest.param((b'{"token":"' + b"[" * 5_000 + b'"', b"}"), 403, id="brackets for a token"),
    pytest.param((b"[" * 100_000,), 400, id="deep"),
    pytest.param((b'{"token":"', b"a" * 131_072, b'"}'), 413, id="long"),
    pytest.param((b'{"token":"\\ud800.b.c"}',), 403, id="a lone surrogate"),
]


@pytest.mark.parametrize(("chunks", "status"), BODIES)
@pytest.mark.parametrize("length", [True, None], ids=["announced", "chunked"])
def test_bodies(yes: ExternalEvaluation, ask: Ask, chunks: tuple[bytes, ...], status: int, length: bool | None) -> None:
    assert refused(ask(yes, Call(chunks=chunks, length=length)), status)


def test_a_body_in_pieces(yes: ExternalEvaluation, ask: Ask, issuer: Issuer) -> None:
    whole = json.dumps({"token": question(issuer), "more": 1}).encode()
    chunks = tuple(whole[at : at + 100] for at in range(0, len(whole), 100))
    assert ask(yes, Call(chunks=chunks, length=None)).claims["success"] is True


def test_an_identity_that_no_cookie_could_hold(make: Make, ask: Ask, issuer: Issuer) -> None:
    groups = [{"id": str(number), "name": f"group number {number}", "email": ""} for number in range(900)]
    token = question(issuer, identity={"email": ALICE, "groups": groups})
    assert 60_000 < len(token) < 131_072
    endpoint = make(lambda applicant: len(applicant.groups) == 900)
    assert ask(endpoint, Call.with_token(token)).claims["success"] is True


LENGTHS = [
    pytest.param("131073", 413, id="too long"),
    pytest.param("9" * 9_000, 413, id="no number that Python reads"),
    pytest.param("-1", 400, id="negative"),
    pytest.param("+5", 400, id="signed"),
    pytest.param("0x10", 400, id="hexadecimal"),
    pytest.param("\xb2", 400, id="superscript two"),
    pytest.param("1, 1", 400, id="a list"),
]


@pytest.mark.parametrize(("length", "status"), LENGTHS)
def test_announced_lengths_are_checked_before_anything_is_read(
    yes: ExternalEvaluation, ask: Ask, length: str, status: int
) -> None:
    assert refused(ask(yes, Call(chunks=(b"{}",), length=length)), status)


def test_a_body_that_ends_early(yes: ExternalEvaluation, issuer: Issuer) -> None:
    call = Call.with_token(question(issuer))
    short = Call(chunks=call.chunks, length=str(len(call.chunks[0]) + 1))
    assert refused(ask_wsgi(yes, short), 400)
    assert ask_asgi(yes, Call(chunks=(call.chunks[0][:9], b""), length=None, gone=True)).status == 0


def test_a_wsgi_server_that_cannot_tell_where_the_body_ends(yes: ExternalEvaluation, issuer: Issuer) -> None:
    call = Call.with_token(question(issuer), length=False)
    assert refused(ask_wsgi(yes, call), 400)


class _Broken:
    def read(self, _: int) -> bytes:
        raise OSError("connection reset")


def test_a_client_that_is_gone_is_no_error_of_the_application(yes: ExternalEvaluation) -> None:
    answers: list[str] = []
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "CONTENT_LENGTH": "5", "wsgi.input": _Broken()}
    yes.wsgi(environ, lambda status, *_: answers.append(status))  # type: ignore[arg-type]  # enough
    assert answers == ["400 Bad Request"]


TYPES = [
    pytest.param("application/json", 200, id="JSON"),
    pytest.param("Application/JSON; charset=utf-8", 200, id="JSON with a parameter"),
    pytest.param("application/jwt+json", 200, id="a kind of JSON"),
    pytest.param("text/plain;charset=UTF-8", 200, id="what fetch says of a text"),
    pytest.param(None, 200, id="none"),
    pytest.param("", 200, id="empty"),
    pytest.param("application/x-www-form-urlencoded", 415, id="a form"),
    pytest.param("multipart/form-data; boundary=x", 415, id="files"),
    pytest.param("text/html", 415, id="a page"),
    pytest.param("application/jsonx", 415, id="nearly JSON"),
]


@pytest.mark.parametrize(("content_type", "status"), TYPES)
def test_media_types(yes: ExternalEvaluation, ask: Ask, issuer: Issuer, content_type: str | None, status: int) -> None:
    headers = () if content_type is None else (("Content-Type", content_type),)
    answer = ask(yes, Call.with_token(question(issuer), headers=headers))
    assert answer.status == 200 if status == 200 else refused(answer, status)


@pytest.mark.parametrize(("encoding", "status"), [("identity", 200), ("gzip", 415), ("br, gzip", 415)])
def test_encodings(yes: ExternalEvaluation, ask: Ask, issuer: Issuer, encoding: str, status: int) -> None:
    call = Call.with_token(question(issuer), headers=(JSON, ("Content-Encoding", encoding)))
    assert ask(yes, call).status == status


def test_a_header_twice_is_no_question(yes: ExternalEvaluation, issuer: Issuer) -> None:
    call = Call.with_token(question(issuer), headers=(JSON, JSON))
    assert refused(ask_asgi(yes, call), 400)


PAGES = [
    pytest.param("POST", "/", "evaluate", id="evaluate"),
    pytest.param("POST", "", "evaluate", id="evaluate at the mount itself"),
    pytest.param("GET", "/keys", "keys", id="keys"),
    pytest.param("GET", "/keys/", "keys", id="keys with a slash"),
    pytest.param("HEAD", "/keys/", "head", id="keys without a body"),
    pytest.param("GET", "/", 405, id="evaluate is not got"),
    pytest.param("HEAD", "/", 405, id="nor its head"),
    pytest.param("PUT", "/", 405, id="nor put"),
    pytest.param("TRACE", "/", 405, id="nor traced"),
    pytest.param("POST", "/keys", 405, id="keys are not posted"),
    pytest.param("OPTIONS", "/keys/", 405, id="no other site asks"),
    pytest.param("GET", "/keys/x", 404, id="below the keys"),
    pytest.param("GET", "/Keys", 404, id="in capitals"),
    pytest.param("POST", "/evaluate", 404, id="another path"),
    pytest.param("HEAD", "/nothing", 404, id="the head of nothing"),
]


@pytest.mark.parametrize("root", ["", "/access"], ids=["root", "mounted"])
@pytest.mark.parametrize(("method", "path", "expected"), PAGES)
def test_pages(
    yes: ExternalEvaluation, ask: Ask, issuer: Issuer, method: str, path: str, expected: Any, root: str
) -> None:
    if not path and not root:
        path = "/"
    answer = ask(yes, Call.with_token(question(issuer), method=method, path=path, root=root))
    match expected:
        case "evaluate":
            assert answer.claims["success"] is True
        case "keys" | "head":
            assert answer.status == 200
            assert answer.headers["cache-control"] == "public, max-age=60"
            assert (answer.body == b"") is (expected == "head")
            assert int(answer.headers["content-length"]) > 300
        case status:
            assert answer.status == status
            assert answer.body == (b"" if method == "HEAD" else NO)
            allowed = {"/": "POST", "": "POST"}.get(path, "GET, HEAD")
            assert answer.headers.get("allow") == (allowed if status == 405 else None)


def test_what_only_begins_like_the_mount_is_not_below_it(make: Make, issuer: Issuer) -> None:
    endpoint, call = make(path="/access/x"), Call.with_token(question(issuer), path="ible/x")
    assert ask_asgi(endpoint, Call(chunks=call.chunks, path="/x", root="/access")).status == 404
    scope = {"type": "http", "method": "POST", "path": "/access/x", "root_path": "/acc", "headers": []}
    assert _asgi_status(endpoint, scope, call.chunks[0]) == 200


def _asgi_status(endpoint: ExternalEvaluation, scope: dict[str, Any], body: bytes) -> int:
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    anyio.run(endpoint.asgi, scope, receive, send)
    return statuses[0]


def test_the_paths_can_be_chosen(make: Make, ask: Ask, issuer: Issuer) -> None:
    endpoint = make(path="/access/evaluate", keys_path="/access/keys")
    assert ask(endpoint, Call.with_token(question(issuer), path="/access/evaluate/")).status == 200
    assert ask(endpoint, Call(method="GET", path="/access/keys/")).status == 200
    assert ask(endpoint, Call.with_token(question(issuer))).status == 404


def test_asgi_scopes_that_are_no_requests(yes: ExternalEvaluation) -> None:
    sent: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    anyio.run(yes.asgi, {"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    anyio.run(yes.asgi, {"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent[-1] == "websocket.close"


# --- keys of Access ---------------------------------------------------------------------------------------------------


def test_without_keys_of_access_nothing_is_known(make: Make, ask: Ask, issuer: Issuer) -> None:
    endpoint = make(keys=None, team_url="http://127.0.0.1:9", cold_wait=0.2)
    answer = ask(endpoint, Call.with_token(question(issuer)))
    assert refused(answer, 503)
    assert int(answer.headers["retry-after"]) >= 1
    assert not endpoint.health().ready


def test_a_closed_endpoint_answers_nothing(make: Make, ask: Ask, issuer: Issuer) -> None:
    endpoint = make()
    endpoint.close()
    assert refused(ask(endpoint, Call.with_token(question(issuer))), 503)


# --- configuration ----------------------------------------------------------------------------------------------------

MISTAKES = [
    pytest.param({"team": "evil.example"}, "team: ", id="team"),
    pytest.param({"team_url": "http://example.com"}, "team_url: ", id="team_url"),
    pytest.param({"certs_url": "ftp://x"}, "certs_url: ", id="certs_url"),
    pytest.param({"timeout": 0}, "timeout: is a number; give seconds from 0.001 to 60", id="timeout"),
    pytest.param({"timeout": True}, "timeout: is a boolean", id="boolean for a timeout"),
    pytest.param({"leeway": 301}, "leeway: ", id="leeway"),
    pytest.param({"cold_wait": 61}, "cold_wait: ", id="cold_wait"),
    pytest.param({"hard_ttl": 1}, "hard_ttl: ", id="hard_ttl"),
    pytest.param({"path": "evaluate"}, "path: is text of 8 characters; give a path", id="path"),
    pytest.param({"path": "/a/../b"}, "path: ", id="dots in a path"),
    pytest.param({"path": "/a*"}, "path: ", id="wildcard in a path"),
    pytest.param({"path": None}, "path: is None", id="no path"),
    pytest.param({"keys_path": "/keys/"}, "keys_path: ", id="slash at the end"),
    pytest.param({"keys_path": "/"}, "keys_path: is the same as path", id="one path for both"),
    pytest.param({"nonces": []}, "nonces: is a list of 0; give a function", id="nonces"),
    pytest.param({"listeners": ["x"]}, "listeners: text of 1 characters cannot be called", id="listeners"),
    pytest.param({"keys": {}}, "keys: ", id="keys of Access"),
    pytest.param({"signing_keys": 7}, "signing_keys: is a number; give the path", id="signing_keys"),
    pytest.param({"signing_keys": ""}, "signing_keys: is empty text; give the path", id="empty signing_keys"),
    pytest.param({"announce": 59}, "announce: ", id="announce"),
    pytest.param({"keep": 59}, "keep: ", id="keep"),
    pytest.param({"rotate_every": 100}, "rotate_every: is a number; give seconds from 300", id="rotate_every"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_mistakes_end_at_start_with_one_message(make: Make, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as mistake:
        make(**options)
    assert str(mistake.value).startswith(message)


def test_what_is_not_a_function_cannot_decide(make: Make) -> None:
    with pytest.raises(ConfigurationError, match=r"evaluate: is text of 4 characters; give a function of an Applicant"):
        make("true")
