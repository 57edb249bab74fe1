"""What does a browser visit in these tests? An application behind its door, and the emulated Access in front of it."""

import html
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from cfaccess_mw import Rule, current_identity
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.cli.origins import Listening
from cfaccess_mw.core.policy_reading import read_policies
from cfaccess_mw.emulator.applications import Application, audience_for
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.emulator.users import DEFAULT_USERS, User

# Names are what somebody typed somewhere: into a configuration here, into an identity provider elsewhere.
HOSTILE: Final = '<img src=x onerror="window.owned=1">\'"--><script>window.owned=1</script>'
MALLORY: Final = User(
    email="\"'onfocus=window.owned=1/autofocus><script>@example.com",
    name=HOSTILE,
    groups=(HOSTILE, "a-group-with-a-name-that-has-no-place-to-break-and-is-longer-than-a-phone-is-wide"),
)
APPLICATIONS: Final = (
    Application(name="Payroll"),
    Application(name=HOSTILE, path="/hostile", audience=audience_for(path="/hostile")),
    Application(
        name=f"Vault of {HOSTILE}",
        path="/vault",
        audience=audience_for(path="/vault"),
        policies=read_policies([{"decision": "allow", "include": [{"groups": ["admins"]}]}]),
    ),
    Application(name="Wiki", host="wiki.localhost", audience=audience_for("wiki.localhost")),
)
RULES: Final = (
    Rule.public("/public/*"),
    Rule.allow("/admin/*", groups=["admins"]),
    Rule.allow("/hidden/*", emails=["nobody@example.com"]),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What runs.

    Attributes:
        emulator: The edge.
        edge: Where the edge listens.
        origin: Where the application listens itself, with nothing in front of it but its own door.
    """

    emulator: Emulator
    edge: str
    origin: str


@contextmanager
def serving(team_host: str | None = None, **options: Any) -> Iterator[Site]:
    """Run the edge and the application.

    Args:
        team_host: The emulator's.
        **options: Further ones of the application's door.
    """
    listening = Listening()
    emulator = Emulator(
        upstream=listening.url, applications=APPLICATIONS, users=(*DEFAULT_USERS, MALLORY), team_host=team_host
    )
    door = AccessMiddleware(
        Starlette(routes=[Route("/{path:path}", _hello, methods=["GET", "POST"])]),
        team="acme",
        audience=[application.audience for application in APPLICATIONS],
        team_url=emulator.url,
        rules=RULES,
        **options,
    )
    with emulator, listening.asgi(door):
        yield Site(emulator=emulator, edge=emulator.url, origin=listening.url)


async def _hello(request: Request) -> Response:
    identity = current_identity()
    who = "nobody" if identity is None else identity.display_name
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Hello</title><link rel="icon" href="data:,">'
        f"<h1>Hello {html.escape(who)}</h1>"
    )
