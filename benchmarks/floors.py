"""What is the least that all promises together take? Each way in one function, for a request that was met before.

What happens otherwise is an error here: nobody should protect anything with these. They are what a rewrite of the hot
paths could reach at most that keeps every promise and gives up every division into parts.
"""

from binascii import a2b_base64
from collections.abc import Iterable
from time import monotonic, time
from typing import Any

from starlette.authentication import AuthCredentials

from benchmarks.ours import Held
from benchmarks.subject import Subject
from cfaccess_mw.asgi import DOOR_KEY, IDENTITY_KEY
from cfaccess_mw.asgi import AccessMiddleware as AsgiMiddleware
from cfaccess_mw.core.decide import MEMORY_COUNT, MEMORY_WEIGHT, Pass, Refusal, _Remembered
from cfaccess_mw.core.encoding import read_json_object, standard_base64
from cfaccess_mw.core.errors import Expired
from cfaccess_mw.core.identity import Draft, Identity
from cfaccess_mw.core.memory import Memory
from cfaccess_mw.core.token import read_key_id
from cfaccess_mw.wire.current import current
from cfaccess_mw.wire.environ import ASSERTION_KEY, AUTH_TYPE, EMAIL_KEY
from cfaccess_mw.wsgi import AccessMiddleware as WsgiMiddleware
from cfaccess_mw.wsgi import _Body

_LONGEST = 16_384


class Unexpected(Exception):
    """A request that is not the one that was met before."""


class _ByHand:
    """What is remembered: found by the door itself the first time."""

    def __init__(self, door: Any) -> None:
        self.door, self.app = door, door.app
        self._keys = next(iter(door.protection._keys.values()))
        self._requirements: dict[Any, Any] = {}
        self._tokens: dict[Any, Any] = {}

    def _met(self, path: Any, token: Any, requirement: Any) -> Any:
        gate = self.door.protection.gate
        if not isinstance(gate.decide(requirement, token, time()), Pass):
            raise Unexpected
        self._requirements[path] = requirement
        entry = self._tokens[token] = gate._memory.get(token)
        return entry


