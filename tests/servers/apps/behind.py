"""What do all applications under test share? The door's rules, and what their handlers say.

Whoever reaches a protected handler gets an answer that begins with ``SECRET``; all others begin with ``PUBLIC``. After
the first word stand who the handler thinks is asking, and everything it saw of what could be spoofed.
"""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cfaccess_mw import Identity, Rule, current_identity

MOUNT: Final = os.environ.get("SERVERS_MOUNT", "")
"""Where the server says that the application is mounted; patterns are written as the client sees the path."""

NAKED: Final = bool(os.environ.get("SERVERS_NAKED"))
"""Whether the door is left out: so a test shows which tricks would reach a handler."""

PATIENCE: Final = 10.0  # seconds until a handler that waits for another request gives up

WIDE: Final = bool(os.environ.get("SERVERS_WIDE"))
"""Whether everything is public but the protected handlers: no default then hides a reading that was forgotten."""

_NARROW: Final = (
    Rule.public(f"{MOUNT}/static/*"),
    Rule.public(f"{MOUNT}/healthz"),
    Rule.public(f"{MOUNT}/open/*"),
    Rule.token(f"{MOUNT}/open/admin/*"),
    Rule.optional(f"{MOUNT}/maybe"),
)
_PROTECTED: Final = ("/admin/*", "/open/admin/*", "/api/admin", "/whoami", "/stream", "/meet", "/ws")

RULES: Final = (
    (Rule.public("/*", everything=True), *(Rule.token(MOUNT + pattern) for pattern in _PROTECTED)) if WIDE else _NARROW
)

_TELLING = ("HTTP_CF_ACCESS_", "HTTP_REMOTE_USER", "REMOTE_USER", "AUTH_TYPE")


def secret(identity: Identity | None, seen: Mapping[str, str], **more: str) -> str:
    """What a protected handler answers."""
    return _answer("SECRET", identity, seen, more)


def public(identity: Identity | None, seen: Mapping[str, str], **more: str) -> str:
    """What every other handler answers."""
    return _answer("PUBLIC", identity, seen, more)


def seen_in_environ(environ: Mapping[str, Any]) -> dict[str, str]:
    """What of an environ says who is asking."""
    return {key: str(value) for key, value in environ.items() if key.startswith(_TELLING)}


def seen_in_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The same of ASGI headers, named as in an environ; of two with one name both are shown."""
    seen: dict[str, str] = {}
    for raw_name, value in headers:
        name = "HTTP_" + raw_name.decode("latin-1").upper().replace("-", "_")
        if name.startswith(_TELLING):
            text = value.decode("latin-1")
            seen[name] = f"{seen[name]},{text}" if name in seen else text
    return seen


def _answer(word: str, identity: Identity | None, seen: Mapping[str, str], more: Mapping[str, str]) -> str:
    current = current_identity()
    facts = {
        "scope": _name(identity),
        "current": _name(current),
        "id": "" if identity is None else identity.id,
        "seen": dict(seen),
        **more,
    }
    return f"{word} {_name(identity)} {json.dumps(facts)}"


def _name(identity: Identity | None) -> str:
    return "none" if identity is None else identity.email or identity.id
