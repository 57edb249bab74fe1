"""What a fetcher must be, and what it may bring."""

import math

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.refresh.fetchers import Document, check_fetcher
from cfaccess_mw.refresh.http import HttpxFetcher
from tests.refresh.parts import AsyncAnswers, BlockingAnswers, refresher_of


class Both(AsyncAnswers):
    def fetch(self, url: str, *, etag: str | None) -> Document:
        raise AssertionError("the other is preferred")


@pytest.mark.parametrize(
    "fetcher", [AsyncAnswers(), BlockingAnswers(), Both(), HttpxFetcher()], ids=lambda f: type(f).__name__
)
def test_what_can_fetch(fetcher: object) -> None:
    check_fetcher(fetcher)


@pytest.mark.parametrize(
    ("fetcher", "shape"),
    [
        pytest.param(object(), "a object", id="object"),
        pytest.param(lambda url: url, "a function", id="function"),
        pytest.param(HttpxFetcher, "the class HttpxFetcher", id="class"),
        pytest.param("https://acme.example", "a str", id="text"),
    ],
)
def test_what_cannot(fetcher: object, shape: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^fetcher: .* got {shape}$"), refresher_of(fetcher):  # type: ignore[arg-type]
        pass


def test_the_coroutine_function_is_preferred() -> None:
    endpoint = Both()
    with refresher_of(endpoint) as (refresher, _):
        refresher.hydrate()
    assert endpoint.count == 1


@pytest.mark.parametrize("max_age", [math.inf, math.nan], ids=str)
def test_a_max_age_that_is_no_number_is_forgotten(max_age: float) -> None:
    assert Document(body=b"", max_age=max_age).max_age is None


@pytest.mark.parametrize("body", ["text", bytearray(b""), 7], ids=["text", "bytearray", "number"])
def test_a_body_is_bytes(body: object) -> None:
    with pytest.raises(TypeError, match="body"):
        Document(body=body)  # type: ignore[arg-type]
