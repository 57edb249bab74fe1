"""What is there to open? The app launcher: every application of the team, and who is signed in."""

from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from cfaccess_mw.emulator import pages
from cfaccess_mw.emulator.applications import Application
from cfaccess_mw.emulator.hosts import is_loopback
from cfaccess_mw.emulator.team import Team

_ANY_LOOPBACK_NAME = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An application to open.

    Attributes:
        name: The application's.
        shown: Where it is, for people.
        url: Its address.
    """

    name: str
    shown: str
    url: str


def launcher(team: Team, *, host: str, port: str, title: str, text: str = "", signed_in_as: str = "") -> Response:
    """The app launcher, which is also what people see after they signed out.

    Args:
        team: Whose.
        host: Of this page, without port.
        port: Of this page, with its colon; the edge serves every application there.
        title: The heading.
        text: A sentence below it.
        signed_in_as: The e-mail address or Client ID in this host's cookie, or an empty text.
    """
    return pages.page(
        "launcher.html",
        team=team.issuer.team,
        entries=[
            _entry(application, _ANY_LOOPBACK_NAME if host == team.host else host, port)
            for application in team.applications.all
        ],
        signed_in_as=signed_in_as,
        title=title,
        text=text,
    )


def _entry(application: Application, host: str, port: str) -> Entry:
    # an application without a host answers to every loopback name: the one that the browser uses now has the cookie
    at = application.host or (host if is_loopback(host) else _ANY_LOOPBACK_NAME)
    return Entry(
        name=application.name,
        shown=f"{at}{port}{application.path}",
        url=f"http://{at}{port}{quote(application.path)}",
    )
