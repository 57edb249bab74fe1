"""A FastAPI application that reads its team and audience from the environment."""

from fastapi import FastAPI, Request

from cfaccess_mw import Rule
from cfaccess_mw.asgi import AccessMiddleware

app = FastAPI()
app.add_middleware(
    AccessMiddleware,
    rules=[
        Rule.public("/healthz"),
        Rule.allow("/admin/*", groups=["admins"]),
        Rule.service("/hooks/*"),
    ],
)


@app.get("/healthz")
async def healthz() -> str:
    return "ok"


@app.get("/")
async def home(request: Request) -> str:
    return f"Hello {request.user.display_name}"


@app.get("/admin")
async def admin() -> str:
    return "the safe"


@app.post("/hooks/deploy")
async def deploy(request: Request) -> str:
    return f"deployed by {request.user.id}"
