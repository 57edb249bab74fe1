"""What can go wrong, as one tree of exceptions, each with a stable code, a status and a text that is safe to send.

    AccessError
    ├── ConfigurationError           a mistake of the operator's, found at start
    ├── Refused                      a request that is not let through
    │   ├── Unauthenticated     401  nobody, or nobody we believe
    │   │   ├── NoToken
    │   │   └── InvalidToken         one class for each check of a token
    │   │       ├── DuplicateToken, TooManyTokens, OversizedToken, MalformedToken, BadEncoding
    │   │       ├── BadHeader, ForbiddenHeader, AlgorithmNotAllowed, BadKeyId
    │   │       ├── BadPayload, MissingClaim, InvalidClaim
    │   │       ├── WrongIssuer, WrongAudience, WrongTokenType
    │   │       ├── Expired, NotYetValid, TooOld, SessionEnded, SessionRevoked
    │   │       └── UnknownKey, BadSignature, UnknownPrincipal
    │   ├── NotPermitted        403  the token is good, the rules say no
    │   ├── Ambiguous           400  a request that two readers would understand differently
    │   │   ├── AmbiguousPath
    │   │   └── AmbiguousHost
    │   └── Unavailable         503  we cannot know at the moment
    │       └── IdentityUnavailable, KeysUnavailable, RevocationsUnavailable
    ├── KeySetError                  a certs document without a usable key
    └── FetchError                   a certs endpoint that did not answer as it should

No message holds a token, a claim's value or a header's value: these texts reach logs and clients.
"""

from typing import ClassVar


class AccessError(Exception):
    """Whatever this package raises on purpose.

    Attributes:
        code: A stable kebab-case name of what went wrong, for programs.
    """

    code: ClassVar[str] = "access-error"


class ConfigurationError(AccessError, ValueError):
    """A configuration that cannot be used; the message names the key, the value's shape and the mend."""

    code = "configuration"


class KeySetError(AccessError):
    """A JWKS document from which no key can be used (RFC 7517)."""

    code = "no-usable-key"


class FetchError(AccessError):
    """A certs endpoint that could not be reached, or did not answer as the specification demands.

    Args:
        reason: A stable kebab-case name of what went wrong; never anything the endpoint sent.
        retry_after: Seconds for which the endpoint asks to be left alone, where it does.
    """

    code = "fetch-failed"

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Refused(AccessError):
    """A request that is not let through.

    Attributes:
        status: The HTTP status code of the refusal.
        title: A short public text, the same for every refusal of this code.
        detail: A public sentence about what happened and what mends it; it never quotes the request.
        retry_after: Seconds after which asking again may help, or None.
    """

    code = "refused"
    status: ClassVar[int] = 401
    title: ClassVar[str] = "Refused"
    detail: ClassVar[str] = "This request was refused."
    retry_after: float | None = None

    def __str__(self) -> str:
        """The code, and nothing of the request."""
        return self.code


class Unauthenticated(Refused):
    """Nobody, or nobody we believe (RFC 9110 section 15.5.2)."""

    code = "unauthenticated"
    status = 401
    title = "Not signed in"


class NoToken(Unauthenticated):
    """The request carries no assertion: it did not come through Cloudflare Access."""

    code = "no-token"
    detail = "This application answers only requests that came through Cloudflare Access."


class InvalidToken(Unauthenticated):
    """An assertion was given and is not good."""

    code = "invalid-token"
    title = "Assertion not accepted"
    detail = "The Cloudflare Access assertion of this request was not accepted."


class DuplicateToken(InvalidToken):
    """More than one assertion header, or one that a server joined from several."""

    code = "duplicate-token"
    detail = "The request carries more than one Cloudflare Access assertion."


class TooManyTokens(InvalidToken):
    """More ``CF_Authorization`` cookies than the four that are tried."""

    code = "too-many-tokens"
    detail = "The request carries too many Cloudflare Access cookies."


class OversizedToken(InvalidToken):
    """Longer than 16,384 characters, or a header segment longer than 1,024."""

    code = "oversized-token"
    detail = "The Cloudflare Access assertion is too long."


class MalformedToken(InvalidToken):
    """Not three dot-separated segments of ASCII (RFC 7515 section 3.1)."""

    code = "malformed-token"
    detail = "The Cloudflare Access assertion is not a signed token."


class BadEncoding(InvalidToken):
    """A segment that is not canonical unpadded base64url (RFC 4648 sections 3.5 and 5)."""

    code = "bad-encoding"
    detail = "The Cloudflare Access assertion is not encoded as a signed token is."


class BadHeader(InvalidToken):
    """A JOSE header that is not a strict JSON object, or whose ``typ`` is not ``JWT`` (RFC 7515 section 4)."""

    code = "bad-header"
    detail = "The header of the Cloudflare Access assertion is not understood."


class ForbiddenHeader(InvalidToken):
    """A JOSE header that asks for something Access never asks for (embedded or remote keys, ``crit``, …)."""

    code = "forbidden-header"
    detail = "The header of the Cloudflare Access assertion asks for something that is never granted."


