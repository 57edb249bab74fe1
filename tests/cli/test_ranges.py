"""Does the command print what ships, or what Cloudflare publishes, and nothing that is not?"""

import json

import pytest

from cfaccess_mw.edge.ranges import shipped
from cfaccess_mw.edge.ranges_formats import FORMATS, written
from tests.cli.conftest import Run
from tests.edge.test_ranges import V4, V6, as_json
from tests.refresh.servers import says, serving

NEW = "205.251.192.0/19"
JSON = "content-type: application/json"


def test_networks_are_printed_a_line_each(run: Run) -> None:
    assert run("ranges").stdout.split() == [*V4, *V6]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_printed(run: Run, form: str) -> None:
    assert run("ranges", "--format", form).stdout == written(shipped(), form) + "\n"


def test_data_is_asked_for_as_everywhere(run: Run) -> None:
    assert run("ranges", "--json").stdout == run("ranges", "--format", "json").stdout


def test_ports_are_those_that_are_named(run: Run) -> None:
    assert "to any port 443,8443 " in run("ranges", "--format", "ufw", "--port", "443", "--port", "8443").stdout


def test_what_is_published_is_fetched(run: Run) -> None:
    with serving(says(JSON, body=as_json([*V4, NEW]))) as server:
        printed = run("ranges", "--fetch", "--url", server.url, "--format", "json").stdout
    assert json.loads(printed) == {"date": None, "sources": [], "ipv4_cidrs": [*V4, NEW], "ipv6_cidrs": V6}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        pytest.param(as_json([*V4, "0.0.0.0/0"]), 1, "holds a network wider than /11", id="absurd"),
        pytest.param(as_json([], []), 1, "holds 0 networks of IPv4", id="empty"),
    ],
)
def test_what_cannot_be_cloudflares_is_not_printed(run: Run, body: bytes, status: int, message: str) -> None:
    with serving(says(JSON, body=body)) as server:
        result = run("ranges", "--fetch", "--url", server.url, status=status)
    assert message in result.stderr
    assert result.stdout == ""


def test_nobody_who_answers_is_another_status(run: Run) -> None:
    with serving(says(JSON, status="500 Internal Server Error")) as server:
        result = run("ranges", "--fetch", "--url", server.url, status=3)
    assert "gives no list (status-500)" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--format", "apache"], "Invalid value for '--format'", id="format"),
        pytest.param(["--port", "0"], "Invalid value for '--port'", id="port"),
        pytest.param(["--fetch", "--url", "http://example.com/ips"], "url: is neither https", id="plain-http"),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, arguments: list[str], message: str) -> None:
    assert message in run("ranges", *arguments, status=2).stderr
