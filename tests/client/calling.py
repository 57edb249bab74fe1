"""One way to call with each client that there is, so that every test can be asked of all of them."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Any, Protocol

import httpx
import httpx2
import pytest
import requests
from anyio.from_thread import start_blocking_portal

from cfaccess_mw.client.conversation import Caller
from cfaccess_mw.client.httpx import AccessAuth as HttpxAuth
from cfaccess_mw.client.httpx2 import AccessAuth as Httpx2Auth
from cfaccess_mw.client.requests import AccessAuth as RequestsAuth

BODY = b"a body"
TLS = ssl.create_default_context()  # of no use here, and each client would make one of its own, which takes a while


@dataclass(frozen=True)
class Reply:
    """What came of a call."""

    status: int
    body: bytes
    request_headers: Any = field(repr=False)
    response: Any = field(repr=False)


class Session(Protocol):
    """A client that is open."""

    def __call__(
        self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: str = ""
    ) -> Reply:
        """Call; ``body`` is ``bytes`` or ``stream``."""


Open = Callable[..., AbstractContextManager[Session]]


def _stream() -> Iterator[bytes]:
    yield BODY


async def _async_stream() -> AsyncIterator[bytes]:
    yield BODY


def _reply(response: Any) -> Reply:
    return Reply(response.status_code, response.content, response.request.headers, response)


def _blocking(library: Any, auth: Any) -> Open:
    @contextmanager
    def session(caller: Caller | None, *, follow: bool = True, cookies: CookieJar | None = None) -> Iterator[Session]:
        options = {"auth": None if caller is None else auth(caller), "cookies": cookies}
        with library.Client(**options, follow_redirects=follow, trust_env=False, timeout=20, verify=TLS) as client:

            def call(
                url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: str = ""
            ) -> Reply:
                content = {"": None, "bytes": BODY, "stream": _stream()}[body]
                return _reply(client.request(method, url, headers=headers, content=content))

            yield call

    return session


def _asynchronous(library: Any, auth: Any, backend: str) -> Open:
    @contextmanager
    def session(caller: Caller | None, *, follow: bool = True, cookies: CookieJar | None = None) -> Iterator[Session]:
        options = {"auth": None if caller is None else auth(caller), "cookies": cookies}
        with start_blocking_portal(backend) as portal:
            client = library.AsyncClient(**options, follow_redirects=follow, trust_env=False, timeout=20, verify=TLS)
            with portal.wrap_async_context_manager(client):

                def call(
                    url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: str = ""
                ) -> Reply:
                    content = {"": None, "bytes": BODY, "stream": _async_stream()}[body]

                    async def ask() -> Reply:
                        return _reply(await client.request(method, url, headers=headers, content=content))

                    return portal.call(ask)

                yield call

    return session


@contextmanager
def _requests(caller: Caller | None, *, follow: bool = True, cookies: CookieJar | None = None) -> Iterator[Session]:
    with requests.Session() as client:
        client.trust_env = False
        client.auth = None if caller is None else RequestsAuth(caller)
        if cookies is not None:
            client.cookies.set_policy(cookies._policy)  # type: ignore[attr-defined]  # typeshed has no word of it

        def call(url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: str = "") -> Reply:
            data = {"": None, "bytes": BODY, "stream": _stream()}[body]
            response = client.request(
                method, url, headers=dict(headers or {}), data=data, allow_redirects=follow, timeout=20
            )
            return _reply(response)

        yield call


CLIENTS: Mapping[str, Open] = {
    "httpx": _blocking(httpx, HttpxAuth),
    "httpx-asyncio": _asynchronous(httpx, HttpxAuth, "asyncio"),
    "httpx2": _blocking(httpx2, Httpx2Auth),
    "httpx2-trio": _asynchronous(httpx2, Httpx2Auth, "trio"),
    "requests": _requests,
}

every_client = pytest.mark.parametrize("client", [pytest.param(client, id=name) for name, client in CLIENTS.items()])