class AlgorithmNotAllowed(InvalidToken):
    """An ``alg`` that is not configured (RFC 8725 section 3.1)."""

    code = "algorithm-not-allowed"
    detail = "The Cloudflare Access assertion names an algorithm that is not accepted."


class BadKeyId(InvalidToken):
    """A ``kid`` that is absent, not a string, or not 1 to 256 printable ASCII characters."""

    code = "bad-key-id"
    detail = "The Cloudflare Access assertion does not say properly which key signed it."


class BadPayload(InvalidToken):
    """A payload that is not a strict JSON object (RFC 7519 section 7.2)."""

    code = "bad-payload"
    detail = "The claims of the Cloudflare Access assertion are not understood."


class MissingClaim(InvalidToken):
    """A claim that every application token has is absent."""

    code = "missing-claim"
    detail = "The Cloudflare Access assertion lacks a claim that is required."


class InvalidClaim(InvalidToken):
    """A claim of another type or form than Cloudflare documents."""

    code = "invalid-claim"
    detail = "A claim of the Cloudflare Access assertion has another form than it should."


class WrongIssuer(InvalidToken):
    """Issued by another team, or by something that is not an Access team."""

    code = "wrong-issuer"
    detail = "The Cloudflare Access assertion was issued by someone else."


class WrongAudience(InvalidToken):
    """Issued for another application."""

    code = "wrong-audience"
    detail = "The Cloudflare Access assertion was issued for another application."


class WrongTokenType(InvalidToken):
    """Signed by Access, but not an application token (an organisation or a metadata token, say)."""

    code = "wrong-token-type"
    detail = "The token was signed by Cloudflare Access, but it does not admit to an application."


class Expired(InvalidToken):
    """Past its ``exp``."""

    code = "expired"
    title = "Session expired"
    detail = "The Cloudflare Access session has expired; sign in again."


class NotYetValid(InvalidToken):
    """Before its ``nbf`` or ``iat``."""

    code = "not-yet-valid"
    detail = "The Cloudflare Access assertion is not valid yet; a clock may be wrong."


class TooOld(InvalidToken):
    """Issued longer ago than ``max_age`` allows."""

    code = "too-old"
    title = "Session expired"
    detail = "The Cloudflare Access session is older than this application allows; sign in again."


class SessionEnded(InvalidToken):
    """Cloudflare Access says that there is no such session any more: signed out, or revoked there."""

    code = "session-ended"
    title = "Session ended"
    detail = "The Cloudflare Access session has ended; sign in again."


class SessionRevoked(InvalidToken):
    """The operator of the application ended the session."""

    code = "session-revoked"
    title = "Session ended"
    detail = "The session was ended by the operator of this application; sign in again."


class UnknownKey(InvalidToken):
    """Names a key that the team does not publish."""

    code = "unknown-key"
    detail = "The Cloudflare Access assertion was signed with a key that the team does not publish."


class BadSignature(InvalidToken):
    """The signature does not verify."""

    code = "bad-signature"
    detail = "The signature of the Cloudflare Access assertion does not verify."


class UnknownPrincipal(InvalidToken):
    """Neither plainly a user nor plainly a service."""

    code = "unknown-principal"
    detail = "The Cloudflare Access assertion names neither a user nor a service."


class NotPermitted(Refused):
    """The token is good, and the rules do not let its bearer go there."""

    code = "not-permitted"
    status = 403
    title = "Not permitted"
    detail = "You are signed in, but not permitted to go there."


class Ambiguous(Refused):
    """A request that two readers would understand differently; nobody is asked who they are."""

    code = "ambiguous"
    status = 400
    title = "Ambiguous request"


class AmbiguousPath(Ambiguous):
    """A path that servers and frameworks are known to read differently."""

    code = "ambiguous-path"
    detail = "The path of this request can be understood in more than one way."


class AmbiguousHost(Ambiguous):
    """No host, several, or one that no rule names where rules name hosts."""

    code = "ambiguous-host"
    detail = "It is not clear which host this request is for."


class Unavailable(Refused):
    """What would be needed to decide cannot be had at the moment."""

    code = "unavailable"
    status = 503
    title = "Temporarily unavailable"

    def __init__(self, *, retry_after: float | None = None) -> None:
        super().__init__()  # without arguments, so that it can be pickled and copied
        self.retry_after = retry_after


class IdentityUnavailable(Unavailable):
    """The policies need to know more of somebody than his token says, and it cannot be had at the moment."""

    code = "identity-unavailable"
    detail = "What decides whether you may go there cannot be had at the moment; try again shortly."


class RevocationsUnavailable(Unavailable):
    """Whether the session was revoked cannot be known at the moment."""

    code = "revocations-unavailable"
    detail = "Whether your session still counts cannot be known at the moment; try again shortly."


class KeysUnavailable(Unavailable):
    """The keys of the team cannot be had at the moment; the token may well be good."""

    code = "keys-unavailable"
    detail = "The keys that verify Cloudflare Access assertions cannot be had at the moment; try again shortly."
