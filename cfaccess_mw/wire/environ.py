"""What does a WSGI environ say, and what of it may the application see? (PEP 3333)"""

from collections.abc import Iterable
from typing import Any

from cfaccess_mw.core.decide import Given, Pass
from cfaccess_mw.wire.cookies import read_cookies, without_ours
from cfaccess_mw.wire.names import ASSERTION, EMAIL, LONGEST, METHOD_OVERRIDES, REMEMBERED, Names

Environ = dict[str, Any]

ASSERTION_KEY = "HTTP_" + ASSERTION.upper().replace("-", "_")
EMAIL_KEY = "HTTP_" + EMAIL.upper().replace("-", "_")

AUTH_TYPE = "Cloudflare-Access"

# What an application finds only as we have set it.
_OURS = ("REMOTE_USER", "AUTH_TYPE", ASSERTION_KEY, EMAIL_KEY)

# Headers of which middlewares make the mount.
_MOUNT_KEYS = ("HTTP_X_FORWARDED_PREFIX", "HTTP_X_SCRIPT_NAME", "HTTP_X_FORWARDED_SCRIPT_NAME")


class EnvironReader:
    """Reads and cleans WSGI environs.

    Args:
        scrub: Names of further headers that the application must never see.
        cookie: Whether the ``CF_Authorization`` cookie counts where there is no header.
        remote_user: What ``REMOTE_USER`` is: the identity's ``id`` or ``email``.
    """

    def __init__(self, *, scrub: Iterable[str], cookie: bool, remote_user: str) -> None:
        self._cookie = cookie
        self._names = Names(scrub, cookie=False, host=False)
        self._remote_user_is_email = remote_user == "email"
        # Keys that need no look: those that we set ourselves, and those that are nothing to us. Names repeat, so nearly
        # every request has no others, and one set operation says so.
        self._harmless: set[str] = set(_OURS)

    def tokens(self, environ: Environ) -> tuple[Given, tuple[str, ...]]:
        """What the assertion header gave, and the values of our cookies where they count and there is no header."""
        token = environ.get(ASSERTION_KEY)
        if token is not None:
            return token, ()
        if self._cookie and "HTTP_COOKIE" in environ:
            found = read_cookies((environ["HTTP_COOKIE"],))
            return (None, found) if isinstance(found, tuple) else (found, ())
        return None, ()

    def path(self, environ: Environ) -> str | None:
        """``SCRIPT_NAME`` and ``PATH_INFO`` as one path, or None where it cannot be one.

        That is: its bytes are not UTF-8; or ``PATH_INFO`` begins with something else than ``/``, as behind servers that
        cut the mount off without regard to segments, and then frameworks disagree (RFC 3875 section 4.1.5); or there is
        a header ``SCRIPT_NAME``. gunicorn takes the mount from that header of every peer it trusts, and by default that
        is everybody on loopback, such as all clients of a proxy or a tunnel on the same machine.
        """
        inside: str = environ.get("PATH_INFO", "")
        if "HTTP_SCRIPT_NAME" in environ or (inside and inside[0] != "/"):
            return None
        path: str = environ.get("SCRIPT_NAME", "") + inside
        if path.isascii():
            return path
        try:
            return path.encode("latin-1").decode()
        except UnicodeError:
            return None

    def raw_target(self, environ: Environ) -> str | None:
        """The request target as it came, without its query, where the server tells.

        gunicorn calls it ``RAW_URI``; uWSGI, mod_wsgi, waitress and Werkzeug ``REQUEST_URI``.
        """
        target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
        if not target:
            return None
        text = str(target)  # neither is PEP 3333's, which says what is text
        return text.partition("?")[0] if "?" in text else text

    def raw_path(self, environ: Environ) -> bytes | None:
        """The same as bytes."""
        target = self.raw_target(environ)
        return None if target is None else target.encode("latin-1", "replace")

    def sent(self, environ: Environ) -> tuple[str | None, str]:
        """The path as :meth:`path`, and the mount, to compare with what was sent and signed.

        A mount that a header may have named is left out: it is the client's word, and would make any address of any
        other that ends alike.
        """
        mount: str = environ.get("SCRIPT_NAME", "")
        if mount and names_mount(environ):
            return self.path({**environ, "SCRIPT_NAME": ""}) or None, ""
        return self.path(environ), mount

    def clean(self, environ: Environ, passing: Pass) -> Environ:
        """A copy of the environ that the application sees: nothing that could be spoofed, and what was verified."""
        identity = passing.identity
        cleaned = {**environ, "cfaccess.identity": identity}
        if identity is None:
            for key in _OURS:
                cleaned.pop(key, None)
            if self._cookie and "HTTP_COOKIE" in cleaned:
                cleaned["HTTP_COOKIE"] = without_ours(cleaned["HTTP_COOKIE"])
        else:
            email = identity.email
            user = email if self._remote_user_is_email and email is not None else identity.id
            cleaned[ASSERTION_KEY] = passing.token
            cleaned["REMOTE_USER"] = user if user.isascii() else _native(user)
            cleaned["AUTH_TYPE"] = AUTH_TYPE
            if email is None:
                cleaned.pop(EMAIL_KEY, None)
            else:
                cleaned[EMAIL_KEY] = email if email.isascii() else _native(email)
        if not self._harmless.issuperset(environ):
            self._scrub(cleaned)
        return cleaned

    def _scrub(self, environ: Environ) -> None:
        for key in [key for key in environ if key not in self._harmless]:
            if key.startswith("HTTP_") and self._names.is_spoofable(key[5:].lower()):
                del environ[key]
            elif len(key) <= LONGEST:
                if len(self._harmless) >= REMEMBERED:
                    self._harmless = set(_OURS)
                self._harmless.add(key)


def value_of(environ: Environ, name: str) -> str:
    """The value of a request header by its lower-case name, or empty text."""
    return str(environ.get("HTTP_" + name.upper().replace("-", "_"), ""))


def values_of(environ: Environ, name: str) -> list[str]:
    """The value of a request header by its lower-case name, as a list; servers have joined what came twice."""
    value = environ.get("HTTP_" + name.upper().replace("-", "_"))
    return [] if value is None else [value]


def names_mount(environ: Environ) -> bool:
    """Say whether a header names a mount, which a middleware before the door may have believed.

    Werkzeug's ``ProxyFix(x_prefix=1)`` and its kind make ``SCRIPT_NAME`` of it, and a proxy that does not set the
    header hands on the client's.
    """
    return any(key in environ for key in _MOUNT_KEYS)


def is_preflight(environ: Environ) -> bool:
    """Say whether this is a CORS preflight (Fetch standard, section 4.8).

    No browser sends one that asks for another method to be served in its place.
    """
    return (
        environ["REQUEST_METHOD"] == "OPTIONS"
        and not any(value_of(environ, name) for name in METHOD_OVERRIDES)
        and value_of(environ, "origin") != ""
        and value_of(environ, "access-control-request-method") != ""
    )


def _native(text: str) -> str:
    """Text as WSGI wants it: bytes of UTF-8, each shown as the character of that number."""
    return text.encode().decode("latin-1")
