"""What would a Cloudflare Access team sign? Its keys and its tokens, without HTTP.

An application under test reads the keys from ``certs()`` and is sent the tokens::

    issuer = Issuer("acme")
    token = issuer.user("alice@example.com", audience=AUD)
    robot = issuer.service("e367826f93b8d71185e03fe518aff3b4.access", audience=AUD, expires_in=60)
    stale = issuer.user("alice@example.com", audience=AUD, issued_at=0, key="previous")

Claims are given by name and win over what would be there; ``ABSENT`` takes one away. What no team would ever sign is
forged with ``sign``, down to the bytes::

    issuer.user("alice@example.com", audience=AUD, iss="https://evil.example", nbf=ABSENT)
    issuer.sign(issuer.header(alg="none"), {"aud": [AUD]}, signature=b"")
    issuer.sign(b'{"alg":"RS256","alg":"none"}', b"not JSON")

Every claim set is the one that Cloudflare documents, in its order; where the documentation is silent the docstring
says what was chosen.
"""

import hashlib
import json
import re
import secrets
import string
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.fields import merged
from cfaccess_mw.emulator.reading import read
from cfaccess_mw.emulator.signing_key import SigningKey, base64url

_DAY = 86_400.0  # the default session of an application, in seconds (Cloudflare: session management)
_RETIRED = 8  # keys; whoever comes with a token of an older one signs in again
_META_LIFETIME = 300.0  # long enough to choose who to be; Cloudflare documents no number
_TEAM = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # one DNS label: the limit Cloudflare documents is 63
_NONCE_ALPHABET = string.ascii_letters + string.digits

WhichKey = Literal["current", "previous"] | SigningKey


