"""How are keys and identities fetched over HTTP, from an endpoint that may be broken or hostile?

The one file that imports an HTTP client; lazily, in a worker thread, together with the TLS context: both take longer
than an event loop may be stopped. So does reading what a hostile endpoint sends: 100,000 chunks of one byte, or interim
responses for ever, keep the client's parser busy without a pause. Keys are therefore fetched on a private loop in a
worker thread, and people looked up on the loop of ``lookup_thread``.

The environment: ``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are honoured for https, since
companies cannot do without. A proxy cannot forge keys, TLS ends at Cloudflare; and whoever may name a certificate
authority in our environment may as well name another team there. Plain http goes to loopback only and never through a
proxy, which could. A netrc file is never read.
"""

import email.utils
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from cfaccess_mw.core.errors import ConfigurationError, FetchError
from cfaccess_mw.core.identity_reply import ANSWERS, READ, Reply
from cfaccess_mw.core.team import read_url
from cfaccess_mw.refresh.fetchers import MOST_BYTES, Document

if TYPE_CHECKING:
    import ssl

    import httpx

R = TypeVar("R")

# By what is asked for: which content types are that.
_MEDIA: Mapping[str, re.Pattern[str]] = {
    "application/json": re.compile(r"application/(?:json|[!#-.0-9a-z^_`|~]+\+json)\s*(?:;.*)?", re.IGNORECASE),
    "text/plain": re.compile(r"text/plain\s*(?:;.*)?", re.IGNORECASE),
}
# At most eight digits, three years: longer ones are somebody's joke.
_SECONDS = re.compile(r"[0-9]{1,8}")
_MAX_AGE = re.compile(r'(?:^|,)\s*max-age\s*=\s*"?([0-9]{1,8})"?\s*(?=,|$)', re.IGNORECASE)


