"""Does the demonstration hold? Everything tried over real sockets, a line for each thing expected and seen."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import click
import httpx

from cfaccess_mw.cli.demo import Demonstration, Site
from cfaccess_mw.cli.origins import PAYROLL_PATH, PUBLIC_PATH

ASSERTION = "Cf-Access-Jwt-Assertion"
ALICE = "alice@example.com"
MALLORY = "mallory@example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was tried."""

    what: str
    expected: str
    seen: str

    @property
    def holds(self) -> bool:
        """Whether it was seen as expected."""
        return self.expected == self.seen


class Visitor:
    """Somebody with an HTTP client: through the edge as a browser is, or straight to the origin as an attacker is.

    Args:
        demonstration: What runs.
        site: Which of its applications.
    """

    def __init__(self, demonstration: Demonstration, site: Site) -> None:
        self.site = site
        self.issuer = demonstration.emulator.issuer
        host = demonstration.address(site).removeprefix("http://")
        self._edge = httpx.Client(base_url=demonstration.emulator.url, headers={"Host": host}, trust_env=False)
        self._origin = httpx.Client(base_url=site.origin, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._edge.close()
        self._origin.close()

    def around(self, path: str = "/", token: str | None = None, **headers: str) -> str:
        """Ask the origin itself."""
        assertion = {} if token is None else {ASSERTION: token}
        return _seen(self._origin.get(path, headers={**assertion, **headers}))

    def through(self, path: str = "/", **headers: str) -> str:
        """Ask by way of the edge."""
        return _seen(self._edge.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()}))

    def sign_in(self, path: str) -> str:
        """Ask by way of the edge, and go through its login page as Alice."""
        login = self._edge.get(path).headers.get("location", "")
        answer = self._edge.post(_local(login), data={"email": ALICE})
        while answer.is_redirect:
            answer = self._edge.get(_local(answer.headers["location"]))
        return _seen(answer)

    def token(self, **options: object) -> str:
        """A token of Alice for this site, as the team signs it."""
        return self.issuer.user(ALICE, **{"audience": self.site.audience, **options})  # type: ignore[arg-type]

    def forged(self) -> str:
        """A good token, its payload replaced."""
        header, payload, signature = self.token().split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        forged = base64.urlsafe_b64encode(json.dumps({**claims, "email": MALLORY}).encode()).rstrip(b"=").decode()
        return f"{header}.{forged}.{signature}"


