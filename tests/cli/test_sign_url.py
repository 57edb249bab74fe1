"""Can a shell sign a link and check one, and does no secret stand on a command line?"""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

SECRET, OLDER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
VECTOR = "/images/cat.jpg?verify=1484063787-XsZ5NmtNBxOd4f4fBOtqVmpWRnDRNkHKVZieqDPKu3U%3D"
URL_SAFE = "/download/cat.jpg?verify=1484063787-JcOQEFurDwNF66OcDJLopQxjsg3cB1KVO5-BFS9zZZ0"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of the environment."""
    monkeypatch.setenv("SIGNED_URL_SECRET", SECRET)


def test_what_is_signed_is_good(run: Run) -> None:
    signed = run("sign-url", "https://dl.example.com/a?x=1", "--ttl", "60").stdout.strip()
    assert signed.startswith("https://dl.example.com/a?x=1&verify=")
    assert run("check-url", signed, "--ttl", "60").stdout.startswith("good: /a, until ")
    assert run("check-url", "-", "--ttl", "60", stdin=f"{signed}\n").stdout.startswith("good: /a, until ")
    assert "link-expired" in run("check-url", signed, "--ttl", "60", "--at", "9999999999", status=1).stderr
    assert "link-forged" in run("check-url", signed.replace("x=1", "x=2"), "--ttl", "60", status=1).stderr


@pytest.mark.parametrize(
    ("secret", "link", "options"),
    [
        pytest.param("mysecrettoken", VECTOR, [], id="standard"),
        pytest.param("mysecretkey", URL_SAFE, ["--url-safe"], id="url-safe"),
    ],
)
def test_the_vectors_agree(
    run: Run, monkeypatch: pytest.MonkeyPatch, secret: str, link: str, options: list[str]
) -> None:
    monkeypatch.setenv("SIGNED_URL_SECRET", secret)
    path = link.partition("?")[0]
    assert run("sign-url", path, "--issued-at", "1484063787", *options).stdout.strip() == link
    assert run("check-url", link, "--at", "1484063788", *options).stdout.startswith("good: ")


def test_secrets_come_from_a_file_or_a_pipe_and_are_rotated(run: Run, folder: Path) -> None:
    (folder / "secrets").write_text(f"{SECRET}\n{OLDER}\n")
    (folder / "older").write_text(OLDER)
    signed = run("sign-url", "/a", "--secret-file", "older").stdout.strip()
    assert run("check-url", signed, "--secret-file", "secrets").exit_code == 0
    assert run("check-url", signed, "--secret-file", "-", stdin=f"{OLDER}\n").exit_code == 0
    assert "link-forged" in run("check-url", signed, status=1).stderr, "the environment's is another"
    newer = run("sign-url", "/a", "--secret-file", "secrets", "--issued-at", "1795342800").stdout
    assert newer == run("sign-url", "/a", "--issued-at", "1795342800").stdout, "the first one signs"


def test_data_for_programs(run: Run) -> None:
    made = json.loads(run("sign-url", "/a", "--issued-at", "1795342800", "--ttl", "100", "--json").stdout)
    assert (made["issued_at"], made["expires_at"], made["expires"]) == (
        1795342800,
        1795342900,
        "2026-11-22 10:21:40 UTC",
    )
    assert made["expression"].startswith("is_timed_hmac_valid_v0(")
    good = json.loads(run("check-url", made["url"], "--ttl", "100", "--at", "1795342800", "--json").stdout)
    assert good == {"good": True, "path": "/a", "query": "", "issued_at": 1795342800, "expires_at": 1795342900}
    bad = json.loads(run("check-url", "/a", "--json", status=1).stdout)
    assert (bad["good"], bad["code"]) == (False, "link-missing")


def test_bound_links_directories_and_another_parameter(run: Run) -> None:
    options = ["--parameter", "token", "--bound", "192.0.2.7", "--bound", "alice"]
    signed = run("sign-url", "/a", *options).stdout.strip()
    assert "/a?token=" in signed
    run("check-url", signed, *options)
    assert "link-forged" in run("check-url", signed, *options[:4], status=1).stderr
    stamp = run("sign-url", "/v/ab/", "--directory", "6").stdout.strip().partition("?")[2]
    run("check-url", f"/v/ab/1.ts?{stamp}", "--directory", "6")


def test_a_link_may_say_when_it_ends(run: Run) -> None:
    signed = run("sign-url", "/a", "--ttl", "0", "--expires-at", "1484063787").stdout.strip()
    run("check-url", signed, "--ttl", "0", "--at", "1484063786")
    assert "link-expired" in run("check-url", signed, "--ttl", "0", status=1).stderr


@pytest.mark.parametrize("command", ["sign-url", "check-url"])
@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        pytest.param([], None, "Missing argument 'URL'", id="no-url"),
        pytest.param(["/a", "--secret", "x"], None, "No such option", id="a-secret-in-an-argument"),
        pytest.param(["/a", "--secret-file", "nowhere"], None, "secrets: nowhere cannot be read", id="no-file"),
        pytest.param(["/a", "--secret-file", "-"], "", "secrets: standard input holds no text", id="an-empty-pipe"),
        pytest.param(
            ["-", "--secret-file", "-"], SECRET, "url: standard input holds the secrets", id="one-pipe-for-both"
        ),
        pytest.param(["-"], "", "url: standard input is empty", id="an-empty-url"),
        pytest.param(["/a", "--ttl", "-1"], None, "Invalid value for '--ttl'", id="negative-ttl"),
        pytest.param(["/a", "--parameter", "a b"], None, "parameter: is text of 3 characters", id="parameter"),
    ],
)
def test_a_mistake_is_one_sentence(
    run: Run, command: str, arguments: list[str], stdin: str | None, message: str
) -> None:
    result = run(command, *arguments, stdin=stdin, status=2)
    assert message in result.stderr
    assert result.stdout == ""
    assert SECRET not in result.output


@pytest.mark.parametrize("value", ["", " "], ids=["empty", "blank"])
def test_no_secret_is_a_mistake(run: Run, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SIGNED_URL_SECRET", value)
    assert "Error: secrets: " in run("sign-url", "/a", status=2).stderr


def test_a_file_that_is_no_text_is_a_mistake(run: Run, folder: Path) -> None:
    (folder / "key").write_bytes(b"\xff\xfe\x00\x01")
    assert "secrets: key holds no text" in run("sign-url", "/a", "--secret-file", "key", status=2).stderr


def test_what_cannot_be_signed_is_a_mistake(run: Run) -> None:
    assert "Error: url: is text of 6 characters" in run("sign-url", "/a b/c", status=2).stderr
    assert "Error: expires_at: " in run("sign-url", "/a", "--expires-at", "9999999999", status=2).stderr
