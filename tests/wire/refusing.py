"""What do the tests of refusals share? A door's words, and every way to be refused."""

from collections.abc import Iterator, Mapping
from typing import Any

from cfaccess_mw.core.errors import Refused
from cfaccess_mw.wire.refusals import Refusals
from tests.tokens import AUD

RAY = "8f1a2b3c4d5e6f70-FRA"
HOST = "app.example.com"
NAVIGATION = {"sec-fetch-mode": "navigate", "host": HOST}
TEAM_URL = "https://acme.cloudflareaccess.com"
LOGIN = f"{TEAM_URL}/cdn-cgi/access/login/{HOST}?kid={AUD}&redirect_url="


def refusals(**options: Any) -> Refusals:
    settings: dict[str, Any] = {"realm": "acme.cloudflareaccess.com", "unauthenticated_status": 401} | options
    return Refusals(**settings)


def asked(sent: Mapping[str, str] | None = None, **changed: Any) -> Any:
    """What a door says of a request."""
    headers = NAVIGATION if sent is None else sent
    return {
        "method": "GET",
        "header": lambda name: headers.get(name, ""),
        "path": "/reports",
        "query": "q=1",
        "scheme": "https",
        "audiences": (frozenset({AUD}),),
        "identity": None,
    } | changed


def every_refusal(base: type[Refused] = Refused) -> Iterator[type[Refused]]:
    for kind in base.__subclasses__():
        yield kind
        yield from every_refusal(kind)
