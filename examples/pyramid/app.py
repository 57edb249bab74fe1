"""Pyramid behind Cloudflare Access, by the door of all WSGI applications.

    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b… waitress-serve --listen=127.0.0.1:8000 app:app

A security policy of Pyramid's hands the identity to ``request.identity`` and to views' permissions. On a laptop,
``CFACCESS_TEAM_URL`` names the emulator that stands for Cloudflare.
"""

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from pyramid.security import Allowed

from cfaccess_mw import Identity, Refused, Rule
from cfaccess_mw.permission import Permission
from cfaccess_mw.wsgi import AccessMiddleware

PERMISSIONS = {"administer": Permission(groups=["admins"])}


class AccessSecurityPolicy:
    """Who is asking, and what they may, for Pyramid."""

    def identity(self, request: Request) -> Identity | None:
        return request.environ["cfaccess.identity"]

    def authenticated_userid(self, request: Request) -> str | None:
        identity = self.identity(request)
        return None if identity is None else identity.id

    def permits(self, request: Request, context: object, permission: str) -> Allowed:
        facts = request.environ["cfaccess.door"].facts(request.environ)
        PERMISSIONS[permission].demand_blocking(self.identity(request), facts)
        return Allowed("the policies say yes")

    def remember(self, request: Request, userid: str, **kw: object) -> list[tuple[str, str]]:
        return []  # Cloudflare Access remembers

    def forget(self, request: Request, **kw: object) -> list[tuple[str, str]]:
        return []


def refuse(error: Refused, request: Request) -> Response:
    """Answer what a view or the policy refuses as the door would."""
    answer = request.environ["cfaccess.door"].response(error, request.environ)
    return Response(answer.body, status=answer.status, headerlist=list(answer.headers))


def home(request: Request) -> Response:
    return Response(f"Hello {request.identity.display_name}\n", content_type="text/plain")


def healthz(request: Request) -> Response:
    return Response("ok\n", content_type="text/plain")


def admin(request: Request) -> Response:
    return Response("Only the group admins comes here\n", content_type="text/plain")


def whoami(request: Request) -> dict[str, str | None]:
    return {"kind": request.identity.kind, "id": request.identity.id, "email": request.identity.email}


with Configurator() as config:
    config.set_security_policy(AccessSecurityPolicy())
    config.add_exception_view(refuse, context=Refused)
    for name, path in (("home", "/"), ("healthz", "/healthz"), ("admin", "/admin"), ("whoami", "/whoami")):
        config.add_route(name, path)
    config.add_view(home, route_name="home")
    config.add_view(healthz, route_name="healthz")
    config.add_view(admin, route_name="admin", permission="administer")
    config.add_view(whoami, route_name="whoami", renderer="json")
    site = config.make_wsgi_app()

app = AccessMiddleware(site, rules=[Rule.public("/healthz")])
