"""What do the tests of this room share?"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from cfaccess_mw.edge import ranges_asgi, ranges_wsgi, signed_urls_asgi, signed_urls_wsgi
from tests.edge.asking import Answer, ask_asgi, ask_wsgi

_MIDDLEWARE: dict[str, dict[str, Any]] = {
    "asgi": {"links": signed_urls_asgi.SignedLinks, "peers": ranges_asgi.FromCloudflare, "ask": ask_asgi},
    "wsgi": {"links": signed_urls_wsgi.SignedLinks, "peers": ranges_wsgi.FromCloudflare, "ask": ask_wsgi},
}


@pytest.fixture(params=["asgi", "wsgi"])
def kind(request: pytest.FixtureRequest) -> str:
    """The test runs for both."""
    return str(request.param)


@pytest.fixture
def ask_links(kind: str) -> Callable[..., Answer]:
    """Ask an application behind ``SignedLinks``: ``ask_links(request, links, **options)``."""
    return partial(_MIDDLEWARE[kind]["ask"], _MIDDLEWARE[kind]["links"])


@pytest.fixture
def ask_peers(kind: str) -> Callable[..., Answer]:
    """Ask an application behind ``FromCloudflare``: ``ask_peers(request, **options)``."""
    return partial(_MIDDLEWARE[kind]["ask"], _MIDDLEWARE[kind]["peers"])
