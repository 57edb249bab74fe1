"""Who does the application see, whatever a request says of itself?"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.servers.matrix import EVERY_PAIR
from tests.servers.process import Running
from tests.servers.raw import exchange, request, statuses
from tests.servers.tables import rows

ALICE = "alice@example.com"
PROTECTED, PUBLIC, OPTIONAL = "/whoami", "/static/x", "/maybe"

# Python's http.server ends a line at a bare carriage return (RFC 9112 section 2.2 would have it refused): what stands
# before it is a whole assertion.
READ_OTHERWISE: dict[tuple[str, str], str] = {("runserver", "bare-cr"): "either"}


def facts(answer: bytes) -> dict[str, Any] | None:
    """What a handler said that it saw; None where the request did not reach one."""
    for word in (b"SECRET ", b"PUBLIC "):
        _, found, rest = answer.partition(word)
        if found:
            shown: dict[str, Any] = json.JSONDecoder().raw_decode(rest.decode().partition(" ")[2])[0]
            return shown
    return None


def mistakes(shown: Mapping[str, Any] | None, good: str, outcome: str, path: str) -> list[str]:
    """What is wrong with what the application saw, or did not."""
    if shown is None:  # refused, by the door or by a server that minds the line; it never may mind a good one
        closed = outcome in ("refused", "either") or path == PROTECTED
        return [] if outcome != "known" and closed else ["refused"]
    who, seen = shown["scope"], shown["seen"]
    allowed = {"known": {ALICE}, "either": {ALICE, "none"}}.get(outcome, {"none"})
    expected = {
        "HTTP_CF_ACCESS_JWT_ASSERTION": good,
        "HTTP_CF_ACCESS_AUTHENTICATED_USER_EMAIL": ALICE,
        "REMOTE_USER": seen.get("REMOTE_USER"),  # is asked below; ASGI has neither
        "AUTH_TYPE": seen.get("REMOTE_USER") and "Cloudflare-Access",
    }
    verified = {name: value for name, value in expected.items() if value} if who == ALICE else {}
    checks = {
        f"was {who}": who in allowed,
        "passed without identity": path != PROTECTED or who == ALICE,
        f"current_identity() was {shown['current']}": who == shown["current"],
        f"saw {sorted(seen.items() ^ verified.items())}": seen == verified,
        "REMOTE_USER is not the subject": seen.get("REMOTE_USER") in (None, shown["id"]),
    }
    return [what for what, holds in checks.items() if not holds]


@pytest.mark.parametrize("path", [PROTECTED, PUBLIC, OPTIONAL])
@pytest.mark.parametrize("server", EVERY_PAIR, indirect=True, ids=str)
def test_the_application_sees_only_who_was_verified(server: Running, tokens: Mapping[str, str], path: str) -> None:
    """No row makes anybody of anybody, and the headers that the application sees were verified."""
    wrong = {}
    for row in rows("identity"):
        lines = [line.format(**tokens).encode("latin-1") for line in row["lines"]]
        outcome = READ_OTHERWISE.get((server.pair.server, row["id"])) or row["outcome"]
        found = mistakes(facts(exchange(server.port, request(path, *lines))), tokens["good"], outcome, path)
        if found:
            wrong[row["id"]] = found
    assert wrong == {}


@pytest.mark.parametrize("path", ["/admin", "/admin/x", "/api/admin", "/open/admin", "/whoami"])
def test_a_good_assertion_opens_every_protected_path(server: Running, tokens: Mapping[str, str], path: str) -> None:
    """The same handlers that no trick reaches."""
    answer = exchange(server.port, request(path, f"Cf-Access-Jwt-Assertion: {tokens['good']}"))
    assert statuses(answer) == [200]
    assert f"SECRET {ALICE} ".encode() in answer
