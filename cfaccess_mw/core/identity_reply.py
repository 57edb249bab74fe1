"""What does a reply of ``get-identity`` say, and is it about the bearer of the token?

What Cloudflare answers for a session that has ended is not documented, nor is which fields there always are. So three
answers are told apart, and only the first lets anybody pass: a document about this very person; "there is no session";
and everything else, which says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.identity import Identity

# Seen with 400 is {"err": "no app token set"}; these others could not mean anything else for a token we have verified.
_NO_SESSION = frozenset({401, 403, 404})
READ = frozenset({200, 400})  # statuses whose body is worth reading
ANSWERS = READ | _NO_SESSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the endpoint answered: a status, and the JSON text that came with a 200 or 400."""

    status: int
    body: bytes = field(default=b"", repr=False)


def read_reply(reply: Reply, identity: Identity) -> bytes | None:
    """Read what was answered about the session of ``identity``.

    Args:
        reply: The answer.
        identity: Whose token was shown.

    Returns:
        The document about this person, as it came; None where there is no session any more.

    Raises:
        FetchError: It says neither, or is about somebody else.
    """
    if reply.status in _NO_SESSION:
        return None
    if reply.status not in READ:
        raise FetchError(f"status-{reply.status}")
    document = _read(reply.body)
    if document is not None and document.get("err"):
        return None
    if reply.status != 200:
        raise FetchError(f"status-{reply.status}")
    if document is None:
        raise FetchError("not-an-object")
    if not _is_about(identity, document):
        raise FetchError("another-person")
    return reply.body


def _read(body: bytes) -> Mapping[str, Any] | None:
    try:
        return decode_json_object(body)
    except ValueError:
        return None


def _is_about(identity: Identity, document: Mapping[str, Any]) -> bool:
    """Whether a document names this person, and nobody else: a guard against caches and mix-ups on the way.

    One that names nobody is nobody's. Taken for somebody's, an empty one would get him past every rule that shuts out
    the members of a group.
    """
    # A service or a certificate has no e-mail and no user id; a document with one of them is a user's.
    ours: dict[str, str | None] = {
        "user_uuid": identity.subject,
        "email": identity.email and identity.email.casefold(),
    }
    if identity.kind == "service":
        ours["service_token_id"] = identity.id
    elif identity.kind == "certificate":
        ours["common_name"] = identity.common_name
    said = {name: value for name in ours if (value := document.get(name)) not in (None, "")}
    if isinstance(said.get("email"), str):
        said["email"] = said["email"].casefold()
    return bool(said) and all(value == ours[name] for name, value in said.items())
