"""Is a value taken that none of us has written, or not for this place?"""

import pytest

from cfaccess_mw.fleet.sealing import Refused, Seal, digest
from tests.fleet.parts import OTHER_SECRET, SECRET

PLACE, CONTENT = "ns:keys:1", b'{"a":\n1}'


def seal(*secrets: str, purpose: str = "keys", namespace: str = "ns") -> Seal:
    return Seal(secrets, purpose=purpose, namespace=namespace)


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        pytest.param(seal(), seal(), id="nobody-has-a-secret"),
        pytest.param(seal(SECRET), seal(SECRET), id="the-same"),
        pytest.param(seal(SECRET), seal(OTHER_SECRET, SECRET), id="the-reader-has-a-newer-one"),
        pytest.param(seal(OTHER_SECRET, SECRET), seal(SECRET, OTHER_SECRET), id="the-reader-prefers-another"),
        pytest.param(seal(SECRET), seal(), id="the-reader-has-none-yet"),
    ],
)
def test_what_one_of_us_wrote_is_read(writer: Seal, reader: Seal) -> None:
    assert reader.open(PLACE, writer.close(PLACE, CONTENT)) == CONTENT


@pytest.mark.parametrize(
    ("value", "place", "reason"),
    [
        pytest.param(seal().close(PLACE, CONTENT), PLACE, "unauthenticated", id="not-sealed"),
        pytest.param(seal(OTHER_SECRET).close(PLACE, CONTENT), PLACE, "unauthenticated", id="by-another"),
        pytest.param(seal(SECRET).close(PLACE, CONTENT), "ns:keys:2", "unauthenticated", id="moved"),
        pytest.param(seal(SECRET, purpose="who").close(PLACE, CONTENT), PLACE, "unauthenticated", id="other-purpose"),
        pytest.param(seal(SECRET, namespace="n").close(PLACE, CONTENT), PLACE, "unauthenticated", id="other-fleet"),
        pytest.param(seal(SECRET).close(PLACE, CONTENT) + b" ", PLACE, "unauthenticated", id="longer"),
        pytest.param(b"\n" + CONTENT, PLACE, "unauthenticated", id="no-code"),
        pytest.param("é\n".encode() + CONTENT, PLACE, "unauthenticated", id="not-ascii"),
        pytest.param(b"", PLACE, "malformed", id="empty"),
        pytest.param(b"garbage", PLACE, "malformed", id="garbage"),
    ],
)
def test_what_nobody_of_us_wrote_is_not(value: bytes, place: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        seal(SECRET).open(place, value)
    assert refused.value.reason == reason


def test_the_first_secret_signs() -> None:
    assert seal(SECRET, OTHER_SECRET).close(PLACE, CONTENT) == seal(SECRET).close(PLACE, CONTENT)
    assert SECRET.encode() not in seal(SECRET).close(PLACE, CONTENT)


def test_a_digest_is_not_the_text() -> None:
    assert len(digest("token")) == 64
    assert digest("token") != digest("token2")
