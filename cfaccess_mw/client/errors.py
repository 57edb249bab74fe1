"""What can go wrong when we call somebody who is behind Cloudflare Access? One tree, each with a code and a mend.

    CallError
    ├── InsecureCall             plain http to a host that credentials are for
    ├── HeaderTaken              the request already has the header that the credentials belong in
    ├── CredentialsUnusable      what was to give the credentials gave something else
    ├── TokenInCookieJar         the HTTP client would let one person's requests go out as another's
    ├── NoIdentity               there is nobody whose identity could be passed on
    ├── UserTokenUnavailable     nobody is signed in on this machine
    │   ├── UserTokenMissing, UserTokenExpired, SignInPending
    │   └── CloudflaredFailed
    └── AccessRefused            Access answered, and not the application
        ├── LoginDemanded        with the way to the login page
        ├── CredentialsRefused   401
        ├── NotAdmitted          403
        └── HostNotNamed         for a host that was not named and got no credentials

A mistake in what is given when something is made is a ``ConfigurationError``, as everywhere in this package. No message
holds a secret, a token, a cookie or an address's path.
"""

from cfaccess_mw.core.errors import AccessError


class CallError(AccessError):
    """A call that did not get through to the application.

    Args:
        said: What happened, without anything secret.
        mend: What to do about it.
        host: Whom the call was for, with the port if it is not the usual one; empty where that has no bearing on it.
        status: Of Access's answer, if there was one.
        ray: Its ``Cf-Ray``, by which Cloudflare's logs can be searched; may be empty.
    """

    code = "call-failed"

    def __init__(
        self, said: str = "", *, mend: str = "", host: str = "", status: int | None = None, ray: str = ""
    ) -> None:
        super().__init__(said)
        self.mend = mend
        self.host = host
        self.status = status
        self.ray = ray

    def __str__(self) -> str:
        """What happened and what mends it."""
        said = f"{self.args[0]}; {self.mend}" if self.mend else str(self.args[0])
        return f"{said} (Cf-Ray {self.ray})" if self.ray else said


class InsecureCall(CallError):
    """Credentials go out over https only, except to this machine."""

    code = "insecure-call"


class HeaderTaken(CallError):
    """The header in which the application reads service tokens is in use for something else."""

    code = "header-taken"


class CredentialsUnusable(CallError):
    """A callable that was to give credentials or a token gave something else."""

    code = "credentials-unusable"


class TokenInCookieJar(CallError):
    """A token in the client's cookie jar would speak for somebody else than the identity that is passed on."""

    code = "token-in-cookie-jar"


class NoIdentity(CallError):
    """There is nobody whose identity could be passed on."""

    code = "no-identity"


class UserTokenUnavailable(CallError):
    """Nobody is signed in on this machine."""

    code = "user-token"


class UserTokenMissing(UserTokenUnavailable):
    """cloudflared keeps no token for this application."""

    code = "user-token-missing"


class UserTokenExpired(UserTokenUnavailable):
    """The token that cloudflared keeps has expired."""

    code = "user-token-expired"


class SignInPending(UserTokenUnavailable):
    """cloudflared is waiting for somebody to finish signing in."""

    code = "sign-in-pending"


class CloudflaredFailed(UserTokenUnavailable):
    """cloudflared is not installed, took too long, or said something that is no token."""

    code = "cloudflared-failed"


class AccessRefused(CallError):
    """Access answered, and not the application."""

    code = "access-refused"


class LoginDemanded(AccessRefused):
    """Access shows the way to its login page: it has not seen credentials that any policy takes."""

    code = "login-demanded"


class CredentialsRefused(AccessRefused):
    """Access does not know these credentials (401)."""

    code = "credentials-refused"


class NotAdmitted(AccessRefused):
    """Access knows who this is, and no policy lets them in (403)."""

    code = "not-admitted"


class HostNotNamed(AccessRefused):
    """A call or its redirect went to a protected host that is not among those that may get the credentials."""

    code = "host-not-named"
