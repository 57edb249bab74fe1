"""Does the real OpenTelemetry SDK see what happens, and nobody's name?"""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from cfaccess_mw import ConfigurationError, Identity, Rule
from cfaccess_mw.core.errors import NotPermitted
from cfaccess_mw.core.states import State
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.protection import Protection
from cfaccess_mw.telemetry.events import Event, Only, tell_request
from cfaccess_mw.telemetry.opentelemetry import OpenTelemetry
from cfaccess_mw.telemetry.requests import ToldRequest
from cfaccess_mw.telemetry.vitals import fleet_of
from tests.doors.conftest import Ask, Request
from tests.telemetry.fleets import in_a_fleet
from tests.tokens import AUD

Points = dict[tuple[tuple[str, object], ...], Any]


class Observatory:
    """A whole SDK of a test's own: nothing global is set."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self._spans = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))

    def listener(self, **options: Any) -> OpenTelemetry:
        return OpenTelemetry(meter_provider=self.meters, tracer_provider=self.tracers, **options)

    def metrics(self) -> dict[str, Points]:
        """The points of each metric now, by their attributes."""
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: {
                tuple(sorted((point.attributes or {}).items())): getattr(point, "value", point)
                for point in metric.data.data_points
            }
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._spans.get_finished_spans()


@pytest.fixture
def seen() -> Iterator[Observatory]:
    made = Observatory()
    yield made
    made.meters.shutdown()
    made.tracers.shutdown()


def test_decisions_are_counted_and_measured(ask: Ask, team: Issuer, seen: Observatory) -> None:
    listener = seen.listener()
    token, robot = team.user("alice@example.com", audience=AUD), team.service(audience=AUD)
    rules = [Rule.public("/healthz"), Rule.deny("/no/*")]
    asked = (("/", token), ("/", token), ("/", robot), ("/", None), ("/no", token), ("/healthz", None), ("/a\n", None))
    for path, given in asked:
        headers = () if given is None else (("cf-access-jwt-assertion", given),)
        ask(Request(path=path, headers=headers), rules=rules, listeners=[listener])
    found = seen.metrics()
    assert found["cfaccess.decisions"] == {
        (("code", code), ("kind", kind), ("outcome", outcome)): count
        for outcome, code, kind, count in (
            ("accepted", "none", "user", 2),
            ("accepted", "none", "service", 1),
            ("unauthenticated", "no-token", "none", 1),
            ("denied", "not-permitted", "user", 1),
            ("anonymous", "none", "none", 1),
            ("ambiguous", "ambiguous-path", "none", 1),
        )
    }
    measured = found["cfaccess.decision.duration"][("outcome", "accepted"),]
    assert measured.count == 3
    assert 0 < measured.sum < 60
    assert measured.explicit_bounds[0] == 1e-5


@pytest.mark.parametrize(
    ("event", "metric", "attributes"),
    [
        pytest.param(
            Event(name="keys-fetched"), "cfaccess.keys.fetches", {"reason": "none", "result": "fetched"}, id="fetched"
        ),
        pytest.param(
            Event(name="keys-failed", facts={"reason": "timeout"}),
            "cfaccess.keys.fetches",
            {"reason": "timeout", "result": "failed"},
            id="failed",
        ),
        pytest.param(
            Event(name="keys-failed", facts={"reason": "\n" + "x" * 100}),
            "cfaccess.keys.fetches",
            {"reason": "\\n" + "x" * 63, "result": "failed"},
            id="failed-oddly",
        ),
        pytest.param(
            Event(name="profile-failed", facts={"reason": "status"}),
            "cfaccess.lookups",
            {"reason": "status", "result": "failed"},
            id="lookup-failed",
        ),
        pytest.param(
            Event(name="session-ended"), "cfaccess.lookups", {"reason": "none", "result": "ended"}, id="session-ended"
        ),
        pytest.param(Event(name="keys-stale"), "cfaccess.events", {"event": "keys-stale"}, id="anything-else"),
    ],
)
def test_events_are_counted(seen: Observatory, event: Event, metric: str, attributes: dict[str, str]) -> None:
    seen.listener()(event)
    assert seen.metrics()[metric] == {tuple(sorted(attributes.items())): 1}


@pytest.mark.parametrize(
    ("name", "seconds", "facts", "span", "status"),
    [
        pytest.param("keys-fetched", 0.25, {}, "cfaccess.keys.fetch", StatusCode.UNSET, id="fetched"),
        pytest.param("keys-failed", 5.0, {"reason": "timeout"}, "cfaccess.keys.fetch", StatusCode.ERROR, id="failed"),
        pytest.param("profile-fetched", 0.125, {}, "cfaccess.lookup", StatusCode.UNSET, id="looked-up"),
    ],
)
def test_an_attempt_is_a_span_that_ends_now(
    seen: Observatory, name: str, seconds: float, facts: dict[str, Any], span: str, status: StatusCode
) -> None:
    seen.listener()(Event(name=name, facts=facts, seconds=seconds))
    (found,) = seen.spans
    assert (found.name, found.kind, found.status.status_code) == (span, SpanKind.CLIENT, status)
    assert found.start_time is not None
    assert found.end_time is not None
    assert found.end_time - found.start_time == seconds * 1e9


def test_fetching_the_keys_is_a_span(team: Issuer, seen: Observatory) -> None:
    told = threading.Event()
    listeners = [seen.listener(), Only(lambda _: told.set(), "keys-fetched")]
    with Emulator(upstream="http://127.0.0.1:9", issuer=team) as emulator:
        protection = Protection(team="acme", audience=AUD, team_url=emulator.url, listeners=listeners)
        protection.hydrate()
        assert told.wait(30)
        protection.close()
    (span,) = seen.spans
    assert span.name == "cfaccess.keys.fetch"
    assert dict(span.attributes or {}) == {"cfaccess.result": "fetched", "cfaccess.reason": "none"}


def test_an_attempt_of_unknown_length_is_no_span(seen: Observatory) -> None:
    seen.listener()(Event(name="keys-fetched"))
    assert seen.spans == ()


@pytest.mark.parametrize(
    ("options", "enduser"),
    [
        pytest.param({}, None, id="off"),
        pytest.param({"enduser": "id"}, "7335d417-61da-459d-899c-0a01c76a2f94", id="id"),
        pytest.param({"enduser": "email"}, "alice\\n@example.com", id="email"),
    ],
)
def test_the_current_span_says_what_was_decided(
    seen: Observatory, identity: Callable[..., Identity], options: dict[str, Any], enduser: str | None
) -> None:
    listener = seen.listener(**options)
    who = identity(email="alice\n@example.com")
    denied = ToldRequest("denied", error=NotPermitted(), sent_method="GET", sent_path="/secret", identity=who)
    with seen.tracers.get_tracer("server").start_as_current_span("GET"):
        tell_request([listener], "policy-denied", denied)
    (span,) = seen.spans
    expected = {
        "cfaccess.outcome": "denied",
        "cfaccess.code": "not-permitted",
        "cfaccess.kind": "user",
        "cfaccess.rule": "none",
    }
    assert dict(span.attributes or {}) == (expected if enduser is None else {**expected, "enduser.id": enduser})


def test_a_service_has_no_address_to_show(seen: Observatory, identity: Callable[..., Identity]) -> None:
    who = identity(kind="service", email=None)
    with seen.tracers.get_tracer("server").start_as_current_span("GET"):
        request = ToldRequest("accepted", sent_method="GET", sent_path="/", identity=who)
        tell_request([seen.listener(enduser="email")], "token-accepted", request)
    assert "enduser.id" not in (seen.spans[0].attributes or {})


def test_a_mistake_is_found_at_start() -> None:
    with pytest.raises(ConfigurationError, match="enduser: is text of 4 characters; give 'off', 'id' or 'email'"):
        OpenTelemetry(enduser="name")  # type: ignore[arg-type]


def test_the_gauges_look_at_every_protection_that_lives(issuer: Issuer, seen: Observatory) -> None:
    listener = seen.listener()
    assert seen.metrics() == {}
    given = Protection(team="acme", audience=AUD, keys=issuer.certs(), listeners=[listener])
    cold = Protection(team="cold", audience=AUD, certs_url="http://127.0.0.1:9/c", listeners=[listener])
    found = seen.metrics()
    assert found["cfaccess.ready"] == {(): 0}
    acme, other = ("team", "acme.cloudflareaccess.com"), ("team", "cold.cloudflareaccess.com")
    states = found["cfaccess.keys.state"]
    assert {key for key, value in states.items() if value} == {(("state", "static"), acme), (("state", "cold"), other)}
    assert len(states) == 2 * len(State)
    assert found["cfaccess.keys.failures"] == {(acme,): 0, (other,): 0}
    assert found["cfaccess.tokens.remembered"] == {(): 0}
    assert not [name for name in found if "fleet" in name]
    cold.close()
    del cold
    gc.collect()
    assert seen.metrics()["cfaccess.ready"] == {(): 1}
    assert given.ready()


@pytest.mark.parametrize(
    ("now", "ready", "state"),
    [
        pytest.param({}, 1, "connected", id="connected"),
        pytest.param({"state": "lost", "ready": False, "heard_ago": 90.0}, 0, "lost", id="lost"),
        pytest.param({"state": "never", "ready": True, "heard_ago": None}, 1, "never", id="never"),
    ],
)
def test_the_gauges_look_at_a_fleet(
    issuer: Issuer, seen: Observatory, now: dict[str, Any], ready: int, state: str
) -> None:
    listener = seen.listener()
    protection = in_a_fleet(issuer, listener, **now)
    well = in_a_fleet(issuer, listener, revocations=1)
    assert fleet_of(protection) is protection.now
    found = seen.metrics()
    assert found["cfaccess.ready"] == {(): ready}
    states = found["cfaccess.fleet.state"]
    assert {dict(key)["state"]: value for key, value in states.items() if value} == {state: 1}
    assert len(states) == 3
    assert found["cfaccess.fleet.silence"] == {(): now.get("heard_ago") or 0.5}
    assert found["cfaccess.fleet.revocations"] == {(): 3}
    assert well.ready()


def test_without_the_extra_it_says_which_to_install() -> None:
    program = "import sys; sys.modules['opentelemetry'] = None; import cfaccess_mw.telemetry.opentelemetry"
    failed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=os.environ
    )
    assert failed.stderr.splitlines()[-1].endswith("pip install 'cfaccess-mw[otel]'")
