"""An application with everything that its operators ask for: metrics, probes, an audit, logs that say who.

    CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b… uvicorn app:app

With ``OTEL_EXPORTER_PROMETHEUS_PORT=9464`` Prometheus finds the metrics at that port, which is none of the door's: keep
it within. Each worker process needs a port of its own; with several, push by OTLP instead. ``CFACCESS_AUDIT=true``
records accesses on standard output, and ``--log-config logging.json`` has every line of the log say who was asking.

Needs ``cfaccess-mw[otel]``, ``opentelemetry-sdk`` and ``opentelemetry-exporter-prometheus``.
"""

import logging
import os

from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from cfaccess_mw import Rule
from cfaccess_mw.asgi import AccessMiddleware
from cfaccess_mw.contrib import starlette as access
from cfaccess_mw.health import Health
from cfaccess_mw.telemetry.opentelemetry import OpenTelemetry

if port := os.environ.get("OTEL_EXPORTER_PROMETHEUS_PORT"):
    metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    try:
        start_http_server(int(port), addr=os.environ.get("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1"))
    except OSError as taken:  # by another worker, as a rule: what this one does is not seen there
        logging.getLogger(__name__).warning("no metrics at port %s: %s", port, taken.strerror)

health = Health()


async def home(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"Hello {request.user.display_name}\n")


@requires("user")
async def admin(request: Request) -> PlainTextResponse:
    return PlainTextResponse("Only the group admins comes here\n")


async def whoami(request: Request) -> JSONResponse:
    who = request.user
    return JSONResponse({"kind": who.kind, "id": who.id, "email": who.email})


async def healthz(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")


app = Starlette(
    routes=[
        Route("/", home),
        Route("/admin", admin),
        Route("/whoami", whoami),
        Route("/healthz", healthz),
        Route("/livez", health.asgi),
        Route("/readyz", health.asgi),
    ],
    middleware=[
        Middleware(
            AccessMiddleware,
            rules=[
                Rule.public("/healthz"),
                Rule.public("/livez"),
                Rule.public("/readyz"),
                Rule.allow("/admin/*", groups=["admins"]),
            ],
            listeners=[OpenTelemetry()],
        ),
    ],
)
access.install(app)
