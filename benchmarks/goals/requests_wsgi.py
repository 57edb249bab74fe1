"""What does the door add to a request of a WSGI application, and what do others add?"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from benchmarks.certs import serving
from benchmarks.figures import Section, lines_of
from benchmarks.floors import WsgiByHand
from benchmarks.goals.requests_asgi import added
from benchmarks.measure import Contender, Take, calling, race
from benchmarks.options import Options
from benchmarks.peers import flask_cfaccess, pyjwt
from benchmarks.peers.wsgi import Looking, PassingOn, application
from benchmarks.remote import Unavailable
from benchmarks.traffic import BATCH, environs
from cfaccess_mw.wsgi import AccessMiddleware

OURS = "cfaccess_mw, remembered token"


def run(options: Options) -> Iterator[Section]:
    """Measure a request with a remembered token, one of many rules, realistic headers and a 4 KB cookie."""
    subject = options.subject()
    rules = subject.table(subject.rules)
    path = subject.paths(rules, 1)[0]
    supply = environs(subject, subject.token, path)
    remarks = [f"one of {subject.rules:,} rules, {subject.headers} headers, a 4 KB cookie; no sockets"]
    elsewhere: list[Contender] = []
    with ExitStack() as stack:
        bare = application()
        applications: dict[str, Any] = {
            "bare Flask": bare,
            "a wrapper that only passes on": PassingOn(bare),
            "environ copied, nothing checked": Looking(bare),
            "every promise kept, in one function": WsgiByHand(AccessMiddleware(bare, **subject.options, rules=rules)),
            OURS: AccessMiddleware(bare, **subject.options, rules=rules),
        }
        if options.peers:
            certs = stack.enter_context(serving(subject))
            applications |= {
                "PyJWT, key given, before_request": application(pyjwt.with_key(subject)),
                "PyJWT, PyJWKClient, before_request": application(pyjwt.with_client(subject, certs.url)),
            }
            try:
                elsewhere, remark = stack.enter_context(flask_cfaccess.contending(subject, certs.url, path, options))
            except Unavailable as reason:
                remark = f"flask-cfaccess is left out: {reason}"
            remarks.append(remark)
        found = race(
            [
                Contender(
                    name=name,
                    take=_requests(app, supply),
                    ours=name == OURS,
                    goal=1.03 if name == OURS else None,
                    most=BATCH,
                )
                for name, app in applications.items()
            ]
            + elsewhere,
            rounds=options.rounds * 3,  # a few hundredths are to be told apart
        )
    yield Section(
        title="One WSGI request with a remembered token",
        base="bare Flask",
        lines=tuple(lines_of(found)),
        remarks=tuple(remarks),
        pictured=True,
    )
    peers = [one.name for one in found.contenders if "PyJWT" in one.name]
    yield added(found, "What is added to a WSGI request", OURS, peers)


def _requests(app: Callable[..., Any], supply: Callable[[int], Any]) -> Take:
    statuses: list[str] = []
    _read(app(supply(1)[0], lambda status, headers, error=None: statuses.append(status)))
    if statuses != ["200 OK"]:
        raise RuntimeError(f"a good request was answered with {statuses}")
    return calling(lambda environ: _read(app(environ, _start)), supply)


def _start(status: str, headers: list[tuple[str, str]], error: Any = None) -> None:
    """Be a server's ``start_response``."""


def _read(body: Any) -> None:
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()
