"""Who signed in to an Access for SaaS application? Another class than ``Identity``, so that neither passes for it."""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, fields
from types import MappingProxyType
from typing import Any

from cfaccess_mw.core.encoding import decode_json_object


class _Verified:
    """What an identity was made of. It is no field of it: whoever turns identities into dictionaries shows fields."""

    __slots__ = ("_text",)

    _text: bytes


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SaasIdentity(_Verified):
    """What an ID or access token of Access for SaaS says (OpenID Connect Core 1.0, section 2).

    Attributes:
        subject: ``sub``, the user's stable name at this issuer.
        email: The e-mail address; None where the scope ``email`` was not granted.
        name: The name; None where the scope ``profile`` was not granted.
        issuer: ``https://<team>.cloudflareaccess.com/cdn-cgi/access/sso/oidc/<client-id>``.
        client_id: For which application the token was issued.
        audience: ``aud``.
        issued_at: Seconds since the epoch.
        expires_at: Seconds since the epoch.
        key_thumbprint: The RFC 7638 thumbprint of the key that verified the token.
    """

    subject: str
    email: str | None
    name: str | None
    issuer: str
    client_id: str
    audience: tuple[str, ...]
    issued_at: float
    expires_at: float
    key_thumbprint: str
    _payload: InitVar[bytes]

    def __post_init__(self, _payload: bytes) -> None:
        """Keep what the identity was made of."""
        object.__setattr__(self, "_text", _payload)

    @property
    def claims(self) -> Mapping[str, Any]:
        """All claims, read afresh from the verified bytes at each access."""
        return MappingProxyType(decode_json_object(self._text))

    @property
    def groups(self) -> tuple[str, ...]:
        """``groups``, where the scope was granted; what is not text is left out."""
        groups = self.claims.get("groups")
        return tuple(group for group in groups if type(group) is str) if type(groups) is list else ()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what was verified."""
        return _rebuild, ({**{one.name: getattr(self, one.name) for one in fields(self)}, "_payload": self._text},)

    def __repr__(self) -> str:
        """Nothing personal: a ``repr`` ends in logs."""
        return "<SaasIdentity>"


def _rebuild(values: dict[str, Any]) -> SaasIdentity:
    return SaasIdentity(**values)
