"""What is sent? Requests as they come through Cloudflare, each with a token of its own, signed beforehand."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from cfaccess_mw.emulator.issuer import Issuer, WhichKey

# What a browser sends and what the edge adds, without what carries a token.
_HEADERS: Final = (
    "Host: app.example.com",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Encoding: gzip, br",
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
    "Cache-Control: no-cache",
    "CF-Connecting-IP: 203.0.113.9",
    "CF-IPCountry: US",
    "Cf-Ray: 8c1a2b3c4d5e6f70-VIE",
    'CF-Visitor: {"scheme":"https"}',
    "Cdn-Loop: cloudflare; loops=1",
    "Referer: https://app.example.com/",
    'Sec-Ch-Ua: "Chromium";v="130", "Not?A_Brand";v="99"',
    "Sec-Ch-Ua-Mobile: ?0",
    'Sec-Ch-Ua-Platform: "Linux"',
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: https",
)


def request(token: str | None, *headers: str, target: str = "/") -> bytes:
    """A GET, byte for byte.

    Args:
        token: The assertion; None for none.
        headers: Further lines.
        target: As it is asked for.
    """
    assertion = () if token is None else (f"Cf-Access-Jwt-Assertion: {token}",)
    return "\r\n".join((f"GET {target} HTTP/1.1", *_HEADERS, *assertion, *headers, "", "")).encode()


def mint(issuer: Issuer, audience: str, count: int, key: WhichKey = "current") -> list[str]:
    """Tokens of as many people; a signature takes most of a millisecond.

    Args:
        issuer: The team.
        audience: The AUD tag.
        count: How many.
        key: Which key signs.
    """
    return [issuer.user(f"user{number}@example.com", audience=audience, key=key) for number in range(count)]


def armed(path: Path, tokens: Iterable[str]) -> Path:
    """Write the file for the load generators.

    Args:
        path: Where.
        tokens: For one request each.
    """
    path.write_bytes(b"\0".join(request(token) for token in tokens))
    return path


def alternating(*lists: list[str]) -> Iterator[str]:
    """The first of each, the second of each, …"""
    return itertools.chain.from_iterable(zip(*lists, strict=True))
