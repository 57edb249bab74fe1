"""A snapshot that goes from one process to the next."""

import json

import pytest

from cfaccess_mw.core.freshness import ABSENT, PRESENT
from cfaccess_mw.core.states import State
from cfaccess_mw.refresh.warm import Export, unpack
from tests.refresh.parts import PATIENT, URL, AsyncAnswers, BlockingAnswers, Clock, document, refresher_of

NOW = 1_795_000_000.0


def exported(*, body: str = '["known"]', url: str = URL, ago: float = 60, etag: str | None = '"1"') -> bytes:
    return Export(url=url, fetched_at=NOW - ago, etag=etag, body=body.encode()).pack()


def test_it_is_taken_and_refreshed_at_once() -> None:
    clock = Clock()
    first = BlockingAnswers(document("known", etag='"1"'))
    with refresher_of(first, clock=clock) as (refresher, _):
        assert refresher.export(NOW) is None
        refresher.hydrate()
        clock.turn(100)
        data = refresher.export(NOW)
    assert data is not None

    second = BlockingAnswers(document("known", "new"), gate_open=False)
    with refresher_of(second, clock=Clock(5)) as (refresher, told):
        assert refresher.adopt(data, NOW + 3600)
        assert refresher.snapshot == frozenset({"known"})
        assert refresher.health().state is State.DUE
        assert refresher.health().age == pytest.approx(3700)
        assert refresher.obtain_blocking("known", patience=0) == PRESENT
        refresher.hydrate(patience=0)
        assert second.count == 0
        refresher.attend_blocking()
        second.gate.set()
        told.wait_for("keys-fetched")
        assert second.etags == ['"1"']
        assert refresher.snapshot == frozenset({"known", "new"})


def test_it_proves_nothing_about_what_it_lacks() -> None:
    endpoint = BlockingAnswers(document("known"))
    with refresher_of(endpoint) as (refresher, _):
        assert refresher.adopt(exported(), NOW)
        assert refresher.obtain_blocking("new", patience=PATIENT) == ABSENT
        assert endpoint.count == 1


@pytest.mark.parametrize(
    ("data", "taken"),
    [
        pytest.param(exported(), True, id="good"),
        pytest.param(exported(etag=None), True, id="no-etag"),
        pytest.param(exported(ago=86_399), True, id="just-within-hard-ttl"),
        pytest.param(exported(ago=86_400), False, id="too-old"),
        pytest.param(exported(ago=-299), True, id="another-clock"),
        pytest.param(exported(ago=-301), False, id="from-the-future"),
        pytest.param(exported(url=URL + "2"), False, id="another-url"),
        pytest.param(exported(body="[]"), False, id="no-key"),
        pytest.param(exported(body="{"), False, id="unreadable"),
        pytest.param(exported(body=" " * 140_000 + "[]"), False, id="large"),
        pytest.param(exported().replace(b'"fetched_at": 1', b'"fetched_at": true, "x": 1'), False, id="true"),
        pytest.param(exported().replace(b'"fetched_at": 1', b'"fetched_at": NaN, "x": 1'), False, id="nan"),
        pytest.param(exported().replace(b'"fetched_at": 1', b'"fetched_at": 1' + b"0" * 400), False, id="huge"),
        pytest.param(
            json.dumps({"url": URL, "fetched_at": 10**400, "etag": None, "body": "[]"}).encode(), False, id="huge-int"
        ),
        pytest.param(exported().replace(b"etag", b"tag"), False, id="a-member-missing"),
        pytest.param(json.dumps({"url": URL, "fetched_at": NOW, "etag": 1, "body": "[]"}).encode(), False, id="type"),
        pytest.param(
            json.dumps({"url": URL, "fetched_at": NOW, "etag": None, "body": "\ud800"}).encode(), False, id="surrogate"
        ),
        pytest.param(b"", False, id="empty"),
        pytest.param(b"[]", False, id="a-list"),
        pytest.param(b"[" * 100_000, False, id="deep"),
        pytest.param(b" " * 400_000 + exported(), False, id="too-large"),
        pytest.param(b"\xff\xfe", False, id="not-utf-8"),
    ],
)
def test_what_is_taken(data: bytes, taken: bool) -> None:
    with refresher_of(AsyncAnswers(), clock=Clock()) as (refresher, _):
        assert refresher.adopt(data, NOW) is taken
        assert (refresher.snapshot == frozenset({"known"})) is taken


def test_nothing_is_taken_where_something_was_fetched() -> None:
    with refresher_of(BlockingAnswers(document("new"))) as (refresher, _):
        refresher.hydrate()
        assert not refresher.adopt(exported(), NOW)
        assert refresher.snapshot == frozenset({"new"})


@pytest.mark.parametrize(
    "body", [b"\xff\x00bytes", "é€😀".encode(), b'{"a": "\\ud800"}'], ids=["bytes", "text", "escape"]
)
def test_any_body_survives(body: bytes) -> None:
    export = Export(url=URL, fetched_at=NOW, etag=None, body=body)
    assert unpack(export.pack()) == export
