"""What only the WSGI door does: bodies that run while they are iterated, and native strings."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import nullcontext
from io import BytesIO
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest

from cfaccess_mw import Identity, Rule, current_identity
from cfaccess_mw.core.decide import Refusal
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.wsgi import AccessMiddleware
from tests.tokens import AUD

Environ = dict[str, Any]


@pytest.fixture
def token(issuer: Issuer) -> str:
    """A good token of now."""
    return issuer.user("alice@example.com", audience=AUD, issued_at=time.time())


@pytest.fixture
def wrap(issuer: Issuer) -> Callable[..., AccessMiddleware]:
    """Put the door before an application."""
    return lambda application, **options: AccessMiddleware(
        application, **{"team": "acme", "audience": AUD, "keys": issuer.certs(), **options}
    )


def environ_of(token: str | None = None, **more: Any) -> Environ:
    environ: Environ = {}
    setup_testing_defaults(environ)
    if token is not None:
        environ["HTTP_CF_ACCESS_JWT_ASSERTION"] = token
    return {**environ, **more}


def start(*_: object) -> Callable[[bytes], object]:
    return lambda _: None


def email_of(identity: Identity | None) -> str | None:
    return None if identity is None else identity.email


class Body:
    """A body that notes who is asking whenever it runs."""

    def __init__(self, *, broken: bool = False) -> None:
        self.seen: list[str | None] = []
        self.closed = False
        self._left = 2
        self._broken = broken

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        self._left -= 1
        self.seen.append(email_of(current_identity()))
        return b"part"

    def close(self) -> None:
        self.seen.append(email_of(current_identity()))
        self.closed = True
        if self._broken:
            raise RuntimeError("broken")


def close(body: Iterable[bytes]) -> None:
    body.close()  # type: ignore[attr-defined]


def test_a_body_knows_who_asks_while_it_is_iterated_and_closed(
    wrap: Callable[..., AccessMiddleware], token: str
) -> None:
    inner = Body()
    body = wrap(lambda *_: inner)(environ_of(token), start)
    assert list(body) == [b"part", b"part"]
    close(body)
    assert inner.seen == ["alice@example.com"] * 3
    assert inner.closed
    assert current_identity() is None


@pytest.mark.parametrize("broken", [False, True], ids=["closes", "fails-to-close"])
def test_a_generator_around_a_body_that_is_left_closes_it_and_shows_nobody(
    wrap: Callable[..., AccessMiddleware], token: str, broken: bool
) -> None:
    inner = Body(broken=broken)
    door = wrap(lambda *_: inner)

    def around() -> Generator[bytes, None, None]:
        yield from door(environ_of(token), start)  # closes what it iterates, and not what it was given

    running = around()
    assert next(running) == b"part"
    with pytest.raises(RuntimeError, match="broken") if broken else nullcontext():
        running.close()
    assert inner.closed
    assert inner.seen == ["alice@example.com"] * 2
    assert current_identity() is None


def test_two_bodies_iterated_in_turn_do_not_mix(
    wrap: Callable[..., AccessMiddleware], issuer: Issuer, token: str
) -> None:
    bodies = [Body(), Body()]
    door = wrap(lambda environ, _: bodies[environ["which"]])
    bob = issuer.user("bob@example.com", audience=AUD, issued_at=time.time())
    running = [door(environ_of(token, which=0), start), door(environ_of(bob, which=1), start)]
    for pair in zip(*running, strict=True):
        assert pair == (b"part", b"part")
    for body in running:
        close(body)
    assert bodies[0].seen == ["alice@example.com"] * 3
    assert bodies[1].seen == ["bob@example.com"] * 3


def test_a_generator_starts_its_response_as_who_asks(wrap: Callable[..., AccessMiddleware], token: str) -> None:
    def generating(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield str(email_of(current_identity())).encode()

    body = wrap(generating)(environ_of(token), start)
    assert b"".join(body) == b"alice@example.com"
    close(body)


class Repeatable:
    """A body that begins anew for whoever asks, as Django's responses and many an application's own do."""

    def __init__(self) -> None:
        self.begun = 0

    def __iter__(self) -> Iterator[bytes]:
        self.begun += 1
        return iter((b"a", b"b", b"c"))


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda body: [*body], id="once"),
        pytest.param(lambda body: [next(iter(body)), *body], id="the-first-then-the-rest"),
        pytest.param(lambda body: [*iter(iter(body))], id="an-iterator-of-an-iterator"),
        pytest.param(lambda body: [next(body), *body], id="without-asking-for-an-iterator"),
    ],
)
def test_a_body_is_begun_once(
    wrap: Callable[..., AccessMiddleware], token: str, read: Callable[[Any], list[bytes]]
) -> None:
    inner = Repeatable()
    body = wrap(lambda *_: inner)(environ_of(token), start)
    assert read(body) == [b"a", b"b", b"c"]
    assert inner.begun == 1
    close(body)


def test_a_reused_thread_never_shows_the_last_person(wrap: Callable[..., AccessMiddleware], token: str) -> None:
    seen: list[str | None] = []

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        seen.append(email_of(current_identity()))
        return Body()  # and nobody iterates or closes it

    door = wrap(application, rules=[Rule.public("/healthz")])
    door(environ_of(token), start)
    door(environ_of(PATH_INFO="/healthz"), start)
    assert seen == ["alice@example.com", None]


def test_nobody_is_left_behind_when_the_application_raises(wrap: Callable[..., AccessMiddleware], token: str) -> None:
    def broken(environ: Environ, start_response: Any) -> Iterable[bytes]:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        wrap(broken)(environ_of(token), start)
    assert current_identity() is None


def test_nobody_is_left_behind_when_closing_raises(wrap: Callable[..., AccessMiddleware], token: str) -> None:
    class Broken(Body):
        def close(self) -> None:
            raise RuntimeError("broken")

    body = wrap(lambda *_: Broken())(environ_of(token), start)
    with pytest.raises(RuntimeError, match="broken"):
        close(body)
    assert current_identity() is None


def test_a_body_without_close_is_closed(wrap: Callable[..., AccessMiddleware], token: str) -> None:
    body = wrap(lambda *_: iter([b"x"]))(environ_of(token), start)
    assert list(body) == [b"x"]
    close(body)
    assert current_identity() is None


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: [b"x"], id="list"),
        pytest.param(lambda: (b"x",), id="tuple"),
        pytest.param(lambda: FileWrapper(BytesIO(b"x")), id="file-that-the-server-sends"),
    ],
)
def test_what_is_ready_is_passed_on_as_it_is(
    wrap: Callable[..., AccessMiddleware], token: str, make: Callable[[], Iterable[bytes]]
) -> None:
    made = make()
    body = wrap(lambda *_: made)(environ_of(token, **{"wsgi.file_wrapper": FileWrapper}), start)
    assert body is made
    assert current_identity() is None


def test_a_list_that_does_something_is_not_ready(wrap: Callable[..., AccessMiddleware], token: str) -> None:
    class Closing(list[bytes]):
        closed_as: str | None = None

        def close(self) -> None:
            self.closed_as = email_of(current_identity())

    made = Closing([b"x"])
    close(wrap(lambda *_: made)(environ_of(token), start))
    assert made.closed_as == "alice@example.com"


@pytest.mark.parametrize("path", ["/\xe9", "/\xff\xfe"], ids=["latin-1", "bytes"])
def test_a_path_that_is_not_utf_8_is_refused(wrap: Callable[..., AccessMiddleware], token: str, path: str) -> None:
    started: list[str] = []

    def starting(status: str, *_: object) -> Callable[[bytes], object]:
        started.append(status)
        return lambda _: None

    body = wrap(lambda *_: [b"reached"])(environ_of(token, PATH_INFO=path), starting)
    assert started == ["400 Bad Request"]
    assert b"ambiguous-path" in b"".join(body)


def test_wrapping_twice_is_harmless(wrap: Callable[..., AccessMiddleware], token: str) -> None:
    seen: list[Environ] = []

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        seen.append(environ)
        return []

    wrap(wrap(application))(environ_of(token), start)
    assert seen[0]["cfaccess.identity"].email == "alice@example.com"
    assert seen[0]["REMOTE_USER"] == seen[0]["cfaccess.identity"].id


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param({"PATH_INFO": "/open"}, {"PATH_INFO": "/closed"}, id="path"),
        pytest.param({"PATH_INFO": "/open"}, {"PATH_INFO": "/open", "RAW_URI": "/open;/../closed"}, id="as-sent"),
        pytest.param({"PATH_INFO": "/open"}, {"PATH_INFO": "/open", "REQUEST_URI": "/closed"}, id="as-sent-elsewhere"),
        pytest.param({"PATH_INFO": "/open"}, {"SCRIPT_NAME": "/x", "PATH_INFO": "/open"}, id="mount"),
        pytest.param({"PATH_INFO": "/open"}, {"PATH_INFO": "/open", "HTTP_SCRIPT_NAME": "/x"}, id="mount-by-header"),
        pytest.param(
            {"SCRIPT_NAME": "/open", "PATH_INFO": "/b"},
            {"SCRIPT_NAME": "/open", "PATH_INFO": "/b", "HTTP_X_FORWARDED_PREFIX": "/open"},
            id="mount-that-a-header-names",
        ),
        pytest.param({"PATH_INFO": "/get"}, {"PATH_INFO": "/get", "REQUEST_METHOD": "POST"}, id="method"),
        pytest.param({"PATH_INFO": "/host"}, {"PATH_INFO": "/host", "HTTP_HOST": "b.example"}, id="host"),
    ],
)
def test_a_path_that_was_open_before_opens_no_other(
    wrap: Callable[..., AccessMiddleware], first: Environ, then: Environ
) -> None:
    rules = [
        *(Rule.public("/open"), Rule.public("/open/*"), Rule.public("/get", methods=["GET"])),
        Rule.public("/host", hosts=["a.example"]),
    ]
    door = wrap(lambda *_: [b""], rules=rules, host_routing=True)
    given = {"HTTP_HOST": "a.example"}
    assert not isinstance(door.decide(environ_of(**{**given, **first})), Refusal)
    assert isinstance(door.decide(environ_of(**{**given, **then})), Refusal)
    assert not isinstance(door.decide(environ_of(**{**given, **first})), Refusal)


@pytest.mark.parametrize("key", ["RAW_URI", "REQUEST_URI"])
@pytest.mark.parametrize("target", [b"/b", ["/b"], 1], ids=["bytes", "list", "number"])
def test_a_target_that_is_no_text_is_refused(
    wrap: Callable[..., AccessMiddleware], token: str, key: str, target: object
) -> None:
    decision = wrap(lambda *_: [b""]).decide(environ_of(token, PATH_INFO="/b", **{key: target}))
    assert isinstance(decision, Refusal)
    assert decision.error.code == "ambiguous-path"


def test_queries_fill_no_memory(wrap: Callable[..., AccessMiddleware]) -> None:
    door = wrap(lambda *_: [b""])
    for number in range(100):
        door.decide(environ_of(PATH_INFO="/search", QUERY_STRING=f"q={number}", RAW_URI=f"/search?q={number}"))
    assert (len(door._found), door.protection.rules.remembered) == (1, 1)