class AsgiByHand(_ByHand):
    """The ASGI door: headers, path, keys, token and time asked about, the scope copied, the identity shown."""

    def __init__(self, door: AsgiMiddleware) -> None:
        super().__init__(door)
        self._layouts: dict[bytes, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on."""
        headers = scope["headers"]
        names = b"\n".join([name for name, _ in headers])
        layout = self._layouts.get(names)
        if layout is None:
            layout = self._layouts[names] = self.door._reader.layout(headers)
        path = (scope["path"], scope.get("raw_path"), scope.get("root_path", ""))
        requirement, token = self._requirements.get(path), headers[layout.assertion][1]
        entry = self._tokens.get(token)
        if requirement is None or entry is None:
            requirement = self.door._requirement(scope, headers, layout)
            entry = self._met(path, token, requirement)
        if (
            layout.count != len(headers)
            or monotonic() >= self._keys.attention_at
            or entry.suffices_for is not requirement
            or entry.snapshot is not entry.source.snapshot
            or not entry.valid_from <= time() < entry.valid_until
            or (layout.email is not None and headers[layout.email][1] != entry.identity.email.encode())
        ):
            raise Unexpected
        identity = entry.identity
        inner = dict(scope)
        inner[IDENTITY_KEY] = identity
        inner[DOOR_KEY] = self.door
        inner["user"] = identity
        inner["auth"] = AuthCredentials(("authenticated", identity.kind))
        before = current.set(identity)
        try:
            await self.app(inner, receive, send)
        finally:
            current.reset(before)


class WsgiByHand(_ByHand):
    """The WSGI door likewise."""

    def __init__(self, door: WsgiMiddleware) -> None:
        super().__init__(door)
        self._harmless: set[str] = set()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Pass on."""
        path = (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["RAW_URI"].partition("?")[0])
        requirement, token = self._requirements.get(path), environ[ASSERTION_KEY]
        entry = self._tokens.get(token)
        if requirement is None or entry is None:
            requirement = self.door._requirement(environ)
            entry = self._met(path, token, requirement)
            self._harmless = set(environ)
        if (
            not self._harmless.issuperset(environ)
            or monotonic() >= self._keys.attention_at
            or entry.suffices_for is not requirement
            or entry.snapshot is not entry.source.snapshot
            or not entry.valid_from <= time() < entry.valid_until
        ):
            raise Unexpected
        identity = entry.identity
        inner = {**environ, IDENTITY_KEY: identity, DOOR_KEY: self.door, "AUTH_TYPE": AUTH_TYPE}
        inner["REMOTE_USER"] = identity.id
        inner[ASSERTION_KEY] = token
        if identity.email is not None:
            inner[EMAIL_KEY] = identity.email
        current.set(identity)
        try:
            body = self.app(inner, start_response)
        except BaseException:
            current.set(None)
            raise
        return _Body(body, identity)


class CoreByHand:
    """The core: a token is read, verified and remembered, and one that has expired is refused."""

    def __init__(self, subject: Subject) -> None:
        self._source, self._audiences = Held(subject.snapshot), frozenset({subject.audience})
        self._issuers = {subject.issuer.iss: self._source}
        self._headers: dict[bytes, str] = {}
        self._tokens: Memory[bytes, _Remembered] = Memory(count=MEMORY_COUNT, weight=MEMORY_WEIGHT)

    def forget(self) -> None:
        """Forget the tokens."""
        self._tokens.clear()

    def refuse(self, token: bytes) -> Refusal:
        """The answer to one that is not let in."""
        if self._tokens.get(token) is not None:
            raise Unexpected
        try:
            self._read(token)
        except Unexpected:
            return Refusal(error=Expired())  # without the token, which is in the frames of what was caught
        raise Unexpected

    def verify(self, token: bytes) -> Identity:
        """Whose it is that was not seen before."""
        if self._tokens.get(token) is not None:
            raise Unexpected
        kid, claims, payload, signature, signed = self._read(token)
        key = self._issuers[claims["iss"]].snapshot.keys[kid]  # type: ignore[union-attr]  # a subject has keys
        began, before, now = claims["iat"], claims.get("nbf", 0), time()
        if not key.verifies(a2b_base64(signature, strict_mode=True), signed) or claims["type"] != "app":
            raise Unexpected
        for when in (began, before):
            if type(when) is not int or not 0 <= when <= now + 30:
                raise Unexpected
        made = Draft()
        made._text, made._assertion, made._team = payload, token, None
        texts = [claims.get(name) for name in ("email", "sub", "common_name", "country", "identity_nonce")]
        for text in texts:
            if text is not None and (type(text) is not str or not text.isprintable()):
                raise Unexpected
        made.email, subject_id, made.common_name, made.country, made.nonce = texts
        if made.email is not None and (made.email.count("@") != 1 or " " in made.email):
            raise Unexpected
        made.kind, made.id = ("user", subject_id) if made.common_name is None else ("service", made.common_name)
        made.subject, made.issuer, made.audience = subject_id or "", claims["iss"], tuple(claims["aud"])
        made.issued_at, made.expires_at, made.key_thumbprint = began, claims["exp"], key.thumbprint
        identity = made.sealed()
        proof = identity, max(began, before) - 30, claims["exp"] + 30
        entry = _Remembered(token, proof, key, self._source, self._source.snapshot)  # type: ignore[arg-type]  # it has keys
        self._tokens.put(token, entry, 2 * len(token) + 1_024)
        return identity

    def _read(self, token: bytes) -> Any:
        if len(token) > _LONGEST or not token.isascii():
            raise Unexpected
        first = token.find(b".")
        second = token.find(b".", first + 1)
        if second < 0 or token.find(b".", second + 1) >= 0 or first > 1_024:
            raise Unexpected
        said, signature = standard_base64(token[first + 1 : second]), standard_base64(token[second + 1 :])
        if said is None or signature is None:
            raise Unexpected
        kid = self._headers.get(token[:first])
        if kid is None:
            kid = self._headers[token[:first]] = read_key_id(token[:first])
        payload = a2b_base64(said, strict_mode=True)
        claims = read_json_object(payload)
        if claims is None:
            raise Unexpected
        audience, ends = claims["aud"], claims["exp"]
        if claims["iss"] not in self._issuers or type(audience) is not list or self._audiences.isdisjoint(audience):
            raise Unexpected
        if type(ends) is not int or not 0 <= ends <= 253402300799 or time() >= ends + 30:
            raise Unexpected
        return kid, claims, payload, signature, token[:second]
