"""How does OpenTelemetry learn what happens? As a listener::

    from cfaccess_mw.telemetry.opentelemetry import OpenTelemetry

    app = AccessMiddleware(app, team="acme", audience=AUD, listeners=[OpenTelemetry()])

One serves all doors of a process. It uses the API alone (extra ``otel``); which SDK and exporter take what it says is
the application's choice. No label is a person, a path or a key id.

============================ ========= ===== ==========================================================================
cfaccess.decisions           counter         requests decided over, by ``outcome``, ``code`` and ``kind``
cfaccess.decision.duration   histogram s     how long that took, with all waiting, by ``outcome``
cfaccess.keys.fetches        counter         attempts to fetch a team's keys, by ``result`` and ``reason``
cfaccess.lookups             counter         attempts to look somebody up, by ``result`` and ``reason``
cfaccess.events              counter         everything else that happened, by ``event``
============================ ========= ===== ==========================================================================

``gauges`` has the others. The span that is current when a request is decided over gets ``cfaccess.outcome``,
``cfaccess.code``, ``cfaccess.kind`` and ``cfaccess.rule``: put OpenTelemetry's own middleware around the door. Fetches
and lookups are spans of their own.
"""

import time
from collections.abc import Mapping
from typing import Final, Literal

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.extras import needs
from cfaccess_mw.telemetry.events import Event
from cfaccess_mw.telemetry.requests import ToldRequest
from cfaccess_mw.telemetry.shown import shown
from cfaccess_mw.telemetry.vitals import Watched

with needs("otel"):
    from opentelemetry import metrics, trace

    from cfaccess_mw.telemetry.gauges import Gauges

SCOPE: Final = "cfaccess_mw"

_NONE: Final = "none"  # said where there is nothing to say: a metric has the same labels always
_LONGEST_REASON: Final = 64

# Seconds. A decision from memory takes a few millionths, a signature a tenth of a thousandth, a fetch up to 5 s.
_BOUNDS: Final = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5, 1.0, 5.0, 10.0)

# Events that end an attempt: which counter and span they belong to, and the result.
_ATTEMPTS: Final[Mapping[str, tuple[str, str]]] = {
    "keys-fetched": ("keys.fetch", "fetched"),
    "keys-failed": ("keys.fetch", "failed"),
    "profile-fetched": ("lookup", "fetched"),
    "profile-failed": ("lookup", "failed"),
    "session-ended": ("lookup", "ended"),
}


class OpenTelemetry:
    """The listener that counts, measures and traces.

    Args:
        meter_provider: Whose meter is used; the global one by default.
        tracer_provider: Whose tracer is used; the global one by default.
        enduser: What ``enduser.id`` of the current span is: nothing, the identity's ``id``, or its ``email``.

    Raises:
        ConfigurationError: ``enduser`` is none of these.
    """

    def __init__(
        self,
        *,
        meter_provider: metrics.MeterProvider | None = None,
        tracer_provider: trace.TracerProvider | None = None,
        enduser: Literal["off", "id", "email"] = "off",
    ) -> None:
        if enduser not in ("off", "id", "email"):
            raise ConfigurationError(f"enduser: is {shape(enduser)}; give 'off', 'id' or 'email'")
        self._enduser = enduser
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
        self._gauges = Gauges(meter)
        self._decisions = meter.create_counter(
            "cfaccess.decisions", unit="{request}", description="Requests decided over."
        )
        self._duration = meter.create_histogram(
            "cfaccess.decision.duration",
            unit="s",
            description="How long a decision over a request took.",
            explicit_bucket_boundaries_advisory=_BOUNDS,
        )
        self._attempts = {
            "keys.fetch": meter.create_counter(
                "cfaccess.keys.fetches", unit="{attempt}", description="Attempts to fetch a team's keys."
            ),
            "lookup": meter.create_counter(
                "cfaccess.lookups", unit="{attempt}", description="Attempts to look somebody up."
            ),
        }
        self._events = meter.create_counter(
            "cfaccess.events", unit="{event}", description="Everything that happened besides requests and attempts."
        )

    def watch_protection(self, protection: Watched) -> None:
        """Have the gauges look at a protection for as long as it lives; it calls this itself."""
        self._gauges.watch(protection)

    def __call__(self, event: Event) -> None:
        """Count an event, and say it on a span."""
        if event.request is not None:
            self._count(event.request)
        elif event.name in _ATTEMPTS:
            self._attempt(*_ATTEMPTS[event.name], event)
        else:
            self._events.add(1, {"event": event.name})

    def _count(self, request: ToldRequest) -> None:
        identity, code = request.identity, request.code or _NONE
        kind = _NONE if identity is None else identity.kind
        self._decisions.add(1, {"outcome": request.outcome, "code": code, "kind": kind})
        if request.seconds is not None:
            self._duration.record(request.seconds, {"outcome": request.outcome})
        span = trace.get_current_span()
        if not span.is_recording():
            return
        span.set_attribute("cfaccess.outcome", request.outcome)
        span.set_attribute("cfaccess.code", code)
        span.set_attribute("cfaccess.kind", kind)
        span.set_attribute("cfaccess.rule", request.rule or _NONE)
        name = None if identity is None or self._enduser == "off" else getattr(identity, self._enduser)
        if name is not None:
            span.set_attribute("enduser.id", shown(name))

    def _attempt(self, what: str, result: str, event: Event) -> None:
        reason = shown(str(event.facts.get("reason", _NONE)), _LONGEST_REASON)
        attributes = {"result": result, "reason": reason}
        self._attempts[what].add(1, attributes)
        if event.seconds is None:
            return
        now = time.time_ns()
        span = self._tracer.start_span(
            f"cfaccess.{what}",
            kind=trace.SpanKind.CLIENT,
            start_time=now - int(event.seconds * 1e9),
            attributes={f"cfaccess.{name}": value for name, value in attributes.items()},
        )
        if result == "failed":
            span.set_status(trace.StatusCode.ERROR, reason)
        span.end(now)
