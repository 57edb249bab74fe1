"""For how long does the event loop stand still while keys are fetched from a slow endpoint?"""

import json
from collections.abc import Iterator

from benchmarks.certs import serving
from benchmarks.figures import Line, Section
from benchmarks.options import Options
from benchmarks.processes import probed
from benchmarks.traffic import headers_of

_ENDPOINT = 1.0  # seconds that it takes to answer
_GOAL = 10.0  # milliseconds

_WHO = {
    "ours": "cfaccess_mw",
    "pyjwt": "PyJWT, PyJWKClient, pure ASGI",
    "base": "PyJWT, PyJWKClient, BaseHTTPMiddleware",
}


def run(options: Options) -> Iterator[Section]:
    """Send the first request of a fresh process, which needs keys, and watch the loop."""
    subject = options.subject()
    asked = json.dumps({"audience": subject.audience, "headers": headers_of(subject, subject.token)})
    stalls: dict[str, list[float]] = {}
    alone: list[float] = []
    with serving(subject, delay=_ENDPOINT) as certs:
        for number in range(options.repeats):
            # The others' stall is the endpoint's delay; once or twice shows it.
            for which in [*_WHO] if options.peers and number < 2 else ["ours"]:
                found, _ = probed("stall", which, certs.url, given=asked)
                stalls.setdefault(which, []).append(1_000 * found["stall"])
                alone.append(1_000 * found["alone"])
    lines = [
        Line.of(_WHO[which], sample, "ms", ours=which == "ours", goal=_GOAL if which == "ours" else None)
        for which, sample in stalls.items()
    ]
    lines.append(Line.of("nothing going on: what the machine does by itself", alone, "ms"))
    yield Section(
        title=f"The longest stall of the event loop while keys are fetched from a {_ENDPOINT:g} s endpoint",
        lines=tuple(lines),
    )
