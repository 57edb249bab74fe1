"""Is what an operator says of the fleet read as it was meant, and is a mistake named without showing it?"""

from typing import Any

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.sharing_options import FleetOptions, read_fleet, read_fleet_options

URL = "redis://localhost:6379/0"
SECRET = "sup3rs3cr3t-sup3rs3cr3t"
OTHER = "another-one-0123456789"


class Ready:
    """What has a door already."""

    def join(self) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(URL, {"url": URL, "namespace": "cfaccess", "lost_after": 60, "when_lost": "refuse"}, id="url"),
        pytest.param(
            {"url": URL}, {"url": URL, "secrets": (), "poll_every": 2, "timeout": 1, "start_wait": 1}, id="mapping"
        ),
        pytest.param("unix:///run/redis.sock?db=2", {"url": "unix:///run/redis.sock?db=2"}, id="unix"),
        pytest.param(
            f"{URL}?namespace=wiki&lost_after=5.5&when_lost=pass&poll_every=1&start_wait=0&ssl_ca_certs=%2Fca",
            {
                "url": f"{URL}?ssl_ca_certs=%2Fca",
                "namespace": "wiki",
                "lost_after": 5.5,
                "when_lost": "pass",
                "poll_every": 1,
                "start_wait": 0,
            },
            id="query",
        ),
        pytest.param(f"{URL}?timeout=9", {"url": f"{URL}?timeout=9", "timeout": 1}, id="the-timeout-of-the-library"),
        pytest.param(f"{URL}?secret={SECRET}&secret={OTHER}", {"url": URL, "secrets": (SECRET, OTHER)}, id="secrets"),
        pytest.param(
            {"url": f"{URL}?namespace=a", "secret": SECRET}, {"secrets": (SECRET,), "namespace": "a"}, id="both"
        ),
        pytest.param({"url": URL, "secret": [SECRET, OTHER]}, {"secrets": (SECRET, OTHER)}, id="a-list-of-secrets"),
        pytest.param(f"{URL}?secret={SECRET}?x", {"secrets": (f"{SECRET}?x",)}, id="a-secret-with-a-question-mark"),
        pytest.param({"url": URL, "secret": "1" * 16}, {"secrets": ("1" * 16,)}, id="the-shortest-secret"),
        pytest.param(f"{URL}?namespace=7", {"namespace": "7"}, id="a-namespace-of-digits"),
        pytest.param({"url": URL, "namespace": "Az09_.:/-"}, {"namespace": "Az09_.:/-"}, id="any-namespace"),
        pytest.param({"url": URL, "namespace": "a" * 64}, {"namespace": "a" * 64}, id="the-longest-namespace"),
        pytest.param(f"{URL}?client_name=a://b", {"url": f"{URL}?client_name=a://b"}, id="slashes-further-on"),
        pytest.param(f"{URL}?url=x", {"url": f"{URL}?url=x"}, id="the-url-of-the-library"),
        pytest.param(f"{URL}?host=h", {"url": f"{URL}?host=h"}, id="hardly-like-one-of-ours"),
        pytest.param(
            {"url": URL, "lost_after": 1, "poll_every": 0.1}, {"lost_after": 1, "poll_every": 0.1}, id="least"
        ),
        pytest.param(
            {"url": URL, "lost_after": 86_400, "poll_every": 60}, {"lost_after": 86_400, "poll_every": 60}, id="most"
        ),
        pytest.param({"url": URL, "lost_after": 4}, {"lost_after": 4, "poll_every": 2}, id="twice-poll-every"),
        pytest.param({"url": URL, "timeout": 0.05}, {"timeout": 0.05}, id="least-timeout"),
        pytest.param(
            {"url": URL, "timeout": 30, "start_wait": 30}, {"timeout": 30, "start_wait": 30}, id="most-waiting"
        ),
        pytest.param(FleetOptions(url=URL), {"url": URL}, id="ready"),
        *(
            pytest.param(f"{scheme}://h/0", {"url": f"{scheme}://h/0"}, id=scheme)
            for scheme in ("rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
        ),
    ],
)
def test_what_is_said_is_read(value: Any, expected: dict[str, Any]) -> None:
    found = read_fleet_options(value)
    assert {name: getattr(found, name) for name in expected} == expected
    assert hash(found) == hash(read_fleet_options(value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(None, "fleet: is None; give an address", id="none"),
        pytest.param(7, "fleet: is a number", id="number"),
        pytest.param({}, "fleet: is a dict", id="empty"),
        pytest.param("", "fleet: url: is empty text", id="no-text"),
        pytest.param("localhost", "fleet: url: is text of 9 characters that begins with none of redis", id="no-scheme"),
        pytest.param("redis:/x", "fleet: url: .* none of redis", id="no-slashes"),
        pytest.param(f"http://{SECRET}@h", "fleet: url: .* none of redis", id="another-scheme"),
        pytest.param({"namespace": "a"}, "fleet: url: is missing", id="no-url"),
        pytest.param({"url": 7}, "fleet: url: is a number", id="url-of-another-type"),
        pytest.param(
            {"url": URL, "namespac": "a"}, "fleet: 'namespac' is not known here; did you mean 'name", id="near"
        ),
        pytest.param({"url": URL, "xyz": "a"}, "fleet: 'xyz' is not known here; known are url, namespace", id="far"),
        pytest.param({"url": URL, "x" * 65: "a"}, f"fleet: '{'x' * 64}' is not known here", id="long"),
        pytest.param({"url": URL, 7: "a"}, "fleet: '7' is not known here", id="no-name"),
        pytest.param(
            {"url": f"{URL}?namespace=a", "namespace": "b"}, "fleet: namespace: stands in the url", id="twice"
        ),
        pytest.param({"url": URL, "namespace": ""}, "fleet: namespace: is empty text", id="no-namespace"),
        pytest.param(f"{URL}?namespace=", "fleet: namespace: is empty text", id="no-namespace-in-the-url"),
        pytest.param({"url": URL, "namespace": "a b"}, "fleet: namespace: ", id="blank-namespace"),
        pytest.param({"url": URL, "namespace": "a" * 65}, "fleet: namespace: ", id="long-namespace"),
        pytest.param({"url": URL, "namespace": "{a}"}, "fleet: namespace: ", id="a-slot-of-a-cluster"),
        pytest.param({"url": URL, "namespace": 7}, "fleet: namespace: is a number", id="namespace-of-another-type"),
        pytest.param({"url": URL, "secret": "short"}, "fleet: secret: holds text of 5 characters; give 16", id="short"),
        pytest.param({"url": URL, "secret": "1" * 15}, "fleet: secret: holds text of 15", id="just-too-short"),
        pytest.param(f"{URL}?secret=", "fleet: secret: holds empty text", id="no-secret-in-the-url"),
        pytest.param({"url": URL, "secret": []}, "fleet: secret: is empty", id="no-secrets"),
        pytest.param({"url": URL, "secret": 7}, "fleet: secret: is a number", id="secret-of-another-type"),
        pytest.param({"url": URL, "secret": SECRET.encode()}, "fleet: secret: is 23 bytes", id="secret-in-bytes"),
        pytest.param({"url": URL, "secret": {SECRET: 1}}, "fleet: secret: is a dict", id="secret-in-a-mapping"),
        pytest.param({"url": URL, "secret": [SECRET, 7]}, "fleet: secret: holds a number", id="secrets-of-two-types"),
        pytest.param(
            {"url": URL, "when_lost": "maybe"}, "fleet: when_lost: is text of 5 .*'refuse' or 'pass'", id="when-lost"
        ),
        pytest.param({"url": URL, "lost_after": 0.5}, "fleet: lost_after: .* from 1 to 86400", id="soon"),
        pytest.param({"url": URL, "lost_after": True}, "fleet: lost_after: is a boolean", id="boolean"),
        pytest.param({"url": URL, "lost_after": 3}, "fleet: lost_after: is less than twice poll_every", id="too-soon"),
        pytest.param(f"{URL}?poll_every=often", "fleet: poll_every: is text of 5", id="not-a-number"),
        pytest.param({"url": URL, "timeout": 31}, "fleet: timeout: ", id="timeout"),
        pytest.param({"url": URL, "timeout": 0.049}, "fleet: timeout: .* from 0.05 to 30$", id="short-timeout"),
        pytest.param(
            f"{URL}?lost_afte=3", "fleet: 'lost_afte' is not known here; did you mean 'lost_af", id="near-query"
        ),
        pytest.param(f"{URL}?secrets=x", "fleet: 'secrets' is not known here; did you mean 'secret'", id="nearer"),
        pytest.param({"url": URL, "poll_every": 61}, "fleet: poll_every: .* from 0.1 to 60$", id="poll-every"),
        pytest.param({"url": URL, "start_wait": -1}, "fleet: start_wait: ", id="start-wait"),
        pytest.param({"url": URL, "start_wait": 31}, "fleet: start_wait: .* from 0 to 30$", id="long-start-wait"),
    ],
)
def test_a_mistake_is_named_and_not_shown(value: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}") as refused:
        read_fleet_options(value)
    assert SECRET not in str(refused.value)
    assert refused.value.__context__ is None


def test_what_is_ready_is_left_as_it_is() -> None:
    ready = Ready()
    assert read_fleet(ready) is ready
    assert read_fleet(URL) == FleetOptions(url=URL)
    with pytest.raises(ConfigurationError, match=r"^fleet: is a object"):
        read_fleet(object())


def test_neither_secrets_nor_passwords_are_shown() -> None:
    assert repr(FleetOptions(url=f"redis://:{SECRET}@h", secret=SECRET)).count(SECRET) == 0
