"""What does this address answer? One request, nothing followed, bounded in time and size."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx

from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.refresh.private_loop import run_privately

_PATIENCE: Final = 5.0  # seconds for everything, as for a fetch of keys
_MOST: Final = 4_096  # bytes of an answer that is read

# Only these are read: others may have no end.
_READ: Final = "application/problem+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered.

    Attributes:
        status: The HTTP status code.
        headers: By lower-case names.
        body: The beginning of problem details; empty for anything else.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


def probe(url: str, headers: Mapping[str, str], *, trust: bool) -> Answer:
    """Ask an address once.

    Args:
        url: http or https.
        headers: What is sent.
        trust: Whether its certificate has to be good, and the proxies of the environment are used. What an origin
            shows to Cloudflare nobody else knows, and it is asked without a secret.

    Raises:
        FetchError: ``timeout``, ``connect-failed`` or ``connection-lost``, or that the URL is none.
    """
    try:
        return run_privately(partial(_ask, url, dict(headers), trust=trust), timeout=_PATIENCE)
    except httpx.TimeoutException:
        reason = "timeout"
    except httpx.ConnectError:
        reason = "connect-failed"
    except httpx.HTTPError:
        reason = "connection-lost"
    except (httpx.InvalidURL, UnicodeError):
        reason = "not-a-url"
    except OSError:  # of the file that SSL_CERT_FILE names
        reason = "no-certificate-authorities"
    raise FetchError(reason)


async def _ask(url: str, headers: dict[str, str], *, trust: bool) -> Answer:
    async with (
        httpx.AsyncClient(verify=trust, trust_env=trust and url.startswith("https:"), timeout=_PATIENCE) as client,
        client.stream("GET", url, headers={"User-Agent": "cfaccess-mw doctor", **headers}) as response,
    ):
        body = b""
        if response.headers.get("content-type", "").startswith(_READ):
            async for chunk in response.aiter_raw(_MOST):
                body = chunk
                break
        return Answer(status=response.status_code, headers=dict(response.headers), body=body)
