"""Is there a token of whoever signed in to an application, and how does one get one?"""

from cfaccess_mw.client.credentials import Secret
from cfaccess_mw.client.errors import CredentialsUnusable, UserTokenExpired, UserTokenMissing
from cfaccess_mw.client.hosts import read_origin
from cfaccess_mw.client.tokens import read_expiry
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape


def read_url(url: object) -> str:
    """The address of an application, fit for a command line.

    Raises:
        ConfigurationError: It is no http or https address of a host, or has a query or a fragment.
    """
    mend = "give the application's, such as https://app.example.com"
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or not read_origin(url).host:
        raise ConfigurationError(f"url: {shape(url)} is no address; {mend}")
    if "?" in url or "#" in url:
        raise ConfigurationError(f"url: has a query or a fragment; {mend}")
    return url


def check_token(token: object, url: str, now: float) -> Secret:
    """Make sure that something is a token and good now, as far as can be told without keys.

    Args:
        token: As it was given.
        url: The application's address.
        now: Seconds since the epoch.

    Raises:
        CredentialsUnusable: It is no token.
        UserTokenExpired: It is past its ``exp``.
    """
    expires = _expiry(token)
    if expires is None:
        host = str(read_origin(url))
        raise CredentialsUnusable(
            f"what was given as the token for {host} is {shape(token)}, and no token", mend=login_hint(url), host=host
        )
    if expires <= now:
        raise expired(url)
    return Secret(token)


def login_hint(url: str) -> str:
    """The command that mends a missing or expired token."""
    return f"run: cloudflared access login {url}"


def missing(url: str) -> UserTokenMissing:
    """The error where nobody has signed in."""
    host = str(read_origin(url))
    return UserTokenMissing(f"nobody is signed in to {host} on this machine", mend=login_hint(url), host=host)


def expired(url: str) -> UserTokenExpired:
    """The error for a token that was good once."""
    host = str(read_origin(url))
    return UserTokenExpired(f"the session with {host} has expired", mend=login_hint(url), host=host)


def _expiry(token: object) -> float | None:
    try:
        return read_expiry(token) if isinstance(token, str) else None
    except ValueError:
        return None
