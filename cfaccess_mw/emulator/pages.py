"""How do the emulator's pages look?"""

from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse, Response

from cfaccess_mw.emulator.extra import emulator_extra

with emulator_extra():
    import jinja2

_HERE = Path(__file__).parent
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
STYLE = (_HERE / "style.css").read_text(encoding="utf-8")


def page(template: str, *, status: int = 200, form_action: str = "'self'", **values: Any) -> HTMLResponse:
    """Render a page.

    Args:
        template: Its name.
        status: Of the answer.
        form_action: Where its form may lead, redirects included (CSP ``form-action``).
        **values: For the template.
    """
    policy = f"default-src 'none'; style-src 'self'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        # not no-referrer: with it a browser would send "Origin: null" along with the form
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_TEMPLATES.get_template(template).render(values), status, headers=headers)


def message(title: str, text: str, *, status: int = 200, link: tuple[str, str] | None = None) -> HTMLResponse:
    """A page that says one thing.

    Args:
        title: Its heading.
        text: A sentence or two.
        status: Of the answer.
        link: Address and text of where to go from here.
    """
    return page("message.html", status=status, title=title, text=text, link=link)


def refusal(status: HTTPStatus, text: str) -> HTMLResponse:
    """A page that says what is wrong with a request."""
    return message(status.phrase, text, status=status)


def style() -> Response:
    """The style sheet."""
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "no-cache"})
