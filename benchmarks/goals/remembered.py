"""What does it cost to ask about somebody again, and to ask whether a peer is Cloudflare?"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.figures import Line, Section, lines_of
from benchmarks.measure import Contender, calling, race
from benchmarks.options import Options
from benchmarks.ours import Core, expect
from benchmarks.peers import raw
from cfaccess_mw.edge.ranges_peers import CloudflarePeers

_PEER = "162.158.0.17"  # an address of Cloudflare's
BATCH = 200  # tokens: no more than stay in the processor's caches
_PEER_MICROSECONDS = 1.0


def run(options: Options) -> Iterator[Section]:
    """Measure both."""
    subject = options.subject()
    core, now, token = Core(subject), time.time(), subject.token.encode()
    decide, requirement = core.gate.decide, core.requirement
    expect(decide(requirement, token, now), passes=True)
    cloudflare = CloudflarePeers()
    if not cloudflare.trust(_PEER):
        raise RuntimeError("the peer is not Cloudflare")
    known = {token: now + 3_600}
    found = race(
        [
            Contender(name="raw RSA verify", take=calling(raw.verifier(subject), lambda times: [None] * times)),
            Contender(
                name="cfaccess_mw, the core",
                take=calling(lambda given: decide(requirement, given, now), copies(token)),
                most=BATCH,
                ours=True,
                goal=0.05,
            ),
            Contender(name="the floor: a dictionary read", take=calling(known.__getitem__, copies(token)), most=BATCH),
            Contender(
                name="cfaccess_mw, is this peer Cloudflare?",
                take=calling(cloudflare.trust, lambda times: ["".join((_PEER[:3], _PEER[3:])) for _ in range(times)]),
                ours=True,
            ),
        ],
        rounds=options.rounds,
    )
    *lines, _ = lines_of(found)
    yield Section(title="Asking about a remembered token", base="RSAPublicKey.verify alone", lines=tuple(lines))
    peer = found.each("cfaccess_mw, is this peer Cloudflare?")
    yield Section(
        title="Asking about a remembered peer",
        lines=(
            Line(
                name="cfaccess_mw, is this peer Cloudflare?",
                value=peer.median / 1_000,
                low=peer.low / 1_000,
                high=peer.high / 1_000,
                unit="µs",
                ours=True,
                goal=_PEER_MICROSECONDS,
            ),
        ),
    )


def copies(token: bytes) -> Callable[[int], list[Any]]:
    """A supply of one token that no look-up has hashed yet, as each request brings one."""
    return lambda times: [bytes(bytearray(token)) for _ in range(times)]
