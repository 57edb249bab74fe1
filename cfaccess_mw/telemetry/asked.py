"""What does a door know of a request when it tells of it?"""

from collections.abc import Callable
from time import perf_counter
from typing import Required, TypedDict, Unpack

from cfaccess_mw.core.errors import Refused
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.telemetry.requests import ToldRequest


class Asked(TypedDict, total=False):
    """What is known of a request; only what was asked for is known of each.

    Attributes:
        method: As sent.
        path: As the server gives it. What is told of both is escaped and cut.
        header: Reads a header: its value; empty or None where there is none.
        began: When the decision began, by ``time.perf_counter``; 0 where nobody looked.
        identity: Who asked.
        token: The token that was verified.
    """

    method: Required[str]
    path: Required[str]
    header: Callable[[str], str | None] | None
    began: float
    identity: Identity | None
    token: str | bytes | None


def told(outcome: str, error: Refused | None, requirement: Requirement | None, **asked: Unpack[Asked]) -> ToldRequest:
    """Return what is told of a request.

    Args:
        outcome: What became of it.
        error: Why it was, or would have been, refused.
        requirement: What was required.
        **asked: What is known of it.
    """
    began = asked.get("began", 0.0)
    return ToldRequest(
        outcome,
        error=error,
        sent_method=asked["method"],
        sent_path=asked["path"],
        identity=asked.get("identity"),
        token=asked.get("token"),
        requirement=requirement,
        header=asked.get("header"),
        seconds=perf_counter() - began if began else None,
    )
