"""Do the files in ``examples/operations`` fit what the package says, and what a running application exposes?"""

import configparser
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("opentelemetry.exporter.prometheus", reason="opentelemetry-exporter-prometheus is not installed")

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import AccessError, Refused
from cfaccess_mw.core.states import State
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from cfaccess_mw.protection import Protection
from cfaccess_mw.settings import from_environment
from cfaccess_mw.telemetry.catalogue import EVENTS
from cfaccess_mw.telemetry.events import Event, tell_request
from cfaccess_mw.telemetry.opentelemetry import OpenTelemetry
from cfaccess_mw.telemetry.requests import OUTCOMES, ToldRequest
from tests.examples.catalogue import EXAMPLES, FOLDER
from tests.examples.process import running, skip_what_is_missing
from tests.processes import free_port
from tests.telemetry.fleets import in_a_fleet
from tests.tokens import AUD

OPERATIONS = FOLDER / "operations"
SELECTOR = re.compile(r"(cfaccess_\w+)(?:\{(.*?)\})?", re.DOTALL)
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"(.*?)"')

# What Prometheus itself puts on everything, and OpenTelemetry's exporter.
OF_PROMETHEUS = {"job", "instance"}
OF_OPENTELEMETRY = {"otel_scope_name", "otel_scope_version", "otel_scope_schema_url", "le"}

# What counters and histograms are made of.
PARTS = re.compile(r"_(created|sum|count|bucket)$")


def codes(kind: type[AccessError] = Refused) -> set[str]:
    """The codes of all refusals."""
    return {kind.code}.union(*(codes(each) for each in kind.__subclasses__()))


# What the values of a label may be.
VALUES: Mapping[str, set[str]] = {
    "outcome": set(OUTCOMES),
    "code": {"none", *codes()},
    "kind": {"none", "user", "service", "certificate"},
    "state": {*(state.value for state in State), "connected", "lost", "never"},
    "event": set(EVENTS),
    "result": {"fetched", "failed", "ended"},
}


def _expressions(value: Any) -> Iterator[str]:
    """Every expression of a dashboard, or of rules."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("expr", "query") and isinstance(inner, str):
                yield inner
            yield from _expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _expressions(inner)


def _documents(name: str) -> list[Any]:
    text = (OPERATIONS / name).read_text(encoding="utf-8")
    if name.endswith(".json"):
        return [json.loads(text)]
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return list(yaml.safe_load_all(text))


def _samples(text: str) -> dict[str, set[str]]:
    """The names that are exposed, and the labels of each."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("cfaccess_"):
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.fixture(scope="module")
def exposed(issuer: Issuer) -> Iterator[dict[str, set[str]]]:
    """What a process exposes to which everything has happened."""
    reader = PrometheusMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    listener = OpenTelemetry(meter_provider=meters)
    member = in_a_fleet(issuer, listener)
    for name in EVENTS:
        listener(Event(name=name))
    for outcome in OUTCOMES:
        request = ToldRequest(outcome, sent_method="GET", sent_path="/", seconds=1e-5)
        tell_request([listener], "token-accepted", request)
    with Emulator(
        upstream="http://127.0.0.1:9", issuer=Issuer("acme", current=issuer.current, previous=issuer.previous)
    ) as emulator:
        fetched = Protection(team="acme", audience=AUD, team_url=emulator.url, listeners=[listener])
        fetched.hydrate()
        yield _samples(generate_latest(REGISTRY).decode())
        fetched.close()
    assert member.ready()
    meters.shutdown()


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yaml"])
def test_what_is_shown_is_exposed(name: str, exposed: dict[str, set[str]]) -> None:
    expressions = [each for document in _documents(name) for each in _expressions(document)]
    assert len(expressions) >= 10
    for expression in expressions:
        selectors = SELECTOR.findall(expression)
        labels: set[str] = set()
        for metric, inside in selectors:
            assert metric in exposed, expression
            labels |= exposed[metric]
            for label, how, value in MATCHER.findall(inside):
                assert label in exposed[metric] | OF_PROMETHEUS, expression
                words = value.split("|") if how in ("=~", "!~") else [value]
                assert label not in VALUES or set(words) <= VALUES[label], expression
        for grouped in re.findall(r"by \((.*?)\)", expression):
            assert {word.strip() for word in grouped.split(",")} <= labels | OF_PROMETHEUS, expression


def test_every_metric_is_shown(exposed: dict[str, set[str]]) -> None:
    (dashboard,) = _documents("dashboard.json")
    shown = {metric for each in _expressions(dashboard) for metric, _ in SELECTOR.findall(each)}
    assert {PARTS.sub("", metric) for metric in exposed} == {PARTS.sub("", metric) for metric in shown}


