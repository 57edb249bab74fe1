"""How do the emulator's pages look?

HTML and one style sheet: nothing is built, nothing runs in them, and nothing comes from elsewhere.
"""

import hashlib
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from starlette.responses import HTMLResponse, Response

from cfaccess_mw.extras import needs

with needs("emulator"):
    import jinja2

LAUNCHER_PATH: Final = "/cdn-cgi/access/launcher"
LOGOUT_PATH: Final = "/cdn-cgi/access/logout"
STYLE_PATH: Final = "/cdn-cgi/access/style.css"

_HERE = Path(__file__).parent
STYLE: Final = (_HERE / "style.css").read_text(encoding="utf-8")
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals |= {
    # a browser keeps the sheet for good, and asks anew when it is another one
    "style": f"{STYLE_PATH}?{hashlib.sha256(STYLE.encode()).hexdigest()[:12]}",
    "launcher": LAUNCHER_PATH,
    "logout": LOGOUT_PATH,
}


def page(template: str, *, status: int = 200, form_action: str = "'none'", **values: Any) -> HTMLResponse:
    """Render a page.

    Args:
        template: Its name.
        status: Of the answer.
        form_action: Where its form may lead, redirects included (CSP ``form-action``).
        **values: For the template.
    """
    policy = (
        # the one picture is an empty one, so that no browser asks the application for a favicon
        "default-src 'none'; style-src 'self'; img-src data:; "
        f"form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
    )
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        # not no-referrer: with it a browser would send "Origin: null" along with the form
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_TEMPLATES.get_template(template).render(values), status, headers=headers)


def refusal(
    status: HTTPStatus,
    text: str,
    *,
    title: str | None = None,
    signed_in_as: str = "",
    details: Sequence[tuple[str, str]] = (),
) -> HTMLResponse:
    """A page that says what is wrong with a request, or with who sent it.

    Args:
        status: Of the answer.
        text: A sentence or two.
        title: Its heading, if not the status's own phrase.
        signed_in_as: The e-mail address of whoever is refused; the page then offers to sign out.
        details: What a developer wants to know beside it: names and values, say ``("Application", "Payroll")``.
    """
    return page(
        "refusal.html",
        status=status,
        title=title or status.phrase,
        text=text,
        signed_in_as=signed_in_as,
        details=details,
    )


def style() -> Response:
    """The style sheet."""
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})
