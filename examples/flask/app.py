"""Flask behind Cloudflare Access.

    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b… gunicorn app:app

On a laptop, without Cloudflare: ``cfaccess demo`` says what to set.
"""

from flask import Flask

from cfaccess_mw import Rule
from cfaccess_mw.contrib.flask import CfAccess, current_identity, require

app = Flask(__name__)
access = CfAccess(app, protect_all=True, rules=[Rule.public("/healthz")])


@app.get("/")
def home() -> tuple[str, dict[str, str]]:
    return f"Hello {current_identity.display_name}\n", {"Content-Type": "text/plain; charset=utf-8"}


@app.get("/healthz")
def healthz() -> tuple[str, dict[str, str]]:
    return "ok\n", {"Content-Type": "text/plain; charset=utf-8"}


@app.get("/admin")
@require(groups=["admins"])
def admin() -> tuple[str, dict[str, str]]:
    return "Only the group admins comes here\n", {"Content-Type": "text/plain; charset=utf-8"}


@app.get("/whoami")
def whoami() -> dict[str, str | None]:
    return {"kind": current_identity.kind, "id": current_identity.id, "email": current_identity.email}
