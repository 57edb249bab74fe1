"""What do the handlers of every application under test say?

The same routes are in each: whoever reaches a protected one gets an answer that begins with ``SECRET``, all others
begin with ``PUBLIC``. After that word stands who the handler thinks is asking, and as JSON everything that it saw.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cfaccess_mw import Identity, current_identity
from cfaccess_mw.permission import Permission

SECRET: Final = "SECRET"
PUBLIC: Final = "PUBLIC"

METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")
"""What the protected handlers answer to, where the framework lets them."""

ASSETS: Final = Path(__file__).parent / "assets"
"""Static files, served below ``/assets`` by frameworks that do that."""

ALICES: Final = Permission(emails="alice@example.com")
"""What the handler of ``/mine`` demands."""

_TELLING: Final = ("HTTP_CF_ACCESS_", "HTTP_REMOTE_USER", "REMOTE_USER", "AUTH_TYPE")


def tell(
    word: str, own: Identity | None, identity: Identity | None, headers: Mapping[str, str], *, path: str = ""
) -> str:
    """What a handler answers.

    Args:
        word: ``SECRET`` or ``PUBLIC``.
        own: Who is asking, in the framework's own words.
        identity: Who is asking, as the door has it in scope or environ.
        headers: All that the handler sees of the request's headers, named as in an environ.
        path: What is left of the path below the handler's own.
    """
    facts = {
        "own": _name(own),
        "scope": _name(identity),
        "current": _name(current_identity()),
        "kind": "" if identity is None else identity.kind,
        "id": "" if identity is None else identity.id,
        "email": None if identity is None else identity.email,
        "seen": {name: value for name, value in headers.items() if name.startswith(_TELLING)},
        "headers": dict(headers),
        "path": path,
    }
    return f"{word} {_name(identity)} {json.dumps(facts)}"


def in_environ(environ: Mapping[str, Any]) -> dict[str, str]:
    """The headers of an environ, and what else of it says who is asking."""
    return {key: str(value) for key, value in environ.items() if key.startswith(("HTTP_", *_TELLING))}


def in_scope(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of a scope, named as in an environ; of two with one name both are shown."""
    found: dict[str, str] = {}
    for raw_name, value in headers:
        name = "HTTP_" + raw_name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        found[name] = f"{found[name]},{text}" if name in found else text
    return found


def word_for(path: str) -> str | None:
    """What the handler of a path answers with; None where there is no handler. For applications without a framework."""
    if path in ("/healthz", "/maybe") or (path.startswith(("/static/", "/open/")) and path != "/open/admin"):
        return PUBLIC
    known = ("/", "/admin", "/open/admin", "/whoami", "/dir/", "/api/admin", "/ws")
    return SECRET if path in known or path.startswith("/admin/") else None


def _name(identity: Identity | None) -> str:
    return "none" if identity is None else identity.email or identity.id