def _local(url: str) -> str:
    """The path and query of a redirect: the client talks to the loopback address, whatever the name."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _seen(answer: httpx.Response) -> str:
    """An answer in one word or three."""
    if answer.headers.get("content-type") == "application/problem+json":
        return f"{answer.status_code} {answer.json()['code']}"
    if answer.is_redirect:
        return f"{answer.status_code} to {urlsplit(answer.headers['location']).path.rpartition('/')[0]}"
    _, _, who = answer.text.partition("You are ")
    return f"{answer.status_code} {who.partition('.</p>')[0]}".strip()


_Try = tuple[str, str, Callable[[Visitor], str]]

_FIRST: tuple[_Try, ...] = (
    ("around the edge, public path", "200 nobody in particular", lambda v: v.around(PUBLIC_PATH)),
    ("around the edge, public path, bad token", "200 nobody in particular", lambda v: v.around(PUBLIC_PATH, "x")),
    ("around the edge, no token", "401 no-token", lambda v: v.around()),
    (
        "around the edge, a claimed address",
        "401 no-token",
        lambda v: v.around(**{"Cf-Access-Authenticated-User-Email": ALICE}),
    ),
    ("around the edge, forged token", "401 bad-signature", lambda v: v.around("/", v.forged())),
    ("around the edge, garbage", "401 malformed-token", lambda v: v.around("/", "garbage")),
    (
        "around the edge, another application's token",
        "401 wrong-audience",
        lambda v: v.around("/", v.token(audience=v.site.payroll_audience)),
    ),
    ("around the edge, another path's audience", "401 wrong-audience", lambda v: v.around(PAYROLL_PATH, v.token())),
    ("around the edge, expired token", "401 expired", lambda v: v.around("/", v.token(expires_in=-60))),
    (
        "around the edge, organisation token",
        "401 wrong-token-type",
        lambda v: v.around("/", v.issuer.organisation(ALICE, audience=v.site.audience)),
    ),
    (
        "around the edge, metadata token",
        "401 wrong-token-type",
        lambda v: v.around("/", v.issuer.metadata("app", audience=v.site.audience, iss=v.issuer.iss, exp=2**33)),
    ),
    ("around the edge, an odd path", "400 ambiguous-path", lambda v: v.around("/healthz/..%2f", v.token())),
    ("through the edge, not signed in", "302 to /cdn-cgi/access/login", lambda v: v.through()),
    ("through the edge, signed in", f"200 user {ALICE}", lambda v: v.sign_in("/")),
    (
        "through the edge, a claimed address",
        f"200 user {ALICE}",
        lambda v: v.through("/", Cf_Access_Authenticated_User_Email=MALLORY),
    ),
    ("through the edge, public path", "200 nobody in particular", lambda v: v.through(PUBLIC_PATH)),
    ("through the edge, payroll, signed in", f"200 user {ALICE}", lambda v: v.sign_in(PAYROLL_PATH)),
)
_ROTATED: tuple[_Try, ...] = (
    ("after a rotation, new key", f"200 user {ALICE}", lambda v: v.around("/", v.token())),
    ("after a rotation, old key", f"200 user {ALICE}", lambda v: v.around("/", v.token(key="previous"))),
)
_DOWN: tuple[_Try, ...] = (
    ("certs endpoint down, known key", f"200 user {ALICE}", lambda v: v.around("/", v.token(key="previous"))),
    ("certs endpoint down, new key", "503 keys-unavailable", lambda v: v.around("/", v.token())),
    ("certs endpoint down, no token", "401 no-token", lambda v: v.around()),
    ("certs endpoint down, public path", "200 nobody in particular", lambda v: v.around(PUBLIC_PATH)),
)


def findings(demonstration: Demonstration) -> Iterator[Finding]:
    """Try everything, in an order in which each thing means what it says."""
    emulator = demonstration.emulator
    with ExitStack() as stack:
        visitors = [Visitor(demonstration, site) for site in demonstration.sites]
        for visitor in visitors:
            stack.callback(visitor.close)

        def each(tries: tuple[_Try, ...]) -> Iterator[Finding]:
            for visitor in visitors:
                for what, expected, ask in tries:
                    yield Finding(what=f"{visitor.site.kind}: {what}", expected=expected, seen=ask(visitor))

        yield from each(_FIRST)
        robot = demonstration.robot
        for visitor in visitors:
            credentials = {"CF_Access_Client_Id": robot.client_id, "CF_Access_Client_Secret": robot.client_secret}
            yield Finding(
                what=f"{visitor.site.kind}: through the edge, with a service token",
                expected=f"200 service {robot.client_id}",
                seen=_as_stranger(demonstration, visitor.site, credentials),
            )
        emulator.issuer.rotate()
        yield from each(_ROTATED)
        emulator.certs_down()
        emulator.issuer.rotate()
        yield from each(_DOWN)
        emulator.certs_up()


def _as_stranger(demonstration: Demonstration, site: Site, headers: dict[str, str]) -> str:
    """Ask as somebody who has not signed in."""
    visitor = Visitor(demonstration, site)
    try:
        return visitor.through("/", **headers)
    finally:
        visitor.close()


def check_demonstration(demonstration: Demonstration, *, as_json: bool = False) -> bool:
    """Print a line for each finding, or all of them as JSON.

    Args:
        demonstration: A running one.
        as_json: Whether for programs.

    Returns:
        Whether everything held.
    """
    all_found = []
    for finding in findings(demonstration):
        all_found.append(finding)
        if as_json:
            continue
        mark = click.style("ok  ", fg="green") if finding.holds else click.style("FAIL", fg="red", bold=True)
        click.echo(f"{mark} {finding.what:<55} expected {finding.expected:<32} saw {finding.seen}")
    failed = sum(not finding.holds for finding in all_found)
    if as_json:
        told = [{**asdict(finding), "holds": finding.holds} for finding in all_found]
        click.echo(json.dumps({"findings": told, "failed": failed}, indent=2))
        return failed == 0
    click.echo(f"{len(all_found) - failed} of {len(all_found)} hold.")
    return failed == 0
