"""What does a server hand to an application? Scopes and environs as uvicorn and gunicorn make them.

Every text of every request is a new object, as it is behind a real server: one that was hashed before would make any
look-up cheaper than it is.
"""

import io
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.subject import Subject

BATCH = 32  # requests: no more than stay in the processor's caches, as one does that was just received
_COOKIE_BYTES = 4_096

# What a browser sends through Cloudflare to an application behind Access; the first ten make a small request.
_HEADERS = (
    ("host", "app.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("accept-encoding", "gzip, br"),
    ("cookie", ""),
    ("cf-ray", "9a1b2c3d4e5f6071-FRA"),
    ("cf-connecting-ip", "198.51.100.23"),
    ("x-forwarded-proto", "https"),
    ("cf-access-jwt-assertion", ""),
    ("cf-access-authenticated-user-email", ""),
    ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
    ("referer", "https://app.example.com/teams/board-7/"),
    ("sec-ch-ua", '"Chromium";v="142", "Not_A Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-user", "?1"),
    ("upgrade-insecure-requests", "1"),
    ("priority", "u=0, i"),
    ("cf-ipcountry", "DE"),
    ("cf-visitor", '{"scheme":"https"}'),
    ("cdn-loop", "cloudflare; loops=1"),
    ("x-forwarded-for", "198.51.100.23"),
)  # fmt: skip


def headers_of(subject: Subject, token: str) -> list[tuple[str, str]]:
    """The headers of a request, ``subject.headers`` of them."""
    given = {"cookie": _cookie(), "cf-access-jwt-assertion": token}
    if subject.kind != "service":
        given["cf-access-authenticated-user-email"] = _email(subject, token)
    usual = [(name, given.get(name, value)) for name, value in _HEADERS[: subject.headers]]
    more = [(f"x-proxy-fact-{number}", f"value-{number}") for number in range(subject.headers - len(_HEADERS))]
    return [(name, value) for name, value in (*usual, *more) if value]


def _email(subject: Subject, token: str) -> str:
    claims = subject.issuer.read(token)
    return "" if claims is None else str(claims["email"])


def _cookie() -> str:
    crumbs = [f"preference_{number}={number:064x}" for number in range(_COOKIE_BYTES // 80)]
    return "; ".join(crumbs)[:_COOKIE_BYTES]


def scopes(subject: Subject, token: str, path: str) -> Callable[[int], list[dict[str, Any]]]:
    """A supply of ASGI scopes of one request (ASGI 3, as uvicorn fills them in).

    Args:
        subject: Whose.
        token: The assertion.
        path: What is asked for.
    """
    headers = [(bytearray(name.encode()), bytearray(value.encode())) for name, value in headers_of(subject, token)]
    wanted = path.encode()

    def supply(times: int) -> list[dict[str, Any]]:
        return [
            {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "server": ("127.0.0.1", 8000),
                "client": ("127.0.0.1", 51234),
                "scheme": "http",
                "method": "GET",
                "root_path": "",
                "path": wanted.decode(),
                "raw_path": bytes(bytearray(wanted)),
                "query_string": b"",
                "headers": [(bytes(name), bytes(value)) for name, value in headers],
                "state": {},
            }
            for _ in range(times)
        ]

    return supply


def environs(subject: Subject, token: str, path: str) -> Callable[[int], list[dict[str, Any]]]:
    """A supply of WSGI environs of the same request (PEP 3333, as gunicorn fills them in)."""
    headers = [
        (f"HTTP_{name.upper().replace('-', '_')}".encode(), value.encode())
        for name, value in headers_of(subject, token)
    ]
    wanted = path.encode()

    def supply(times: int) -> list[dict[str, Any]]:
        return [
            {
                "wsgi.errors": sys.stderr,
                "wsgi.version": (1, 0),
                "wsgi.multithread": False,
                "wsgi.multiprocess": True,
                "wsgi.run_once": False,
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(),
                "wsgi.input_terminated": True,
                "SERVER_SOFTWARE": "gunicorn/23.0.0",
                "SERVER_PROTOCOL": "HTTP/1.1",
                "SERVER_NAME": "127.0.0.1",
                "SERVER_PORT": "8000",
                "REMOTE_ADDR": "127.0.0.1",
                "REMOTE_PORT": "51234",
                "REQUEST_METHOD": "GET",
                "QUERY_STRING": "",
                "RAW_URI": wanted.decode(),
                "SCRIPT_NAME": "",
                "PATH_INFO": wanted.decode(),
                **{name.decode("latin-1"): value.decode("latin-1") for name, value in headers},
            }
            for _ in range(times)
        ]

    return supply
