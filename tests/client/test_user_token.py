"""A program that calls as the person who signed in with cloudflared."""

import functools
import json
import os
import sys
from pathlib import Path

import pytest

from cfaccess_mw.client import (
    CloudflaredFailed,
    CredentialsRefused,
    CredentialsUnusable,
    LoginDemanded,
    NotAdmitted,
    SignInPending,
    UserToken,
    UserTokenExpired,
    UserTokenMissing,
    ask_cloudflared,
    find_token,
    read_token,
)
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.policy_reading import read_policies
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE, Application, audience_for
from cfaccess_mw.emulator.issuer import Issuer
from tests.client.calling import BODY, CLIENTS, Open, every_client
from tests.client.conftest import NOW, Clock, Emulate, Serve
from tests.client.site import Says, Site, in_turn

URL = "https://app.example.com"
OTHER_AUD = audience_for(path="/other")


@pytest.fixture
def alice(team: Issuer) -> str:
    return team.user("alice@example.com", audience=DEFAULT_AUDIENCE, expires_in=3_600)


def put(folder: Path, token: str, name: str = "app.example.com", audience: str = DEFAULT_AUDIENCE) -> Path:
    path = folder / f"{name}-{audience}-token"
    path.write_text(token)
    return path


def test_the_application_sees_the_person(emulate: Emulate, site: Site, clock: Clock, alice: str) -> None:
    edge = emulate()
    for client in CLIENTS.values():
        with client(UserToken(edge.url, token=lambda: alice, clock=clock)) as call:
            assert call(f"{edge.url}/a").status == 200
    assert {asked.get("cf-access-authenticated-user-email") for asked in site.asked} == {"alice@example.com"}


@every_client
class TestCalling:
    def test_the_token_goes_in_its_header_and_no_cookie_beside_it(
        self, client: Open, site: Site, clock: Clock, alice: str
    ) -> None:
        with client(UserToken(site.url, token=lambda: alice, clock=clock)) as call:
            call(f"{site.url}/a", headers={"Cookie": "CF_Authorization=mine", "CF-Access-Client-Secret": "mine"})
        assert site.brought() == [{"cf-access-token"}]
        assert site.asked[0].all("cf-access-token") == [alice]

    def test_it_is_asked_for_once_until_it_expires(
        self, client: Open, site: Site, clock: Clock, team: Issuer, alice: str
    ) -> None:
        given = [alice]
        with client(UserToken(site.url, token=given.pop, clock=clock)) as call:
            call(f"{site.url}/a")
            call(f"{site.url}/a")
            clock.now += 3_600
            given.append(team.user("alice@example.com", audience=DEFAULT_AUDIENCE))
            call(f"{site.url}/a")
        first, second, third = (asked.get("cf-access-token") for asked in site.asked)
        assert first == second != third

    def test_an_expired_one_says_how_to_sign_in(self, client: Open, site: Site, clock: Clock, alice: str) -> None:
        clock.now += 3_600
        with (
            client(UserToken(site.url, token=lambda: alice, clock=clock)) as call,
            pytest.raises(UserTokenExpired, match=f"run: cloudflared access login {site.url}$"),
        ):
            call(f"{site.url}/a")
        assert site.asked == []

    def test_one_that_is_refused_is_asked_for_again(
        self, client: Open, serve: Serve, clock: Clock, team: Issuer, alice: str
    ) -> None:
        site = serve(in_turn(Says(401, (("cf-access-aud", "x"),)), Says()))
        given = [team.user("alice@example.com", audience=DEFAULT_AUDIENCE), alice]
        with client(UserToken(site.url, token=given.pop, clock=clock)) as call:
            assert call(f"{site.url}/a", method="POST", body="bytes").status == 200
        assert [asked.body for asked in site.asked] == [BODY, BODY]
        assert given == []

    def test_the_same_one_is_not_tried_twice(self, client: Open, serve: Serve, clock: Clock, alice: str) -> None:
        site = serve(lambda _: Says(401, (("cf-access-aud", "x"),)))
        with client(UserToken(site.url, token=lambda: alice, clock=clock)) as call, pytest.raises(CredentialsRefused):
            call(f"{site.url}/a")
        assert len(site.asked) == 1

    def test_one_that_was_refused_is_not_held(
        self, client: Open, serve: Serve, clock: Clock, team: Issuer, alice: str
    ) -> None:
        site = serve(in_turn(Says(401, (("cf-access-aud", "x"),)), Says()))
        given = [team.user("alice@example.com", audience=DEFAULT_AUDIENCE), alice]
        with client(UserToken(site.url, token=given.pop, clock=clock)) as call:
            with pytest.raises(CredentialsRefused):
                call(f"{site.url}/a", method="POST", body="stream")
            assert call(f"{site.url}/a").status == 200
        assert (len(site.asked), given) == (2, [])

    def test_what_is_no_token_is_not_sent(self, client: Open, site: Site, clock: Clock) -> None:
        for given in ("no token\r\nX-Other: 1", None):
            with (
                client(UserToken(site.url, token=lambda given=given: given, clock=clock)) as call,  # type: ignore[misc]
                pytest.raises(CredentialsUnusable) as raised,
            ):
                call(f"{site.url}/a")
            assert "X-Other" not in str(raised.value)
        assert site.asked == []


