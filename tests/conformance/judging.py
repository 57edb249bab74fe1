"""Is an answer what a row says? Everything that every answer must be is asked of each, whatever its row is about."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.conformance.people import Person
from tests.conformance.row import Row, filled
from tests.servers.raw import Answer

_NOTHING: Mapping[str, Any] = {}


def mistakes(
    row: Row,
    answer: Answer,
    people: Mapping[str, Person],
    tokens: Mapping[str, str],
    *,
    interface: str,
    can_deny: bool = True,
    close_code: str = "1008",
) -> list[str]:
    """What is wrong with an answer.

    Args:
        row: What was sent, and what is expected.
        answer: What came back.
        people: Whom applications may see.
        tokens: What rows may bring.
        interface: ``asgi`` or ``wsgi``.
        can_deny: Whether a WebSocket can be refused with a whole response.
        close_code: With which it is closed otherwise, where that is seen.
    """
    if row.websocket and row.status != 101 and not can_deny:
        is_closed = answer.status == 403 and not answer.body and answer.header("close") in (None, close_code)
        return [] if is_closed else [f"was answered {answer.status}, or closed with {answer.header('close')}"]
    if row.status and answer.status != row.status:
        return [f"was answered {answer.status}: {answer.body[:200]!r}"]
    found = list(_wrong_headers(row, answer))
    shown = facts(answer.body)
    if row.code:
        found += _wrong_refusal(row, answer, tokens)
    elif row.says:
        found += ["no handler answered"] if shown is None else _wrong_view(row, shown, people, tokens, interface)
    elif row.status == 0:  # up to the framework, but not a refusal
        found += [f"was refused with {answer.status}"] if answer.status in (400, 401, 403, 503) else []
        found += [] if shown is None else _wrong_view(row, shown, people, tokens, interface)
    return found


def facts(body: bytes) -> dict[str, Any] | None:
    """What a handler said that it saw, and its word; None where none did."""
    for word in ("SECRET", "PUBLIC"):
        _, said, rest = body.partition(f"{word} ".encode())
        if said:
            shown: dict[str, Any] = json.JSONDecoder().raw_decode(rest.decode().partition(" ")[2])[0]
            return {"word": word, **shown}
    return None


def _wrong_headers(row: Row, answer: Answer) -> Iterator[str]:
    for name, wanted in row.answer.items():
        value = answer.header(name)
        if (value is None) is not (wanted is None) or (wanted is not None and wanted not in (value or "")):
            yield f"{name} was {value!r}"


def _wrong_refusal(row: Row, answer: Answer, tokens: Mapping[str, str]) -> Iterator[str]:
    challenge, body = answer.header("www-authenticate") or "", answer.body
    is_bad = row.brings_token and row.status == 401
    kind = "text/html; charset=utf-8" if row.page else "application/problem+json"
    length = answer.header("content-length")
    checks = {
        "no-store is missing": answer.header("cache-control") == "no-store",
        "Vary is missing": "sec-fetch-mode" in (answer.header("vary") or "").lower(),
        f"the content was {answer.header('content-type')}": answer.header("content-type") == kind,
        f"the challenge was {challenge!r}": row.status == 302
        or challenge.startswith("Cloudflare-Access ") is (row.status == 401),
        f"the challenge said {challenge!r}": ('error="invalid_token"' in challenge) is is_bad,
        "Retry-After": (answer.header("retry-after") is not None) is (row.status == 503),
        f"the length was {length} of {len(body)}": row.method == "HEAD" or length == str(len(body)),
        "HEAD had a body": row.method != "HEAD" or body == b"",
        "somebody's address": b"@example.com" not in body,
        "a token": not any(token.encode() in body for token in tokens.values()),
        "a handler's words": b"SECRET" not in body and b"PUBLIC" not in body,
    }
    if row.method != "HEAD":
        is_page = body.lower().startswith(b"<!doctype html>")
        checks["a page"] = is_page is row.page
        checks[f"the code is not in {body[:200]!r}"] = row.page or json.loads(body)["code"] == row.code
    yield from (what for what, holds in checks.items() if not holds)


def _wrong_view(
    row: Row, shown: Mapping[str, Any], people: Mapping[str, Person], tokens: Mapping[str, str], interface: str
) -> Iterator[str]:
    """What is wrong with what the application saw."""
    person = people.get(row.who)
    name = "none" if person is None else person.name
    values = " ".join(shown["headers"].values())
    hidden = [filled(text, tokens) for text in row.hidden]
    checks = {
        f"{shown['word']} was said": row.says in ("", shown["word"]),
        f"was {shown['scope']}": shown["scope"] == name,
        f"current_identity() was {shown['current']}": shown["current"] == name,
        f"the framework's own was {shown['own']}": shown["own"] == name,
        f"was {shown['kind']} {shown['id']} {shown['email']}": person is None
        or (shown["kind"], shown["id"], shown["email"]) == (person.kind, person.id, person.email),
        f"saw {shown['seen']}": shown["seen"] == _verified(row, person, shown["seen"], tokens, interface),
        **{f"saw {text}": text not in values for text in hidden},
    }
    yield from (what for what, holds in checks.items() if not holds)


def _verified(
    row: Row, person: Person | None, seen: Mapping[str, str], tokens: Mapping[str, str], interface: str
) -> Mapping[str, str]:
    """What of the headers says who is asking, and may."""
    if person is None:
        return _NOTHING
    verified = {"HTTP_CF_ACCESS_JWT_ASSERTION": tokens[row.who]}
    if person.email is not None:
        verified["HTTP_CF_ACCESS_AUTHENTICATED_USER_EMAIL"] = person.email
    if interface == "wsgi":
        by_email = row.configuration == "scrubbing" and person.email is not None
        verified |= {"REMOTE_USER": str(person.email if by_email else person.id), "AUTH_TYPE": "Cloudflare-Access"}
    return verified
