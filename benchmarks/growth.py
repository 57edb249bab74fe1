"""How do the figures grow? Rules, keys, remembered tokens, cold requests: each curve in one section."""

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator

from benchmarks.figures import Line, Section, lines_of
from benchmarks.goals.herds import cold
from benchmarks.goals.lookups import known, unseen
from benchmarks.goals.memory import UNSIGNED, weighed
from benchmarks.goals.verification import MOST
from benchmarks.goals.verification import unseen as unseen_token
from benchmarks.measure import Contender, calling, race
from benchmarks.options import Options
from benchmarks.ours import Core, expect
from benchmarks.subject import Subject
from cfaccess_mw.core.keys import parse_jwks
from cfaccess_mw.emulator.signing_key import base64url

_RULES = (1, 10, 100, 1_000, 10_000)
_KEYS = (1, 2, 4, 8, 16, 32, 64)
_TOKENS = (10, 100, 1_000, 10_000, 100_000)
_MORE_TOKENS = (1_000_000,)
_BATCH = 100  # tokens: as many as have just come in
_COLD = (1, 10, 100, 500, 1_000)


def run(options: Options) -> Iterator[Section]:
    """Measure all curves."""
    subject = options.subject()
    yield from rules(subject, options)
    yield from keys(subject, options)
    yield from tokens(subject, options)
    yield herd(subject)


def rules(subject: Subject, options: Options) -> Iterator[Section]:
    """The time of a look-up over the number of rules."""
    for title, take in (("a path seen before", known), ("a path never seen", unseen)):
        contenders = [
            Contender(name=_counted(count, "rule"), take=take(subject, count), ours=True, most=1_000)
            for count in _RULES
        ]
        found = race(contenders, rounds=options.rounds)
        yield Section(title=f"Growth: the rule of {title}", base=contenders[0].name, lines=tuple(lines_of(found)))


def keys(subject: Subject, options: Options) -> Iterator[Section]:
    """The time of a verification over the number of published keys, and of reading them all in."""
    drawn = random.Random(subject.seed)
    others = [_modulus(drawn, number) for number in range(max(_KEYS) - 1)]
    ours = next(jwk for jwk in subject.keys["keys"] if jwk["kid"] == subject.issuer.current.kid)
    verifying, reading = [], []
    for count in _KEYS:
        document = json.dumps({"keys": [*others[: count - 1], ours]}).encode()
        name = _counted(count, "key")
        core = Core(subject, keys=parse_jwks(document))
        verifying.append(Contender(name=name, take=unseen_token(core, subject), ours=True, most=MOST))
        reading.append(Contender(name=name, take=calling(parse_jwks, _same(document)), ours=True))
    for title, contenders in (("Growth: one verification", verifying), ("Growth: reading a key set", reading)):
        found = race(contenders, rounds=max(options.rounds // 4, 4))
        yield Section(title=title, base=contenders[0].name, lines=tuple(lines_of(found)))


def tokens(subject: Subject, options: Options) -> Iterator[Section]:
    """Time and memory over the number of tokens that were shown, each another person's."""
    times, sizes = [], []
    for count in (*_TOKENS, *(_MORE_TOKENS if options.full else ())):
        core = Core(subject, signatures=False)
        name = _counted(count, "token")
        sizes.append(Line.of(name, weighed(core, count) / 2**20, "MiB", ours=True, goal=64.0))
        times.append(Line.of(name, _again(core, count), "µs", ours=True))
    remarks = (
        UNSIGNED,
        "10,000 are remembered; the last 4,000 are asked about in turn, which is more than the processor's caches hold",
    )
    yield Section(title="Growth: memory after so many different tokens", lines=tuple(sizes), remarks=remarks)
    yield Section(title="Growth: asking again after so many different tokens", lines=tuple(times), remarks=remarks)


def herd(subject: Subject) -> Section:
    """How long it takes until all are answered who come before there are keys."""
    lines = []
    for count in _COLD:
        seconds, fetches = cold(subject, count)
        note = f"fetches: {fetches}, of an endpoint that takes 0.2 s"
        lines.append(Line.of(_counted(count, "request"), 1_000 * seconds, "ms", ours=True, note=note))
    return Section(title="Growth: concurrent requests without keys, until all are answered", lines=tuple(lines))


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _modulus(drawn: random.Random, number: int) -> dict[str, str]:
    """A key that nothing was ever signed with; to make real ones would take seconds."""
    modulus = drawn.getrandbits(2_048) | 1 << 2_047 | 1
    encoded = base64url(modulus.to_bytes(256))
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": f"{number:064x}", "n": encoded, "e": "AQAB"}


def _again(core: Core, count: int) -> list[float]:
    """Microseconds of asking about one of the last tokens."""
    decide, requirement, now = core.gate.decide, core.requirement, time.time()
    last = min(count, 4_000)
    shown = [core.unsigned(number) for number in range(count - last, count)]
    for token in shown:
        expect(decide(requirement, token, now), passes=True)
    take = calling(lambda token: decide(requirement, token, now), lambda times: _next(turning, times))
    turning = itertools.cycle(shown)
    return [take(_BATCH) / _BATCH / 1_000 for _ in range(9 * max(1, last // _BATCH))]


def _next(tokens: Iterator[bytes], times: int) -> list[bytes]:
    return [bytes(bytearray(token)) for token in itertools.islice(tokens, times)]


def _same(document: bytes) -> Callable[[int], list[bytes]]:
    return lambda times: [document] * times
