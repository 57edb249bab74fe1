"""Keys that are given outright."""

import json
import os
from pathlib import Path

import pytest

from cfaccess_mw.core.errors import ConfigurationError, KeySetError
from cfaccess_mw.core.freshness import ABSENT, PRESENT, UNAVAILABLE
from cfaccess_mw.core.states import State
from cfaccess_mw.refresh.refresher import Refresher
from cfaccess_mw.refresh.static import static_refresher

Keys = frozenset[str]


def parse(body: bytes) -> Keys:
    """Read a JWKS that has nothing but key ids."""
    kids = [key["kid"] for key in json.loads(body)["keys"]]
    if not kids:
        raise KeySetError("no key")
    return frozenset(kids)


def given(keys: object) -> Refresher[Keys]:
    return static_refresher(keys, parse=parse, holds=lambda found, kid: kid in found)  # type: ignore[arg-type]


GOOD = {"keys": [{"kid": "known"}]}


@pytest.fixture(params=["mapping", "str", "path"])
def good(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(GOOD))
    return {"mapping": GOOD, "str": str(path), "path": path}[request.param]


def test_they_are_never_fetched(good: object) -> None:
    refresher = given(good)
    assert refresher.snapshot == frozenset({"known"})
    assert refresher.attention_at == float("inf")
    assert refresher.obtain_blocking("known", patience=0) == PRESENT
    assert refresher.obtain_blocking("other", patience=0) == ABSENT
    refresher.attend_blocking()
    refresher.hydrate()
    assert refresher._driver is None
    health = refresher.health()
    assert (health.state, health.ready, health.age) == (State.STATIC, True, None)
    assert refresher.export(0) is None
    refresher.close()
    assert not refresher.health().ready
    assert refresher.obtain_blocking("known", patience=0) == UNAVAILABLE
    refresher.reopen()
    assert refresher.obtain_blocking("known", patience=0) == PRESENT


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        pytest.param({}, "the mapping holds no usable key set", id="empty"),
        pytest.param({"keys": []}, "the mapping holds no usable key set", id="no-key"),
        pytest.param({"keys": 1}, "the mapping holds no usable key set", id="another-type"),
        pytest.param({"keys": {1, 2}}, "the mapping is not JSON", id="not-json"),
        pytest.param(7, "got int", id="a-number"),
        pytest.param(b"path", "got bytes", id="bytes"),
        pytest.param(None, "got NoneType", id="none"),
        pytest.param(os.devnull + "/x", "the file cannot be read", id="no-file"),
        pytest.param("a\0b", "the file cannot be read", id="not-a-path"),
    ],
)
def test_what_cannot_be_used_is_a_mistake_of_configuration(keys: object, told: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^keys: .*{told}.*; give"):
        given(keys)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"", "holds no usable key set", id="empty"),
        pytest.param(b"\xff", "holds no usable key set", id="not-utf-8"),
        pytest.param(b"[" * 100_000, "holds no usable key set", id="deep"),
        pytest.param(b" " * 131_073, "larger than 128 KiB", id="large"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"^keys: the file .*{told}"):
        given(path)