NOBODY = read_policies([{"decision": "allow", "include": [{"email": "bob@example.com"}]}])


@pytest.mark.parametrize(
    ("application", "expected", "said"),
    [
        pytest.param({}, LoginDemanded, "run: cloudflared access login", id="signed out"),
        pytest.param({"policies": NOBODY}, NotAdmitted, "ask whoever runs the application", id="not admitted"),
    ],
)
def test_what_access_says_of_a_person(
    emulate: Emulate, clock: Clock, alice: str, application: dict[str, tuple[()]], expected: type[Exception], said: str
) -> None:
    edge = emulate(applications=[Application(**application)])  # type: ignore[arg-type]  # policies
    if not application:
        edge.revoke(email="alice@example.com")
    with (
        CLIENTS["httpx"](UserToken(edge.url, token=lambda: alice, clock=clock)) as call,
        pytest.raises(expected, match=said) as raised,
    ):
        call(f"{edge.url}/a")
    assert isinstance(raised.value, LoginDemanded | NotAdmitted)
    assert raised.value.status in (302, 403)
    assert len(raised.value.ray) == 20


def test_401_is_an_error_that_says_how_to_sign_in(serve: Serve, clock: Clock, alice: str) -> None:
    site = serve(lambda _: Says(401, (("cf-access-aud", "x"),)))
    with (
        CLIENTS["httpx"](UserToken(site.url, token=lambda: alice, clock=clock)) as call,
        pytest.raises(CredentialsRefused, match="run: cloudflared access login"),
    ):
        call(f"{site.url}/a")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.example.com",
        "ftp://app.example.com",
        "https://",
        "-app=x",
        "https://a.example?x",
        "https://a.example#x",
        7,
    ],
)
def test_what_is_no_address(url: str) -> None:
    for ask in (UserToken, read_token, ask_cloudflared, find_token):
        with pytest.raises(ConfigurationError, match=r"url: .*https://app.example.com"):
            ask(url)


def test_a_token_itself_is_not_taken() -> None:
    with pytest.raises(ConfigurationError, match="token: is text of 3 characters; give a callable"):
        UserToken(URL, token="abc")  # type: ignore[arg-type]  # it is the mistake


