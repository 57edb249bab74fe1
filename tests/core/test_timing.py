"""Numbers that would make the machine spin, or never move, are refused with the name of the parameter."""

import math

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.timing import Timing


def test_the_defaults_are_those_of_the_specification() -> None:
    assert Timing() == Timing(
        lifetime=600,
        shortest=300,
        longest=3600,
        ahead=0.80,
        spread=0.05,
        hard_ttl=86_400,
        backoff_first=1,
        backoff_most=60,
        retry_after_most=300,
        bucket_size=2,
        bucket_period=30,
        missing_most=1024,
        missing_for=60,
        deadline=5,
        grace=1,
        waiting_coroutines=64,
        waiting_threads=4,
        waiting_cold=1000,
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        pytest.param("deadline", -1, "deadline: expected a positive number of seconds, got int -1", id="seconds"),
        pytest.param("bucket_size", 1.5, "bucket_size: expected a positive whole number, got float 1.5", id="whole"),
    ],
)
def test_what_is_expected_is_told(name: str, value: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Timing(**{name: value})  # type: ignore[arg-type]
    assert said in str(refused.value)


def test_the_smallest_may_be_the_largest() -> None:
    equal = Timing(shortest=600, lifetime=600, longest=600, hard_ttl=600, backoff_first=9, backoff_most=9)
    assert equal.shortest == equal.longest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("hard_ttl", 0, id="zero"),
        pytest.param("deadline", -1, id="negative"),
        pytest.param("lifetime", math.inf, id="infinite"),
        pytest.param("lifetime", math.nan, id="nan"),
        pytest.param("lifetime", True, id="a-boolean"),
        pytest.param("hard_ttl", "86400", id="text"),
        pytest.param("bucket_size", 1.5, id="half-a-token"),
        pytest.param("bucket_size", 0, id="no-token"),
        pytest.param("longest", 299, id="longest-below-shortest"),
        pytest.param("hard_ttl", 299, id="hard-ttl-below-shortest"),
        pytest.param("backoff_most", 0.5, id="backoff-most-below-first"),
        pytest.param("ahead", 0.95, id="ahead-of-nothing"),
        pytest.param("ahead", 0.05, id="ahead-at-once"),
    ],
)
def test_a_wrong_number_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name}: "):
        Timing(**{name: value})  # type: ignore[arg-type]
