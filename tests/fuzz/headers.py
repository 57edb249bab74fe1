"""Do the two doors read the same request alike, and does nobody pass who does not bring the good token?

An input is a method and a path in its first line, then headers, one to a line; a known host unless it names one.
``{good}`` in a value stands for a good token. The ASGI door gets them as a list, the WSGI door as a server joins them.
"""

import json
import re
from functools import cache
from typing import Any
from urllib.parse import unquote

from cfaccess_mw.emulator.issuer import Issuer
from tests.properties.doors import HOST, STATUSES, asgi_door, ask_asgi, ask_wsgi, joined, wsgi_door
from tests.tokens import AUD

ASSERTION = "cf-access-jwt-assertion"
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2; servers refuse others


@cache
def world() -> tuple[Any, Any, str, str]:
    """The doors, a good token that stays good, and whose it is."""
    issuer = Issuer("acme")
    token = issuer.user("user@example.com", audience=AUD, expires_in=86_400 * 365)
    return asgi_door(issuer.certs()), wsgi_door(issuer.certs()), token, issuer.subject("user@example.com")


def run(data: bytes) -> object:
    """Ask both doors, and compare."""
    asgi, wsgi, token, subject = world()
    first, *lines = data.decode("latin-1").split("\n")
    method, _, raw = first.partition(" ")
    headers = [
        (name.lower(), value.strip(" \t\r\x00").replace("{good}", token))
        for name, colon, value in (line.partition(":") for line in lines)
        if colon and NAME.fullmatch(name) and "\r" not in value and "\x00" not in value
    ]
    if not any(name == "host" for name, _ in headers):
        headers.append(("host", HOST))  # or every input without one ended in the same 400
    if not raw.isascii():
        return None  # servers refuse it, and where they do not, the two kinds decode it differently
    path = unquote(raw, errors="replace")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": raw.encode("latin-1"),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 1),
    }
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote(raw, encoding="latin-1"),
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "RAW_URI": raw,
        "REMOTE_ADDR": "127.0.0.1",
        # A server drops names with underscores, which it could not tell from others.
        **joined([header for header in headers if "_" not in header[0]]),
    }
    by_asgi, by_wsgi = ask_asgi(asgi, scope), ask_wsgi(wsgi, environ)
    for said in (by_asgi, by_wsgi):
        assert said.status in STATUSES
        assert token not in said.text
        assert said.identity in (None, subject)
        if said.identity is not None:
            given = [value for name, value in headers if name == ASSERTION]
            cookies = [value for name, value in headers if name == "cookie"]
            assert given == [token] or (not given and any(token in value for value in cookies))
            assert dict(said.headers)[ASSERTION] == token
        elif said.status == 200:
            assert not any(name.replace("_", "-").startswith("cf-access-") for name, _ in said.headers)
            assert not any(name.replace("_", "-") in ("remote-user", "x-user") for name, _ in said.headers)
    if "script-name" not in dict(headers):  # a header that only WSGI servers believe
        assert (by_asgi.status, by_asgi.identity) == (by_wsgi.status, by_wsgi.identity), (by_asgi, by_wsgi)
        if by_asgi.status == 401:  # of two grounds for a 400, each door finds its own first
            assert code(by_asgi.text) == code(by_wsgi.text)
    return by_asgi.status, code(by_asgi.text), by_asgi.identity is None


def code(text: str) -> str:
    """The code of a refusal, where it is told as JSON."""
    found = re.search(r'"code": ?"([a-z-]+)"', text.replace("\\", ""))
    return json.loads(f'"{found[1]}"') if found else ""