class TestFiles:
    def read(self, folder: Path, url: str = URL, clock: Clock | None = None) -> str:
        return read_token(url, directory=folder, clock=clock or Clock())

    @pytest.mark.parametrize(
        ("name", "url"),
        [
            pytest.param("app.example.com", URL, id="a host"),
            pytest.param("app.example.com", "https://APP.example.com:8443/a/b", id="a host, asked for below"),
            pytest.param("app.example.com-a-b", "https://app.example.com/a/b/c", id="a path"),
            pytest.param("-.example.com", URL, id="a wildcard"),
            pytest.param("-.example.com-a", "https://app.example.com/a", id="a wildcard with a path"),
        ],
    )
    def test_an_application_finds_its_file(self, tmp_path: Path, alice: str, name: str, url: str) -> None:
        put(tmp_path, f"{alice}\n", name)
        assert self.read(tmp_path, url) == alice

    @pytest.mark.parametrize(
        "name",
        ["app.example.com-a-b", "example.com", "xapp.example.com", "-.app.example.com", "-.com", "app.example.com-"],
    )
    def test_another_application_does_not(self, tmp_path: Path, alice: str, name: str) -> None:
        put(tmp_path, alice, name)
        with pytest.raises(UserTokenMissing, match=r"run: cloudflared access login https://app\.example\.com$"):
            self.read(tmp_path)

    def test_the_most_specific_counts_and_then_the_youngest(self, tmp_path: Path, clock: Clock, team: Issuer) -> None:
        tokens = {}
        for name, audience in (
            ("-.example.com", "f" * 64),
            ("app.example.com", "d" * 64),
            ("app.example.com", "e" * 64),
        ):
            clock.now += 1
            tokens[audience] = team.user("a@example.com", audience=audience)
            put(tmp_path, tokens[audience], name, audience)
        assert self.read(tmp_path) == tokens["e" * 64]
        put(tmp_path, "half a tok", audience="e" * 64)
        assert self.read(tmp_path) == tokens["d" * 64]
        put(tmp_path, "", audience="d" * 64)
        assert self.read(tmp_path) == tokens["f" * 64]

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda path, token: path.write_text(token[: len(token) // 2]), id="half written"),
            pytest.param(lambda path, token: path.write_bytes(b"\xff" * 100), id="bytes"),
            pytest.param(lambda path, token: path.write_text(token + "A" * 20_000), id="huge"),
            pytest.param(lambda path, token: path.rename(path.parent / "app.example.com-aud-token"), id="no AUD tag"),
            pytest.param(
                lambda path, token: path.rename(path.parent / f"app.example.com-{OTHER_AUD}-token"), id="for another"
            ),
            pytest.param(lambda path, token: (path.unlink(), path.mkdir()), id="a folder"),
        ],
    )
    def test_what_is_no_token_is_none(self, tmp_path: Path, alice: str, spoil: object) -> None:
        spoil(put(tmp_path, alice), alice)  # type: ignore[operator]  # a function
        with pytest.raises(UserTokenMissing):
            self.read(tmp_path)

    def test_no_folder_is_no_token(self, tmp_path: Path) -> None:
        with pytest.raises(UserTokenMissing):
            self.read(tmp_path / "nowhere")

    def test_an_expired_one_is_said_to_be(self, tmp_path: Path, alice: str, clock: Clock) -> None:
        put(tmp_path, alice)
        clock.now += 3_600
        with pytest.raises(
            UserTokenExpired, match=r"has expired; run: cloudflared access login https://app\.example\.com$"
        ):
            self.read(tmp_path, clock=clock)

    def test_the_folder_is_in_the_home(self, tmp_path: Path, alice: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".cloudflared").mkdir()
        put(tmp_path / ".cloudflared", alice)
        assert read_token(URL, clock=Clock()) == alice

    @pytest.mark.parametrize(
        ("lock", "age", "expected"),
        [
            pytest.param({"pid": os.getpid(), "start_time": 1}, 0, SignInPending, id="held"),
            pytest.param({"pid": os.getpid()}, 599, SignInPending, id="held for long"),
            pytest.param({"pid": os.getpid()}, 601, UserTokenMissing, id="left behind"),
            pytest.param({"pid": 2**22 + 1}, 0, UserTokenMissing, id="of a process that is gone"),
            pytest.param({"pid": 2**70}, 0, UserTokenMissing, id="of a process that cannot be"),
            pytest.param({"pid": -1}, 0, UserTokenMissing, id="of all processes"),
            pytest.param({"pid": "1"}, 0, UserTokenMissing, id="of text"),
            pytest.param({}, 0, UserTokenMissing, id="of nobody"),
            pytest.param([], 0, UserTokenMissing, id="no object"),
            pytest.param(None, 0, UserTokenMissing, id="half written"),
        ],
    )
    def test_a_lock_says_that_somebody_is_signing_in(
        self, tmp_path: Path, lock: object, age: float, expected: type[Exception]
    ) -> None:
        path = tmp_path / f"app.example.com-{DEFAULT_AUDIENCE}-token.lock"
        path.write_text('{"pid":' if lock is None else json.dumps(lock))
        os.utime(path, (NOW - age, NOW - age))
        with pytest.raises(expected):
            self.read(tmp_path)

    def test_a_lock_does_not_stand_before_a_good_token(self, tmp_path: Path, alice: str) -> None:
        path = put(tmp_path, alice)
        lock = path.with_name(path.name + ".lock")
        lock.write_text(json.dumps({"pid": os.getpid(), "start_time": 1}))
        os.utime(lock, (NOW, NOW))
        assert self.read(tmp_path) == alice


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program in the place of cloudflared, which does what ``script`` says."""
    path = tmp_path / "cloudflared"
    path.write_text(f"#!{sys.executable} -IS\nimport sys\nexec(open({str(tmp_path / 'script')!r}).read())\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(os.name == "nt", reason="the program is a script with its interpreter in the first line")
class TestProgram:
    def run(self, program: Path, script: str, *, timeout: float = 20) -> str:
        (program.parent / "script").write_text(script)
        return ask_cloudflared(URL, program=str(program), timeout=timeout, clock=Clock())

    def test_it_is_asked_as_it_wants_to_be(self, program: Path, alice: str) -> None:
        script = f"assert sys.argv[1:] == ['access', 'token', '-app={URL}'], sys.argv; print({alice!r}, end='')"
        assert self.run(program, script) == alice

    @pytest.mark.parametrize(
        ("script", "expected", "said"),
        [
            pytest.param(
                "sys.exit('Unable to find token for provided application. Please run login command')",
                UserTokenMissing,
                "run: cloudflared access login https://app.example.com$",
                id="no token",
            ),
            pytest.param("sys.exit(3)", CloudflaredFailed, "exit code 3; try it by hand", id="failed"),
            pytest.param(
                "sys.stdin.read(); print('hello')", CredentialsUnusable, "text of 5 characters", id="no token at all"
            ),
            pytest.param("pass", CredentialsUnusable, "empty text", id="nothing"),
        ],
    )
    def test_what_it_may_say(self, program: Path, script: str, expected: type[Exception], said: str) -> None:
        with pytest.raises(expected, match=said):
            self.run(program, script)

    def test_an_expired_token_is_said_to_be(self, program: Path, team: Issuer) -> None:
        old = team.user("a@example.com", audience=DEFAULT_AUDIENCE, issued_at=NOW - 7_200, expires_in=3_600)
        with pytest.raises(UserTokenExpired, match="run: cloudflared access login"):
            self.run(program, f"print({old!r})")

    def test_it_is_not_waited_for_for_ever(self, program: Path) -> None:
        with pytest.raises(CloudflaredFailed, match=r"did not answer within 0\.3 seconds"):
            self.run(program, "import time; time.sleep(60)", timeout=0.3)

    def test_it_may_not_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(CloudflaredFailed, match="could not be started; install it, or give program="):
            ask_cloudflared(URL, program=str(tmp_path / "nothing"))

    def test_files_come_before_the_program(self, program: Path, tmp_path: Path, alice: str, team: Issuer) -> None:
        find = functools.partial(find_token, URL, directory=tmp_path, program=str(program), clock=Clock())
        other = team.user("bob@example.com", audience=DEFAULT_AUDIENCE)
        (tmp_path / "script").write_text(f"print({other!r})")
        assert find() == other
        put(tmp_path, alice)
        assert find() == alice

    def test_without_both_it_is_said_how_to_sign_in(self, tmp_path: Path) -> None:
        with pytest.raises(UserTokenMissing, match="run: cloudflared access login"):
            find_token(URL, directory=tmp_path, program=str(tmp_path / "nothing"))

    @every_client
    def test_a_user_token_finds_it_by_itself(
        self, client: Open, tmp_path: Path, site: Site, clock: Clock, alice: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".cloudflared").mkdir()
        put(tmp_path / ".cloudflared", alice, "127.0.0.1")
        with client(UserToken(site.url, clock=clock)) as call:
            call(f"{site.url}/a")
        assert site.asked[0].get("cf-access-token") == alice
