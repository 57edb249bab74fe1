"""Bottle behind Cloudflare Access, by the door of all WSGI applications.

    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b… waitress-serve --listen=127.0.0.1:8000 app:app

On a laptop, ``CFACCESS_TEAM_URL`` names the emulator that stands for Cloudflare.
"""

from bottle import Bottle, request

from cfaccess_mw import Identity, Rule
from cfaccess_mw.wsgi import AccessMiddleware

site = Bottle()


@site.get("/")
def home() -> str:
    return f"Hello {who().display_name}\n"


@site.get("/healthz")
def healthz() -> str:
    return "ok\n"


@site.get("/admin")
def admin() -> str:
    return "Only the group admins comes here\n"


@site.get("/whoami")
def whoami() -> dict[str, str | None]:
    return {"kind": who().kind, "id": who().id, "email": who().email}


def who() -> Identity:
    """Who is asking: the door lets nobody else past, but on public paths."""
    return request.environ["cfaccess.identity"]


app = AccessMiddleware(site, rules=[Rule.public("/healthz"), Rule.allow("/admin/*", groups=["admins"])])