def test_the_manual_names_every_metric(exposed: dict[str, set[str]]) -> None:
    manual = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    section = manual.partition("### Metrics and traces")[2].partition("\n### ")[0]
    if not section:
        pytest.skip("the manual has no section on metrics")
    rows = re.findall(r"^\| `(cfaccess\.\S+)` \| `(\S+)` \|(.*?)\|$", section, re.MULTILINE)
    assert {shown for _, shown, _ in rows} == {PARTS.sub("", name) for name in exposed}
    for name, shown, labels in rows:
        assert shown.startswith(name.replace(".", "_"))
        some = next(labels for metric, labels in exposed.items() if PARTS.sub("", metric) == shown)
        first = set(re.findall(r"`(\w+)`", labels.partition(":")[0])) - VALUES["outcome"]
        assert first == some - OF_OPENTELEMETRY


def test_panels_are_told_apart() -> None:
    (dashboard,) = _documents("dashboard.json")
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells), "one lies over another"
    assert max(x for x, _ in cells) < 24


def test_every_alert_says_what_mends_it() -> None:
    (rules,) = _documents("alerts.yaml")
    for rule in rules["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert {"summary", "mend"} == rule["annotations"].keys()


def test_no_label_is_a_person_a_path_or_a_key(exposed: dict[str, set[str]]) -> None:
    labels = set().union(*exposed.values()) - OF_OPENTELEMETRY
    assert labels == {"outcome", "code", "kind", "result", "reason", "event", "team", "state"}


def _configuration(variables: Mapping[str, str]) -> AccessConfig:
    ours = {name: value for name, value in variables.items() if name.startswith("CFACCESS_")}
    return AccessConfig.from_mapping(from_environment(ours))


def test_the_deployment_fits_the_application() -> None:
    config, secret, deployment, service, policy, _ = _documents("kubernetes.yaml")
    made = _configuration({**config["data"], **secret["stringData"]})
    assert made.recording is not None
    assert made.recording.to == "stdout"
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert str(ports["metrics"]) == config["data"]["OTEL_EXPORTER_PROMETHEUS_PORT"]
    assert f"--port={ports['http']}" in container["args"]
    application = (OPERATIONS / "app.py").read_text(encoding="utf-8")
    for probe in ("livenessProbe", "readinessProbe"):
        assert f'Rule.public("{container[probe]["httpGet"]["path"]}")' in application
    (graceful,) = (int(arg.partition("=")[2]) for arg in container["args"] if "graceful" in arg)
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > graceful + before
    assert service["spec"]["ports"][0]["targetPort"] in ports
    assert {rule["ports"][0]["port"] for rule in policy["spec"]["ingress"]} == ports.keys()


@pytest.mark.parametrize("name", ["app-asgi.service", "app-wsgi.service"])
def test_a_unit_waits_longer_than_its_server(name: str) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names have their case
    unit.read(OPERATIONS / name)
    command = unit["Service"]["ExecStart"]
    graceful = re.search(r"graceful-\w+(?:-\w+)? (\d+)|timeout-graceful-shutdown (\d+)", command)
    assert graceful is not None
    assert int(unit["Service"]["TimeoutStopSec"]) > int(graceful[1] or graceful[2])
    assert unit["Service"]["EnvironmentFile"].endswith("/app.env")


def test_the_environment_file_is_a_configuration() -> None:
    lines = (OPERATIONS / "app.env").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if not line.startswith("#"))
    made = _configuration({name: value.strip("'") for name, value in pairs})
    assert made.recording is not None
    rotated = (OPERATIONS / "logrotate.conf").read_text(encoding="utf-8")
    assert f"\n{made.recording.to} {{" in rotated
    assert "copytruncate" not in rotated, "it may lose lines, and nothing needs it"


def test_the_application_runs_and_is_scraped(
    team: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exposed: dict[str, set[str]]
) -> None:
    (example,) = (each for each in EXAMPLES if each.name == "operations")
    skip_what_is_missing(example)
    port = free_port()
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", str(port))
    monkeypatch.setenv("UVICORN_LOG_CONFIG", "logging.json")
    signed_in = {"Cf-Access-Jwt-Assertion": team.user("alice@example.com", audience=DEFAULT_AUDIENCE)}
    with running(example, team, tmp_path / "log") as up, httpx.Client(trust_env=False) as client:
        assert client.get(f"{up.origin}/livez").json() == {"status": "alive"}
        assert client.get(f"{up.origin}/nowhere").status_code == 401
        subject = client.get(f"{up.origin}/whoami", headers=signed_in).json()["id"]
        ready = client.get(f"{up.origin}/readyz")
        text = client.get(f"http://127.0.0.1:{port}/metrics").text
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    found = _samples(text)
    assert found.keys() <= exposed.keys()
    assert {"cfaccess_decisions_total", "cfaccess_keys_state", "cfaccess_keys_fetches_total"} <= found.keys()
    assert re.search(r'cfaccess_decisions_total\{code="none",kind="user",.*outcome="accepted"\} 1.0', text)
    log = (tmp_path / "log").read_text()
    assert re.search(rf'INFO uvicorn.access user {subject} 127\.0\.0\.1:\d+ - "GET /whoami HTTP/1.1" 200', log)
    assert re.search(r'INFO uvicorn.access - - 127\.0\.0\.1:\d+ - "GET /livez HTTP/1.1" 200', log)
    assert re.search(r"INFO cfaccess_mw - - token-refused code=no-token method='GET' path='/nowhere'", log)
    assert "alice" not in text + log
