"""What is one row of the table? A request, as a client sends it, and what has to become of it in every framework."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from tests.conformance.applications.telling import SECRET

NOBODY: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row.

    In ``lines`` names in braces stand for tokens (``tests/conformance/people.py``).

    Attributes:
        id: Its name in failures.
        configuration: A key of ``CONFIGURATIONS``.
        target: As the client and Cloudflare see it, mount included.
        method: As sent.
        lines: Header lines, as sent.
        mount: Where the application is mounted, by the server or by another application.
        websocket: Whether it opens a WebSocket.
        doors: How many doors stand one behind the other.
        needs: What not every subject has, by name (``Subject.has``), or its interface.
        by_target: Whether only a server that tells the target as it was sent lets a door see what is wrong with it.
        on_servers: Through what it is sent over sockets, too: ``doors`` where a server's own reading could change what
            becomes of it, ``all`` frameworks for the few by which one knows that they work there.
        status: Of the answer; 101 for a WebSocket that is accepted.
        code: Of a refusal.
        page: Whether a refusal is a page for people.
        answer: Headers of the answer, by name in lower case, and what their values contain; None for none.
        says: The word of the handler that answers; empty where none does, or none of ours.
        who: Whom the application sees, by the name of the token; or ``NOBODY``.
        hidden: Texts that stand nowhere in what the application sees of the request's headers.
    """

    id: str
    configuration: str = "narrow"
    target: str = "/admin"
    method: str = "GET"
    lines: tuple[str, ...] = ()
    mount: str = ""
    websocket: bool = False
    doors: int = 1
    needs: frozenset[str] = frozenset()
    by_target: bool = False
    on_servers: Literal["nothing", "doors", "all"] = "nothing"
    status: int = 200
    code: str = ""
    page: bool = False
    answer: Mapping[str, str | None] = field(default_factory=dict)
    says: str = ""
    who: str = NOBODY
    hidden: tuple[str, ...] = ()

    @property
    def brings_token(self) -> bool:
        """Whether the request shows an assertion, good or bad, where one counts."""
        return self.code not in ("", "no-token")


def passes(id_: str, target: str, who: str = NOBODY, *lines: str, says: str = SECRET, **more: Any) -> Row:
    """A request that a handler of ours answers.

    Args:
        id_: Its name.
        target: What is asked for.
        who: Who asks; the assertion of that name comes with the request, or that of ``token``.
        lines: Further header lines.
        says: The handler's word.
        more: What else a row has, and ``token``.
    """
    status = 101 if more.get("websocket") else 200
    told = {"id": id_, "target": target, "who": who, "says": says, "status": status}
    return Row(**{**told, "lines": _lines(more.pop("token", who), lines), **more})


def refused(id_: str, target: str, code: str, *lines: str, **more: Any) -> Row:
    """A request that no handler sees; the arguments are those of ``passes``."""
    told = {"id": id_, "target": target, "code": code, "status": _STATUS.get(code, 401)}
    return Row(**{**told, "lines": _lines(more.pop("token", ""), lines), **more})


def given(rows: Iterable[Row], **common: Any) -> tuple[Row, ...]:
    """Rows that have something in common, such as their configuration."""
    return tuple(replace(row, **common) for row in rows)


def _lines(token: str, lines: tuple[str, ...]) -> tuple[str, ...]:
    return (f"Cf-Access-Jwt-Assertion: {{{token}}}", *lines) if token else lines


def filled(text: str, tokens: Mapping[str, str]) -> str:
    """A text of a row, with the tokens that it names."""
    return NAME.sub(lambda found: tokens.get(found[1], found[0]), text)


NAME: Final = re.compile(r"\{([a-z0-9]+)\}")

# All others are 401.
_STATUS: Final = {
    "ambiguous-path": 400,
    "ambiguous-host": 400,
    "not-permitted": 403,
    "keys-unavailable": 503,
    "identity-unavailable": 503,
    "revocations-unavailable": 503,
}