class HttpxFetcher:
    """Fetches a document with httpx. Bound to no event loop; one serves a whole process.

    httpx bounds single operations only: a server that sends a byte a second never times out. A fetch is bounded in all
    by ``total``, since the thread that it runs in cannot be cancelled; a lookup is bounded by whoever calls.

    Args:
        connect: Seconds for making a connection.
        read: Seconds of silence from the endpoint.
        total: Seconds for a whole fetch, the second try included.
        verify: A TLS context of your own, for a private certificate authority.
        wall: Seconds of Unix time, for a ``Retry-After`` that is a date.
        media: What it fetches: ``application/json``, or ``text/plain``.
    """

    def __init__(
        self,
        *,
        connect: float = 2.0,
        read: float = 3.0,
        total: float = 5.0,
        verify: "ssl.SSLContext | None" = None,
        wall: Callable[[], float] = time.time,
        media: str = "application/json",
    ) -> None:
        self._connect = connect
        self._read = read
        self._total = total
        self._wall = wall
        self._verify = verify
        self._httpx: Any = None
        self._media = media

    def prepare(self) -> None:
        """Import the client and build the TLS context, which the first fetch does otherwise.

        In a worker thread it keeps an event loop waiting for a while all the same: the interpreter lock
        is held while a library is loaded.
        """
        if self._httpx is None:  # two at once both load; the later wins, and nothing is lost
            self._verify, self._httpx = self._load()

    def fetch(self, url: str, *, etag: str | None) -> Document:
        """Fetch ``url``; if ``etag`` is given, only if it has changed since. It blocks: not to be called on a loop.

        Args:
            url: https, or http to loopback.
            etag: What an earlier ``Document`` named.

        Raises:
            FetchError: Anything else than a 200 with a JSON document of at most 128 KiB, or a 304 to ``etag``.
        """
        from cfaccess_mw.refresh.private_loop import run_privately  # noqa: PLC0415 - imports anyio

        self.prepare()
        return run_privately(partial(self._twice, url, partial(self._once, url, etag)), timeout=self._total)

    async def alook_up(self, url: str, token: str) -> Reply:
        """Show a token to ``get-identity``.

        Args:
            url: https, or http to loopback.
            token: A verified one. It is sent, and kept nowhere.

        Raises:
            FetchError: No answer; or a 200 or 400 without a JSON document of at most 128 KiB; or another status than
                those and 401, 403 and 404.
        """
        return await self._twice(url, partial(self._show, url, token))

    async def _twice(self, url: str, once: Callable[[], Awaitable[R]]) -> R:
        _check_url(url)
        if self._httpx is None:
            from anyio import CapacityLimiter, to_thread  # noqa: PLC0415 - whoever calls us has it, not who configures us

            # Not from the threads of the application, which may all be busy.
            await to_thread.run_sync(self.prepare, abandon_on_cancel=True, limiter=CapacityLimiter(1))
        httpx = self._httpx
        try:
            try:
                return await once()
            except (httpx.ConnectTimeout, httpx.NetworkError, httpx.RemoteProtocolError):
                # Once more, at once: a connection that is refused or reset is usually one machine of many.
                return await once()
        except httpx.TimeoutException as error:
            raise FetchError("timeout") from error
        except httpx.ConnectError as error:
            raise FetchError("connect-failed") from error
        except httpx.HTTPError as error:
            raise FetchError("connection-lost") from error

    async def _once(self, url: str, etag: str | None) -> Document:
        async with self._get(url, {} if etag is None else {"if-none-match": etag}) as response:
            self._check(response, etag)
            body = None if response.status_code == 304 else await _read(response)
            return Document(body=body, etag=response.headers.get("etag"), max_age=max_age(response.headers))

    async def _show(self, url: str, token: str) -> Reply:
        async with self._get(url, {"cookie": f"CF_Authorization={token}"}) as response:
            status = response.status_code
            if status not in ANSWERS:
                raise FetchError(f"status-{status}", retry_after=retry_after(response.headers, self._wall()))
            if status not in READ:
                return Reply(status=status)
            _check_form(response, self._media)
            return Reply(status=status, body=await _read(response))

    @asynccontextmanager
    async def _get(self, url: str, more: Mapping[str, str]) -> "AsyncIterator[httpx.Response]":
        httpx = self._httpx
        # identity: what is small on the wire stays small; a decoded gzip bomb of 292 KB began with a chunk of 67 MB.
        headers = {"accept": self._media, "accept-encoding": "identity", "user-agent": "cfaccess-mw", **more}
        # A client for each: one that is kept would keep the cookies of one person's answer, and send them for another.
        client = httpx.AsyncClient(
            verify=self._verify,
            trust_env=url.startswith("https:"),
            timeout=httpx.Timeout(self._read, connect=self._connect),
            follow_redirects=False,
        )
        async with client, client.stream("GET", url, headers=headers) as response:
            yield response

    def _check(self, response: "httpx.Response", etag: str | None) -> None:
        status = response.status_code
        if status != 200 and not (status == 304 and etag is not None):
            raise FetchError(f"status-{status}", retry_after=retry_after(response.headers, self._wall()))
        _check_form(response, self._media, empty=status == 304)

    def _load(self) -> "tuple[ssl.SSLContext, Any]":
        import httpx  # noqa: PLC0415 - here, in a worker thread: see above

        context = self._verify or httpx.create_ssl_context()
        httpx.AsyncClient(verify=context)  # the first one imports the rest of the client
        return context, httpx


def _check_form(response: "httpx.Response", media: str, *, empty: bool = False) -> None:
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise FetchError("encoded")
    if not empty and not _MEDIA[media].fullmatch(response.headers.get("content-type", "").strip()):
        raise FetchError("not-json" if media == "application/json" else "not-text")


async def _read(response: "httpx.Response") -> bytes:
    from anyio import CancelScope  # noqa: PLC0415 - see _twice

    body = bytearray()
    # Cancelled rather than left: generators of the client that are not run to their end warn when they are collected.
    with CancelScope() as enough:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MOST_BYTES:
                enough.cancel()
    if len(body) > MOST_BYTES:
        raise FetchError("too-large")
    return bytes(body)


def _check_url(url: str) -> None:
    """Refuse to fetch keys where anybody on the way could replace them; the configuration has refused it before."""
    try:
        read_url("url", url)
    except ConfigurationError as error:
        raise FetchError("insecure-url") from error


def max_age(headers: Mapping[str, str]) -> float | None:
    """For how many more seconds a response is fresh (RFC 9111 section 4.2), or None where it does not say.

    Args:
        headers: With lower-case names, or without regard to case.
    """
    found = _MAX_AGE.search(headers.get("cache-control", ""))
    if found is None:
        return None
    age = headers.get("age", "").strip()
    return max(0.0, float(found[1]) - (float(age) if _SECONDS.fullmatch(age) else 0.0))


def retry_after(headers: Mapping[str, str], wall_now: float) -> float | None:
    """For how many seconds an endpoint asks to be left alone (RFC 9110 section 10.2.3), or None.

    Args:
        headers: With lower-case names, or without regard to case.
        wall_now: Seconds of Unix time, where the header is a date.
    """
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - wall_now)
    except (ValueError, OverflowError):
        return None
