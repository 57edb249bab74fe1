"""What does a person see who is refused? Our page, or the operator's own template of one.

A template is a file of HTML in UTF-8 with the placeholders of ``string.Template``: ``$title``, ``$detail``,
``$status``, ``$code``, ``$ray``, ``$login_url``, ``$logout_url`` and ``$action``; a dollar sign is written ``$$``.
Whatever is put in is escaped. The two addresses are empty where they would not help (so a link to them asks for the
same page again, and ``a[href=""] { display: none }`` hides it); ``$action`` is a paragraph with the link that helps,
or nothing. Scripts do not run in it; who needs another Content-Security-Policy answers by ``on_refusal``.
"""

import base64
import difflib
import hashlib
import html
import os
from functools import cache
from importlib import resources
from string import Template
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError, Refused, Unavailable
from cfaccess_mw.core.shape import shape

PLACEHOLDERS: Final = ("title", "detail", "status", "code", "ray", "login_url", "logout_url", "action")

_SIGN_IN = Template('<p class="action"><a href="$url">Sign in</a></p>')
_SIGN_OUT = Template(
    '<p class="action">Signed in as somebody else than you meant? <a href="$url">Sign out</a> and come back; '
    "it ends your session in every application.</p>"
)
_TRY_AGAIN = '<p class="action"><a href="">Try again</a></p>'

_HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Referrer-Policy", "no-referrer"),
)

# Nothing runs, nothing is sent, nobody frames it; an own page may bring its style along, and pictures and fonts.
_POLICY = "default-src 'none'; {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_OWN_SOURCES = "style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; font-src 'self' data:"


class RefusalPage:
    """The page for people.

    Args:
        template: The path of the operator's own template, or None for ours.

    Attributes:
        headers: What is sent with it.

    Raises:
        ConfigurationError: The file cannot be read, or a placeholder of it is unknown; the nearest known one is named.
    """

    def __init__(self, template: str | os.PathLike[str] | None = None) -> None:
        if template is None:
            self._template, sources = _built_in()
        else:
            self._template, sources = _read(template), _OWN_SOURCES
        self.headers = (*_HEADERS, ("Content-Security-Policy", _POLICY.format(sources)))

    def fill(self, error: Refused, status: int, ray: str, login_url: str, logout_url: str) -> bytes:
        """The page for one refusal; who was refused is not on it.

        Args:
            error: Why.
            status: The HTTP status code that is shown.
            ray: Cloudflare's name for the request, or empty text.
            login_url: Where signing in would mend it, or empty text.
            logout_url: Where signing out may help, or empty text.
        """
        facts = {
            "title": error.title,
            "detail": error.detail,
            "code": error.code,
            "status": str(status),
            "ray": ray or "none",
            "login_url": login_url,
            "logout_url": logout_url,
        }
        escaped = {name: html.escape(text) for name, text in facts.items()}
        return self._template.substitute(escaped, action=_action(error, escaped)).encode()


def _action(error: Refused, escaped: dict[str, str]) -> str:
    if escaped["login_url"]:
        return _SIGN_IN.substitute(url=escaped["login_url"])
    if escaped["logout_url"]:
        return _SIGN_OUT.substitute(url=escaped["logout_url"])
    return _TRY_AGAIN if isinstance(error, Unavailable) else ""


@cache
def _built_in() -> tuple[Template, str]:
    """Our page, and the sources it needs: its own style and nothing else."""
    text = resources.files("cfaccess_mw.wire").joinpath("refusal.html").read_text(encoding="utf-8")
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return Template(text), f"style-src 'sha256-{digest}'"


def _read(path: str | os.PathLike[str]) -> Template:
    mend = "give the path of a file of HTML in UTF-8"
    if not isinstance(path, str | os.PathLike):
        raise ConfigurationError(f"refusal_template: is {shape(path)}; {mend}")
    try:
        with open(path, encoding="utf-8") as file:
            template = Template(file.read())
    except (OSError, ValueError) as error:  # a NUL in the path, or bytes that are not UTF-8, are a ValueError
        raise ConfigurationError(f"refusal_template: cannot be read ({type(error).__name__}); {mend}") from error
    for name in template.get_identifiers():
        if name not in PLACEHOLDERS:
            near = difflib.get_close_matches(name, PLACEHOLDERS, n=1)
            mend = (
                f"did you mean ${near[0]}?" if near else f"known are {', '.join(f'${known}' for known in PLACEHOLDERS)}"
            )
            raise ConfigurationError(f"refusal_template: ${name} is not a placeholder; {mend}")
    try:
        template.substitute(dict.fromkeys(PLACEHOLDERS, ""))
    except ValueError as error:  # it says where, by line and column
        raise ConfigurationError(f"refusal_template: {error}; write a dollar sign as $$") from None
    return template
