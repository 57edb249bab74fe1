"""Who else has asked ``get-identity`` about this session a moment ago?

Put around whatever asks the endpoint. What another worker was told stands in Redis for a part of the time that it
counts, under a digest of the token, sealed, and is read again by the same reader: it has to be about the bearer of this
very token. Only documents are kept, never "there is no session". Redis being slow or away costs one short wait, and
then none for a while.
"""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import anyio
import anyio.to_thread

from cfaccess_mw.core.claims import read_principal
from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import FetchError, InvalidToken
from cfaccess_mw.core.identity_reply import Reply, read_reply
from cfaccess_mw.core.token import parts_of
from cfaccess_mw.fleet.sealing import Refused, Seal, digest
from cfaccess_mw.fleet.store import Store

if TYPE_CHECKING:
    from cfaccess_mw.core.identity import Identity

T = TypeVar("T")
Fetch = Callable[[str, str], Awaitable[Reply]]

_MOST_BYTES: Final = 512 * 1024
PATIENCE: Final = 0.25  # seconds for an answer of Redis; the endpoint itself takes as long
_PAUSE: Final = 5.0  # seconds for which Redis is left alone after it did not answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bearer:
    """What a reply is compared with."""

    kind: str
    id: str
    email: str | None
    subject: str
    common_name: str | None


class SharedLookups:
    """Asks ``get-identity`` through Redis.

    Args:
        fetch: Asks the endpoint.
        store: Gives what is asked of Redis.
        seal: Of the values.
        namespace: What names in Redis begin with.
        lasts: For how many seconds an answer is shared.
        refuse: Told the reason where a value is not taken.
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        store: Callable[[], Store],
        seal: Seal,
        namespace: str,
        lasts: float,
        refuse: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._store = store
        self._seal = seal
        self._namespace = namespace
        self._lasts = lasts
        self._refuse = refuse
        self._clock = clock
        self._wall = wall
        self._paused_until = 0.0

    def place(self, url: str, token: str) -> str:
        """Where the answer to a token stands; its digest tells nobody the token."""
        asked = f"{url}\n{token}"
        return f"{self._namespace}:who:{digest(asked)}"

    async def __call__(self, url: str, token: str) -> Reply:
        """Show a token to a URL, unless somebody else has done so a moment ago."""
        place = self.place(url, token)
        known = await self._briefly(partial(self._read, place, token))
        if known is not None:
            return known
        asked_at = self._wall()
        reply = await self._fetch(url, token)
        await self._briefly(partial(self._write, place, token, reply, asked_at))
        return reply

    async def _briefly(self, ask: Callable[[], T]) -> T | None:
        """Ask Redis in a thread; None where it does not answer soon."""
        if self._clock() < self._paused_until:
            return None
        try:
            with anyio.fail_after(PATIENCE):
                return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
        except Exception:  # noqa: BLE001 - whatever Redis, or the library, is about: the endpoint is asked instead
            self._paused_until = self._clock() + _PAUSE
            return None

    def _read(self, place: str, token: str) -> Reply | None:
        try:
            value = self._store().get(place, _MOST_BYTES)
            return None if value is None else self._opened(place, value, token)
        except Refused as refused:
            self._refuse(refused.reason)
            return None

    def _opened(self, place: str, value: bytes, token: str) -> Reply | None:
        content = self._seal.open(place, value)
        try:
            document = decode_json_object(content)
        except ValueError:
            raise Refused("malformed") from None
        asked_at, body = document.get("asked_at"), document.get("body")
        if type(asked_at) not in (int, float) or not isinstance(body, str):
            raise Refused("malformed")
        age = self._wall() - cast("float", asked_at)
        if not -self._lasts <= age < self._lasts:  # Redis would have dropped it
            raise Refused("too-old")
        reply = Reply(status=200, body=body.encode("utf-8", "surrogatepass"))
        if not _is_about(reply, token):
            raise Refused("another-person")
        return reply

    def _write(self, place: str, token: str, reply: Reply, asked_at: float) -> None:
        left = asked_at + self._lasts - self._wall()
        if not _is_about(reply, token):
            self._store().remove(place)  # the session has ended, say
        elif left > 0:
            content = json.dumps({"asked_at": asked_at, "body": reply.body.decode()}).encode()
            self._store().set(place, self._seal.close(place, content), left)


def _is_about(reply: Reply, token: str) -> bool:
    """Whether a reply is a document about the bearer of a token that was verified."""
    try:
        claims: dict[str, Any] = decode_json_object(parts_of(token).decoded_payload())
        email, subject, name = claims.get("email"), claims.get("sub"), claims.get("common_name")
        kind, found = read_principal(email, subject, name, certificates=True)
        bearer = _Bearer(kind=kind, id=found, email=email, subject=subject or "", common_name=name)
        return read_reply(reply, cast("Identity", bearer)) is not None
    except (InvalidToken, FetchError, ValueError):
        return False
