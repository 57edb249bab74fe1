"""Does ``decode`` show what a token says, and never that it would be good?"""

import json
import re
from collections.abc import Callable

import pytest
from click.testing import Result

from cfaccess_mw.cli.decode import decode_token
from cfaccess_mw.cli.times import from_now, in_utc
from cfaccess_mw.core.encoding import decode_base64url
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import base64url
from tests.cli.team import ALICE, fresh
from tests.tokens import AUD, NOW

Run = Callable[..., Result]


@pytest.mark.parametrize("how", ["pipe", "dash", "argument"])
def test_a_token_is_shown_and_loudly_not_verified(how: str, issuer: Issuer, run: Run) -> None:
    token = fresh(issuer)
    given = {"pipe": (), "dash": ("-",), "argument": (token,)}[how]
    result = run("decode", *given, stdin=f"  {token}\n")
    for line in (
        "header, not verified",
        r"  alg +RS256",
        rf"  kid +{issuer.current.kid}",
        "claims, not verified",
        rf'  aud +\["{AUD}"\]',
        rf"  email +{ALICE}",
        r"  exp +\d+  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, in 23 hours",
        r"  iat +\d+  .* UTC, \d+ (second|minute)s? ago",
    ):
        assert re.search(f"^{line}$", result.stdout, re.MULTILINE), line
    assert "NOT VERIFIED" in result.stderr
    assert ("shell's history" in result.stderr) is (how == "argument")
    assert token not in result.output


def test_the_names_of_the_data_are_stable(issuer: Issuer, run: Run) -> None:
    token = issuer.service(audience=AUD, issued_at=0, expires_in=60)
    data = json.loads(run("decode", "--json", stdin=token).stdout)
    assert data["verified"] is False
    assert data["header"] == issuer.header()
    assert data["claims"] == json.loads(decode_base64url(token.split(".")[1].encode()))
    assert data["times"]["exp"]["utc"] == "1970-01-01 00:01:00 UTC"
    assert data["times"]["exp"]["from_now"].endswith(" days ago")
    assert list(data) == ["verified", "header", "claims", "times", "problems"]


@pytest.mark.parametrize(
    ("header", "claims", "problems"),
    [
        pytest.param({}, {}, [], id="nothing"),
        pytest.param({"alg": "none"}, {}, ["algorithm-not-allowed"], id="algorithm"),
        pytest.param({"jku": "https://evil.example"}, {}, ["forbidden-header"], id="forbidden"),
        pytest.param({"kid": 5}, {}, ["bad-key-id"], id="key-id"),
        pytest.param({}, {"type": "org"}, ["wrong-token-type"], id="organisation"),
        pytest.param({}, {"exp": NOW - 1}, ["expired"], id="expired"),
        pytest.param({}, {"nbf": NOW + 100}, ["not-yet-valid"], id="not-yet"),
        pytest.param({}, {"exp": True}, ["invalid-claim"], id="boolean"),
        pytest.param({}, {"exp": 10**400}, ["invalid-claim"], id="large"),
        pytest.param({}, {"iat": "now", "exp": "then"}, ["invalid-claim"], id="twice-the-same"),
        pytest.param(
            {"alg": "HS256"},
            {"type": "org", "exp": 1},
            ["algorithm-not-allowed", "wrong-token-type", "expired"],
            id="three",
        ),
    ],
)
def test_what_nobody_would_accept_is_told(
    header: dict[str, object], claims: dict[str, object], problems: list[str], issuer: Issuer, run: Run
) -> None:
    usual = {"aud": [AUD], "iat": int(NOW), "exp": int(NOW) + 60, "type": "app"}
    token = issuer.sign({**issuer.header(), **header}, {**usual, **claims})
    assert list(decode_token(token, NOW).problems) == problems
    said = run("decode", stdin=token).stdout
    assert all(
        f"would be refused: {problem}; " in said for problem in problems if problem not in ("expired", "not-yet-valid")
    )


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param("x", "malformed-token", id="no-token"),
        pytest.param("Bearer a.b.c d", "bad-encoding", id="a-scheme"),
        pytest.param("a.b.c.d.e", "malformed-token", id="encrypted"),
        pytest.param("\xe9.b.c", "malformed-token", id="not-ascii"),
        pytest.param("a." * 20_000, "oversized-token", id="long"),
        pytest.param("e30=.e30.eA", "bad-encoding", id="padded"),
        pytest.param("bm8.e30.eA", "bad-header", id="header-is-no-json"),
        pytest.param("e30.bm8.eA", "bad-payload", id="payload-is-no-json"),
        pytest.param("W10.e30.eA", "bad-header", id="header-is-a-list"),
        pytest.param("e30." + base64url(b'{"a":1,"a":2}') + ".eA", "bad-payload", id="a-member-twice"),
        pytest.param("e30." + base64url(b"[" * 10_000) + ".eA", "bad-payload", id="deep"),
    ],
)
def test_what_is_no_token_is_one_sentence(token: str, code: str, run: Run) -> None:
    for given, stdin in (((), token), ((token,), None)):
        result = run("decode", *given, stdin=stdin, status=1)
        assert result.stdout == ""
        assert [line for line in result.stderr.splitlines() if line.startswith(f"Error: token: is none ({code}); ")]


def test_nothing_in_a_token_moves_the_cursor(issuer: Issuer, run: Run) -> None:
    nasty = "\x1b]0;x\x07\x9b31m\x7f\r\n\u202e\u2028"
    payload = json.dumps({nasty: [nasty], "exp": nasty, "lone": "\ud800"}).encode()
    token = issuer.sign({**issuer.header(), nasty: nasty}, payload)
    for arguments in ((), ("--json",)):
        shown = run("decode", *arguments, stdin=token).stdout
        assert all(sign.isprintable() or sign == "\n" for sign in shown)
        assert shown.count("x1b") or shown.count("u001b")


def test_an_empty_pipe_is_a_mistake(run: Run) -> None:
    assert "token: standard input is empty" in run("decode", stdin=" \n", status=2).stderr


def test_a_pipe_without_an_end_is_not_read_to_it(run: Run) -> None:
    result = run("decode", stdin="a" * (2**20 + 1), status=2)
    assert "it has more than 1 MiB" in result.stderr


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        pytest.param(0, "in 0 seconds", id="now"),
        pytest.param(1.9, "in 1 second", id="second"),
        pytest.param(-59, "59 seconds ago", id="seconds"),
        pytest.param(60, "in 1 minute", id="minute"),
        pytest.param(-7_199, "1 hour ago", id="hour"),
        pytest.param(86_400 * 1_234, "in 1,234 days", id="days"),
    ],
)
def test_times_in_words(distance: float, said: str) -> None:
    assert from_now(NOW + distance, NOW) == said
    assert in_utc(NOW) == "2027-01-15 08:00:00 UTC"
