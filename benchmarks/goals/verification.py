"""What does a token cost that was not seen before, and what one that is refused?"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from benchmarks.certs import serving
from benchmarks.figures import Section, lines_of
from benchmarks.floors import CoreByHand
from benchmarks.goals.remembered import BATCH, copies
from benchmarks.measure import WARM, Contender, Take, awaiting, calling, race
from benchmarks.options import Options
from benchmarks.ours import Core, asgi_door, expect
from benchmarks.peers import authlib, joserfc, node, pyjwt, raw
from benchmarks.remote import Unavailable
from benchmarks.subject import Subject
from benchmarks.traffic import scopes

MOST = 255  # different tokens in one batch
_POOL = MOST + WARM + 1

_CHEAPEST = 0.1  # of a raw verification, for garbage
_CHEAP = 0.4  # for what has to be read first


def run(options: Options) -> Iterator[Section]:
    """Measure both."""
    subject = options.subject()
    with ExitStack() as stack:
        floor = Contender(name="read and verified, nothing checked", take=_texts(raw.whole(subject), subject))
        by_hand = _by_hand(subject)
        contenders = [_raw(subject), floor, by_hand, *_ours(subject, stack)]
        remarks: list[str] = []
        if options.peers:
            certs = stack.enter_context(serving(subject))
            contenders += _peers(subject, certs.url)
            try:
                others, remark = stack.enter_context(node.contending(subject, certs.url, options))
            except Unavailable as reason:
                others, remark = [], f"jose and aws-jwt-verify are left out: {reason}"
            contenders += others
            remarks.append(remark)
        found = race(contenders, rounds=options.rounds)
    yield Section(
        title="One verification of a valid token that was not seen before",
        base="RSAPublicKey.verify alone",
        lines=tuple(lines_of(found)),
        remarks=tuple(remarks),
        pictured=True,
    )
    reading = Contender(
        name="read, nothing checked",
        take=calling(raw.read, copies(subject.token.encode())),
        most=BATCH,
    )
    by_hand = Contender(
        name="an expired one read with every check, in one function",
        take=calling(CoreByHand(subject).refuse, copies(subject.forged["expired"])),
        most=BATCH,
    )
    found = race([_raw(subject), reading, by_hand, *_refusals(subject)], rounds=options.rounds)
    yield Section(
        title="One refusal, no signature computed", base="RSAPublicKey.verify alone", lines=tuple(lines_of(found)[1:])
    )


def _raw(subject: Subject) -> Contender:
    return Contender(name="raw RSA verify", take=_texts(raw.verifier(subject), subject))


def _texts(verify: Callable[[str], object], subject: Subject) -> Take:
    tokens = [token.decode() for token in subject.pool(_POOL)]
    verify(tokens[0])  # one that refuses good tokens is not measured
    return calling(verify, lambda times: (tokens * (times // len(tokens) + 1))[:times])


def _by_hand(subject: Subject) -> Contender:
    core, tokens = CoreByHand(subject), subject.pool(_POOL)

    def supply(times: int) -> list[bytes]:
        core.forget()
        return [bytes(bytearray(token)) for token in tokens[:times]]

    return Contender(name="every promise kept, in one function", take=calling(core.verify, supply), most=MOST)


def _ours(subject: Subject, stack: ExitStack) -> list[Contender]:
    loop = asyncio.new_event_loop()
    stack.callback(loop.close)
    return [
        Contender(name="cfaccess_mw, the core", take=unseen(Core(subject), subject), most=MOST, ours=True, goal=1.6),
        Contender(
            name="cfaccess_mw, the whole ASGI door",
            take=awaiting(loop, _whole, _doors(subject)),
            most=MOST,
            ours=True,
        ),
    ]


def unseen(core: Core, subject: Subject) -> Take:
    """Show tokens to a core that it never saw; their key it has used before."""
    tokens, requirement, now = subject.pool(_POOL), core.requirement, time.time()

    def supply(times: int) -> list[tuple[Any, bytes]]:
        decide = core.fresh().decide
        expect(decide(requirement, tokens[-1], now), passes=True)
        return [(decide, bytes(bytearray(token))) for token in tokens[:times]]

    return calling(lambda pair: pair[0](requirement, pair[1], now), supply)


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """Be the smallest application there is."""


async def _whole(pair: tuple[Any, Any]) -> None:
    door, scope = pair
    await door(scope, None, None)


def _doors(subject: Subject) -> Callable[[int], list[tuple[Any, Any]]]:
    rules = subject.table(10)
    path = subject.paths(rules, 1)[0]
    supplies = [scopes(subject, token.decode(), path) for token in subject.pool(_POOL)]

    def pairs(times: int) -> list[tuple[Any, Any]]:
        door = asgi_door(_nothing, subject, rules=rules)
        return [(door, supply(1)[0]) for supply in supplies[:times]]

    return pairs


def _refusals(subject: Subject) -> Iterator[Contender]:
    core, now = Core(subject), time.time()
    expect(core.gate.decide(core.requirement, subject.token.encode(), now), passes=True)
    decide, requirement = core.gate.decide, core.requirement
    for name, token in subject.forged.items():
        expect(decide(requirement, token, now), passes=False)
        yield Contender(
            name=name,
            take=calling(lambda given: decide(requirement, given, now), copies(token)),
            ours=True,
            goal=_CHEAPEST if name.startswith("garbage") else _CHEAP,
            most=BATCH,
        )


def _peers(subject: Subject, url: str) -> list[Contender]:
    verifiers = {
        "joserfc, as its documentation shows": joserfc.verifier(subject),
        "PyJWT, key given": pyjwt.with_key(subject),
        "PyJWT, PyJWKClient": pyjwt.with_client(subject, url),
        "Authlib, as its documentation shows": authlib.verifier(subject),
    }
    return [Contender(name=name, take=_texts(verify, subject)) for name, verify in verifiers.items()]