class Issuer:
    """A team's keys, the current and the previous one, and the tokens they sign.

    It may be shared by threads: a rotation replaces both keys at once.

    Args:
        team: The team's name, the first label of its domain.
        clock: Tells the time in seconds since the epoch; called once for each token that is not given its time.
        current: The key that signs; made where none is given, which takes around a tenth of a second.
        previous: The key that signed before the last rotation; made likewise, since Cloudflare always publishes two.
        fedramp: Whether the team is one of the FedRAMP environment, whose domain has a ``.fed``.

    Attributes:
        team: The team's name.
        domain: The team's domain, ``acme.cloudflareaccess.com``.
        iss: What stands in every token's ``iss``: always Cloudflare's address, wherever the certs are served.

    Raises:
        ConfigurationError: ``team`` is not a DNS label.
    """

    def __init__(
        self,
        team: str = "acme",
        *,
        clock: Callable[[], float] = time.time,
        current: SigningKey | None = None,
        previous: SigningKey | None = None,
        fedramp: bool = False,
    ) -> None:
        if not _TEAM.fullmatch(team):
            raise ConfigurationError("team: must be one lower-case DNS label of at most 63 characters, such as 'acme'")
        self.team = team
        self.domain = f"{team}.fed.cloudflareaccess.com" if fedramp else f"{team}.cloudflareaccess.com"
        self.iss = f"https://{self.domain}"
        self._clock = clock
        now = clock()
        # one tuple, replaced as a whole: a reader on another thread never sees half a rotation
        self._rotating = threading.Lock()
        self._retired: tuple[SigningKey, ...] = ()
        self._keys = (current or SigningKey.generate(now=now), previous or SigningKey.generate(now=now))

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self._keys[0]

    @property
    def previous(self) -> SigningKey:
        """The key that signed before the last rotation, still published."""
        return self._keys[1]

    @property
    def published(self) -> tuple[SigningKey, SigningKey]:
        """The current and the previous key, of one moment."""
        return self._keys

    @property
    def retired(self) -> tuple[SigningKey, ...]:
        """The keys that signed before, are published no more, and that the edge knows as its own: the latest few."""
        return self._retired

    def certs(self) -> dict[str, Any]:
        """The document served at ``/cdn-cgi/access/certs``.

        Returns:
            ``keys`` and ``public_certs`` with both keys, the current one second as in Cloudflare's own example, and
            ``public_cert`` with the current one.
        """
        current, previous = self._keys
        return {
            "keys": [previous.jwk(), current.jwk()],
            "public_cert": current.published_certificate(),
            "public_certs": [previous.published_certificate(), current.published_certificate()],
        }

    def rotate(self, key: SigningKey | None = None) -> SigningKey:
        """Sign with a new key from now on; the one that signed until now becomes the previous one.

        Args:
            key: The new key; made where none is given.

        Returns:
            The key that was the previous one, and is published no more.
        """
        new = key or SigningKey.generate(now=self._clock())
        with self._rotating:
            current, dropped = self._keys
            self._retired = (dropped, *self._retired)[:_RETIRED]
            self._keys = (new, current)
        return dropped

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Have the keys of the beginning at the end, whatever is rotated meanwhile."""
        keys, retired = self._keys, self._retired
        try:
            yield
        finally:
            with self._rotating:
                self._keys, self._retired = keys, retired

    def user(
        self,
        email: str = "user@example.com",
        /,
        *,
        audience: str | Iterable[str],
        expires_in: float = _DAY,
        issued_at: float | None = None,
        key: WhichKey = "current",
        **claims: object,
    ) -> str:
        """An application token of a user ("Application token" in Cloudflare's documentation).

        Args:
            email: Who; ``sub`` follows from it, as it is unique per address and account.
            audience: The AUD tag of the application, or several.
            expires_in: Seconds from ``issued_at`` to ``exp``; may be negative.
            issued_at: ``iat`` and ``nbf`` in seconds since the epoch; the clock's time where None.
            key: ``"current"``, ``"previous"``, or any key at all.
            **claims: Claims to add, replace, or take away with ``ABSENT``.
        """
        issued = self._now(issued_at)
        payload = {
            "aud": _audience(audience),
            "email": email,
            "exp": int(issued + expires_in),
            "iat": int(issued),
            "nbf": int(issued),
            "iss": self.iss,
            "type": "app",
            "identity_nonce": new_nonce(),
            "sub": self.subject(email),
            "country": "US",
        }
        return self.sign(None, merged(payload, claims), key)

    def service(
        self,
        client_id: str = "e367826f93b8d71185e03fe518aff3b4.access",
        /,
        *,
        audience: str | Iterable[str],
        expires_in: float = _DAY,
        issued_at: float | None = None,
        key: WhichKey = "current",
        **claims: object,
    ) -> str:
        """An application token of a service: no e-mail, no ``nbf``, an empty ``sub``.

        Args:
            client_id: The Client ID of the service token, which becomes ``common_name``.
            audience: The AUD tag of the application, or several.
            expires_in: Seconds from ``issued_at`` to ``exp``; may be negative.
            issued_at: ``iat`` in seconds since the epoch; the clock's time where None.
            key: ``"current"``, ``"previous"``, or any key at all.
            **claims: Claims to add, replace, or take away with ``ABSENT``.
        """
        issued = self._now(issued_at)
        payload = {
            "type": "app",
            "aud": _audience(audience),
            "exp": int(issued + expires_in),
            "iss": self.iss,
            "common_name": client_id,
            "iat": int(issued),
            "sub": "",
        }
        return self.sign(None, merged(payload, claims), key)

    def organisation(
        self,
        email: str = "user@example.com",
        /,
        *,
        audience: str | Iterable[str],
        expires_in: float = _DAY,
        issued_at: float | None = None,
        key: WhichKey = "current",
        **claims: object,
    ) -> str:
        """A global session token (``type`` ``org``): signed by the same keys, and never good for an application.

        The claims are those of Cloudflare's 2022 draft; today's are not documented. The arguments are those of
        ``user``; ``identity=`` replaces the short profile inside.
        """
        issued = self._now(issued_at)
        account = self.account_id
        payload = {
            "aud": _audience(audience),
            "email": email,
            "account_id": account,
            "exp": int(issued + expires_in),
            "iat": int(issued),
            "nbf": int(issued),
            "iss": self.iss,
            "sub": self.subject(email),
            "identity": {
                "email": email,
                "geo": {"country": "US"},
                "user_uuid": self.subject(email),
                "account_id": account,
                "iat": int(issued),
                "auth_status": "NONE",
                "service_token_status": False,
                "version": 2,
            },
            "type": "org",
            "identity_nonce": new_nonce(),
        }
        return self.sign(None, merged(payload, claims), key)

    def metadata(
        self,
        hostname: str,
        *,
        audience: str,
        issued_at: float | None = None,
        key: WhichKey = "current",
        **claims: object,
    ) -> str:
        """What anybody is told who asks with ``Cf-Access-Metadata-Request`` (cloudflared ``token/jwks.go``).

        The claims are those that cloudflared reads; ``aud`` is a string. Whether the real token also has ``iss`` and
        ``exp`` is not documented: give them as claims to try the worst case.

        Args:
            hostname: The host that was asked.
            audience: The AUD tag of the application there.
            issued_at: ``iat`` in seconds since the epoch; the clock's time where None.
            key: ``"current"``, ``"previous"``, or any key at all.
            **claims: Claims to add, replace, or take away with ``ABSENT``.
        """
        payload = {
            "type": "match",
            "hostname": hostname,
            "auth_domain": self.domain,
            "aud": audience,
            "app_hostname": hostname,
            "iat": int(self._now(issued_at)),
        }
        return self.sign(None, merged(payload, claims), key)

    def login_meta(
        self,
        *,
        audience: str,
        issued_at: float | None = None,
        key: WhichKey = "current",
        **claims: object,
    ) -> str:
        """The ``meta`` of the redirect to the login page, which every visitor gets.

        Only ``service_token_status`` and ``auth_status`` have been seen; the rest is the worst that may be expected:
        everything an application token has, except for its ``type``. The arguments are those of ``metadata``.
        """
        issued = self._now(issued_at)
        payload = {
            "type": "meta",
            "aud": [audience],
            "exp": int(issued + _META_LIFETIME),
            "iat": int(issued),
            "nbf": int(issued),
            "iss": self.iss,
            "service_token_status": False,
            "auth_status": "NONE",
        }
        return self.sign(None, merged(payload, claims), key)

    def header(self, key: WhichKey = "current", **fields: object) -> dict[str, object]:
        """The JOSE header of a key's tokens: ``alg``, ``kid`` and ``typ``.

        Args:
            key: ``"current"``, ``"previous"``, or any key at all.
            **fields: Fields to add, replace, or take away with ``ABSENT``.
        """
        return merged({"alg": "RS256", "kid": self._key(key).kid, "typ": "JWT"}, fields)

    def sign(
        self,
        header: Mapping[str, object] | bytes | None,
        payload: Mapping[str, object] | bytes,
        key: WhichKey = "current",
        *,
        signature: bytes | None = None,
    ) -> str:
        """Sign anything; made for forging.

        Args:
            header: Written as JSON, or as it is when bytes; the key's ordinary header where None.
            payload: Written as JSON, or as it is when bytes.
            key: ``"current"``, ``"previous"``, or any key at all. It signs with RS256 whatever the header says.
            signature: Stands in place of the key's signature.

        Returns:
            A compact serialisation (RFC 7515 section 7.1).
        """
        segments = [self.header(key) if header is None else header, payload]
        message = ".".join(base64url(part if isinstance(part, bytes) else _json(part)) for part in segments)
        signed = self._key(key).sign(message.encode("ascii")) if signature is None else signature
        return f"{message}.{base64url(signed)}"

    def read(self, token: str, *, now: float | None = None) -> dict[str, Any] | None:
        """The claims of a token of ours, as the edge itself would look at a cookie.

        Args:
            token: A compact serialisation.
            now: The time, in seconds since the epoch; the clock's where None.

        Returns:
            The claims, or None unless a published key signed the token and ``exp`` is to come.
        """
        return read(token, self._keys, now=self._now(now))

    def subject(self, email: str) -> str:
        """The ``sub`` of a user: a UUID that follows from the team and the address, compared without case."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.iss}/users/{email.casefold()}"))

    @property
    def account_id(self) -> str:
        """32 hexadecimal characters that follow from the team."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{self.iss}/account").hex

    @property
    def organisation_audience(self) -> str:
        """64 hexadecimal characters that follow from the team: the ``aud`` of its global session tokens."""
        return hashlib.sha256(f"{self.iss}/organisation".encode()).hexdigest()

    def _now(self, given: float | None) -> float:
        return self._clock() if given is None else given

    def _key(self, which: WhichKey) -> SigningKey:
        current, previous = self._keys
        named = {"current": current, "previous": previous}
        return which if isinstance(which, SigningKey) else named[which]


def new_nonce() -> str:
    """A new ``identity_nonce``: 16 letters and digits, as in Cloudflare's examples."""
    return "".join(secrets.choice(_NONCE_ALPHABET) for _ in range(16))


def _audience(audience: str | Iterable[str]) -> list[str]:
    return [audience] if isinstance(audience, str) else list(audience)


def _json(value: Mapping[str, object]) -> bytes:
    # surrogates pass, so that a text which is not Unicode can be forged too
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
