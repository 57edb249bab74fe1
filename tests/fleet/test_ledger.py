"""Do all orders of the same writings come to the same, and does nothing that disappears let anybody in?"""

import itertools
import json
from typing import Any

import pytest

from cfaccess_mw.core.sharing import Revocation
from cfaccess_mw.fleet import ledger as ledgers
from cfaccess_mw.fleet.ledger import LONGEST, Ledger, Undone, read, standing, write
from cfaccess_mw.fleet.sealing import Refused, Seal

NOW = 1_000.0


def revocation(name: str = "a", **more: Any) -> Revocation:
    rest: dict[str, Any] = {"subject": "user", "value": "x", "until": 2_000, "made_at": NOW, **more}
    return Revocation(id=name, **rest)


def ledger() -> Ledger:
    return Ledger(Seal((), purpose="revocations", namespace="ns"), "ns:revocations")


FIRST, SECOND, UNDONE = revocation("a"), revocation("b", value="y"), Undone(id="a", until=2_000)


@pytest.mark.parametrize("order", list(itertools.permutations([FIRST, SECOND, UNDONE, FIRST])))
def test_the_order_does_not_matter(order: tuple[Revocation | Undone, ...]) -> None:
    known = ledger()
    for entry in order:
        known.take(known.close(entry), NOW)
    assert known.standing() == (SECOND,)
    assert standing(order) == (SECOND,)


def test_what_is_new_is_told() -> None:
    known = ledger()
    assert known.take(known.close(FIRST), NOW)
    assert not known.take(known.close(FIRST), NOW)
    assert known.take(known.close(UNDONE), NOW)


def test_what_has_ended_is_forgotten_and_not_taken_again() -> None:
    known = ledger()
    known.take(known.close(FIRST), NOW)
    assert not known.forget_ended(1_999.9)
    assert known.standing() == (FIRST,)
    assert known.forget_ended(2_000)
    assert not known.take(known.close(FIRST), 2_000)
    assert known.standing() == ()
    assert not known.entries


@pytest.mark.parametrize("entry", [FIRST, revocation(issued_before=5.5), revocation(subject="all", value=""), UNDONE])
def test_what_is_written_is_read(entry: Revocation | Undone) -> None:
    assert read(write(entry)) == entry


GOOD = json.loads(write(FIRST))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"garbage", id="garbage"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="nothing"),
        pytest.param(b"\xff", id="no-text"),
        pytest.param(b'{"undone":1,"until":2}', id="undone-without-a-name"),
        pytest.param(b'{"undone":"%s","until":2}' % (b"a" * 65), id="undone-by-too-long-a-name"),
        pytest.param(b'{"undone":"-a","until":2}', id="undone-by-no-name"),
        pytest.param(b'{"undone":"a","until":true}', id="undone-until-true"),
        pytest.param(b'{"undone":"a","until":2,"x":1}', id="undone-and-more"),
        pytest.param(write(FIRST)[:-1] + b',"id":"b"}', id="a-member-twice"),
        *(pytest.param(json.dumps({**GOOD, name: []}).encode(), id=f"list-as-{name}") for name in GOOD),
        *(
            pytest.param(json.dumps({k: v for k, v in GOOD.items() if k != name}).encode(), id=f"without-{name}")
            for name in GOOD
        ),
    ],
)
def test_garbage_is_refused(content: bytes) -> None:
    with pytest.raises(Refused, match=r"^malformed$"):
        read(content)


def test_too_large_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = ledger()
    with pytest.raises(Refused, match="too-large"):
        known.take(b"-\n" + b" " * LONGEST, NOW)
    for number in range(2 * ledgers.MOST):
        known.entries[b"%d" % number] = FIRST
    with pytest.raises(Refused, match="too-many"):
        known.take(known.close(SECOND), NOW)
