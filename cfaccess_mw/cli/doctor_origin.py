"""Does an origin answer somebody who did not come through Access? Asked from here, as an attacker would."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from cfaccess_mw.cli.findings import Finding, good, lacking, wrong
from cfaccess_mw.cli.probe import Answer, probe
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import AmbiguousHost, FetchError
from cfaccess_mw.wire.login import LOGIN_PATH

_ABOUT: Final = "origin"
_TYPE: Final = "urn:cfaccess:refusal:"
_SOMEBODY: Final = "somebody@example.com"
_NEXT_TO_IT: Final = "see that the address is right, and that the application runs"
_PUT_IT_IN: Final = "put the middleware outermost, or let nobody but Cloudflare reach this address"

_HANDSHAKE: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(bytes(range(16))).decode(),
}


def examine_origin(
    url: str, config: AccessConfig, *, host: str | None, path: str, kid: str, websocket: bool
) -> Iterator[Finding]:
    """Ask an origin without an assertion, and with forged ones.

    Args:
        url: Its address, http or https.
        config: What is required of the address's path.
        host: The ``Host`` header, where it is not the address's.
        path: The path of the address, percent-decoded.
        kid: A key id that the team publishes.
        websocket: Whether to try a WebSocket handshake too.
    """
    if config.table.find("GET", path, None, "", host or urlsplit(url).netloc.rpartition("@")[2]).may_open:
        yield wrong(_ABOUT, "the rules let everybody in at this path", "give the address of a path that needs a token")
        return
    for what, headers in _tries(config, kid, websocket=websocket):
        named = {"Accept": "application/json", **({"Host": host} if host else {}), **headers}
        try:
            finding = _judged(what, probe(url, named, trust=False), config)
        except FetchError as failure:
            yield lacking(_ABOUT, f"{what}: {failure.reason}", _NEXT_TO_IT)
            return
        yield finding


def _tries(config: AccessConfig, kid: str, *, websocket: bool) -> Iterator[tuple[str, dict[str, str]]]:
    forged = forge(config, kid)
    yield "without an assertion", {}
    yield (
        "with an address that somebody claims",
        {
            "Cf-Access-Authenticated-User-Email": _SOMEBODY,
            "Remote-User": _SOMEBODY,
        },
    )
    yield "with a forged assertion", {"Cf-Access-Jwt-Assertion": forged}
    yield "with a forged cookie", {"Cookie": f"CF_Authorization={forged}"}
    if websocket:
        yield "with a WebSocket handshake", _HANDSHAKE


def forge(config: AccessConfig, kid: str) -> str:
    """Write a token of which everything is right but the signature, which no key made."""
    now = int(time.time())
    claims = {
        "aud": [config.audience[0]] if isinstance(config.audience, tuple) else [],
        "email": _SOMEBODY,
        "exp": now + 300,
        "iat": now,
        "nbf": now,
        "iss": config.teams[0].issuer,
        "type": "app",
        "sub": "00000000-0000-0000-0000-000000000000",
    }
    header = {"alg": "RS256", "kid": kid, "typ": "JWT"}
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), bytes(256))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _judged(what: str, answer: Answer, config: AccessConfig) -> Finding:
    status, code = answer.status, _code(answer)
    if "cf-ray" in answer.headers or answer.headers.get("server", "").lower() == "cloudflare":
        return wrong(_ABOUT, f"{what}: Cloudflare answers there", "give the address of the origin itself")
    if code in ("keys-unavailable", "identity-unavailable"):
        return wrong(_ABOUT, f"{what}: the origin has no keys ({code})", "run cfaccess doctor on that machine")
    if code == AmbiguousHost.code:
        says = f"{what}: refused for the Host header ({status} {code}), whoever asks"
        return wrong(_ABOUT, says, "name a host that the rules have by --host")
    if code:
        return good(_ABOUT, f"{what}: refused ({status} {code})")
    location = answer.headers.get("location", "")
    if any(location.startswith(team.base_url + LOGIN_PATH) for team in config.teams):
        return good(_ABOUT, f"{what}: sent to the login page")
    if status in (401, 403):
        return good(_ABOUT, f"{what}: refused ({status})")
    if status in (502, 503, 504):
        return lacking(_ABOUT, f"{what}: {status}", _NEXT_TO_IT)
    return wrong(_ABOUT, f"{what}: answered {status}, without asking who is there", _PUT_IT_IN)


def _code(answer: Answer) -> str:
    """The code of a refusal of ours, or nothing."""
    try:
        problem: Any = json.loads(answer.body)
    except ValueError:
        return ""
    kind = problem.get("type") if isinstance(problem, dict) else None
    return kind.removeprefix(_TYPE) if isinstance(kind, str) and kind.startswith(_TYPE) else ""
