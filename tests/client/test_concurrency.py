"""Fifty calls at once: nobody waits for another, nobody is sent twice, and one of them renews the cookie."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import httpx
import httpx2
import pytest
import requests

from cfaccess_mw.client import ServiceToken
from cfaccess_mw.client.httpx import AccessAuth as HttpxAuth
from cfaccess_mw.client.httpx2 import AccessAuth as Httpx2Auth
from cfaccess_mw.client.requests import AccessAuth as RequestsAuth
from cfaccess_mw.emulator.issuer import Issuer
from tests.client.conftest import GOOD, NOW, Clock, Serve
from tests.client.site import Asked, Says, Site
from tests.client.test_service_token import gives, token

MANY = 50
Burst = Callable[[str], None]


def _threads(client: Any) -> Burst:
    def burst(url: str) -> None:
        with ThreadPoolExecutor(MANY) as pool:
            assert [reply.status_code for reply in pool.map(client.get, [url] * MANY)] == [200] * MANY

    return burst


def _blocking(library: Any, auth: Any, caller: ServiceToken) -> tuple[Any, Burst]:
    client = library.Client(auth=auth(caller), trust_env=False, timeout=20)
    return client, _threads(client)


def _requests(caller: ServiceToken) -> tuple[Any, Burst]:
    class Client:
        def get(self, url: str) -> Any:
            return requests.get(url, auth=RequestsAuth(caller), timeout=20)

        def close(self) -> None: ...

    return Client(), _threads(Client())


def _asynchronous(caller: ServiceToken) -> tuple[Any, Burst]:
    async def run(url: str) -> None:
        async with (
            httpx2.AsyncClient(auth=Httpx2Auth(caller), trust_env=False, timeout=20) as client,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(MANY):
                tasks.start_soon(client.get, url)

    class Client:
        def close(self) -> None: ...

    return Client(), lambda url: anyio.run(run, url)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda caller: _blocking(httpx, HttpxAuth, caller), id="httpx, threads"),
        pytest.param(_requests, id="requests, threads"),
        pytest.param(_asynchronous, id="httpx2, tasks"),
    ],
)
def test_many_at_once(
    make: Callable[[ServiceToken], tuple[Any, Burst]], serve: Serve, clock: Clock, team: Issuer
) -> None:
    def answers(asked: Asked) -> Says:
        return gives(token(clock, team, 3_600)) if "cf-access-client-secret" in asked.brought else Says()

    site = serve(answers)
    client, burst = make(ServiceToken(site.host, credentials=GOOD, clock=clock))
    try:
        burst(site.url)
        assert len(site.asked) == MANY  # whoever came before the first answer sent the credentials; nobody came twice
        assert 1 <= _with_credentials(site) <= MANY
        site.asked.clear()
        burst(site.url)
        assert (len(site.asked), _with_credentials(site)) == (MANY, 0)
        site.asked.clear()
        clock.now = NOW + 3_600 - 300
        burst(site.url)
        assert (len(site.asked), _with_credentials(site)) == (MANY, 1)
    finally:
        client.close()


def _with_credentials(site: Site) -> int:
    return sum("cf-access-client-secret" in brought for brought in site.brought())


def test_fifty_refused_cookies_are_fifty_calls_more_and_no_further(serve: Serve, clock: Clock, team: Issuer) -> None:
    refuse = False

    def answers(asked: Asked) -> Says:
        if refuse and "cookie" in asked.brought:
            return Says(401, (("cf-access-aud", "x"),))
        return gives(token(clock, team)) if "cf-access-client-secret" in asked.brought else Says()

    site = serve(answers)
    client, burst = _blocking(httpx, HttpxAuth, ServiceToken(site.host, credentials=GOOD, clock=clock))
    with client:
        client.get(site.url)
        refuse = True
        burst(site.url)
        assert len(site.asked) <= 1 + 2 * MANY
        site.asked.clear()
        burst(site.url)
        assert (len(site.asked), _with_credentials(site)) == (MANY, MANY)
