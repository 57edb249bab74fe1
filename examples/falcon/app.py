"""Falcon behind Cloudflare Access, by the door of all WSGI applications.

    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b… waitress-serve --listen=127.0.0.1:8000 app:app

On a laptop, ``CFACCESS_TEAM_URL`` names the emulator that stands for Cloudflare.
"""

from falcon import MEDIA_TEXT, App, Request, Response

from cfaccess_mw import Identity, Rule
from cfaccess_mw.wsgi import AccessMiddleware


class AccessContext:
    """Makes the identity ``req.context.identity``, where Falcon's users look for such things."""

    def process_request(self, req: Request, resp: Response) -> None:
        req.context.identity = req.env["cfaccess.identity"]


class Home:
    def on_get(self, req: Request, resp: Response) -> None:
        identity: Identity = req.context.identity
        resp.content_type, resp.text = MEDIA_TEXT, f"Hello {identity.display_name}\n"


class Health:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type, resp.text = MEDIA_TEXT, "ok\n"


class Admin:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type, resp.text = MEDIA_TEXT, "Only the group admins comes here\n"


class WhoAmI:
    def on_get(self, req: Request, resp: Response) -> None:
        identity: Identity = req.context.identity
        resp.media = {"kind": identity.kind, "id": identity.id, "email": identity.email}


site = App(middleware=[AccessContext()])
site.add_route("/", Home())
site.add_route("/healthz", Health())
site.add_route("/admin", Admin())
site.add_route("/whoami", WhoAmI())

app = AccessMiddleware(site, rules=[Rule.public("/healthz"), Rule.allow("/admin/*", groups=["admins"])])
