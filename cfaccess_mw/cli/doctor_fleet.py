"""Can the fleet be reached, is its secret that of its workers, and what do they share?"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from cfaccess_mw.cli.findings import Finding, good, lacking, mistaken, note, wrong
from cfaccess_mw.cli.mistakes import Mistake, needing
from cfaccess_mw.cli.times import lasting
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError

if TYPE_CHECKING:
    from cfaccess_mw.fleet.fleet import Fleet
    from cfaccess_mw.fleet.survey import Survey

_ABOUT: Final = "fleet"
_AGREES: Final = 2  # seconds between two clocks that nobody need mend
_AWAY: Final = 240  # seconds; twice as long as any worker waits before it looks again, at the usual poll_every
_APART: Final = 300  # seconds beyond which nothing is revoked, nor keys are taken

_SECRETS: Final = "give the secret of the workers; of several all, in their order"
_WRITES: Final = f"{_SECRETS}; or see who else can write to Redis"
_REACH: Final = "see whether Redis is up, and whether this machine may open connections to it"
_ACL: Final = "grant what README.md lists, for all names that begin with the namespace"

# By the class of what the library redis raises.
_UNREACHABLE: Final[Mapping[str, str]] = {
    "AuthenticationError": "mend the user and the password in its address",
    "AuthenticationWrongNumberOfArgsError": "leave the user out of its address: this Redis knows no users",
    "BusyLoadingError": "wait until Redis has read its data",
    "MasterNotFoundError": "mend the service in its address, or see what the sentinels say",
}
_REFUSED: Final[Mapping[str, str]] = {
    "NoPermissionError": _ACL,
    "ReadOnlyError": "name the primary, not a replica",
    "OutOfMemoryError": "give Redis more memory, or see what fills it",
}
# What is wrong with the mark, where it is not that somebody else has written it.
_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "secret-missing": ("secret: is missing; the workers have one, and obey nobody without it", "give theirs"),
}
_ANOTHER: Final = ("the secret is not the one that the fleet uses", _WRITES)


def examine_fleet(config: AccessConfig) -> Iterator[Finding]:
    """Ask Redis, where a fleet is configured; nothing is changed there."""
    if config.fleet is None:
        return
    try:
        with needing(_ABOUT, "redis"):
            from cfaccess_mw.fleet.meant import fleet_for  # noqa: PLC0415 - an extra
            from cfaccess_mw.fleet.survey import Survey  # noqa: PLC0415 - likewise
        fleet = fleet_for(config.fleet)
        yield from _examine(fleet, Survey(fleet), config)
    except Mistake as missing:
        says, _, mend = missing.message.partition(": ")
        yield wrong(_ABOUT, says.removeprefix(f"{_ABOUT} "), mend)
    except ConfigurationError as mistake:
        yield mistaken(_ABOUT, mistake)


def _examine(fleet: "Fleet", survey: "Survey", config: AccessConfig) -> Iterator[Finding]:
    from cfaccess_mw.fleet.errors import FleetError  # noqa: PLC0415 - it is there by now

    began = time.monotonic()
    try:
        forbidden = survey.forbidden()
        yield good(_ABOUT, f"Redis answers within {max(1, round(1000 * (time.monotonic() - began)))} ms")
        yield from _permissions(forbidden, survey.needless)
        if not fleet.options.secrets:
            yield note(_ABOUT, "no secret: whoever can write to Redis decides who is let in", "set secret")
        for needed, ask in _questions(survey, config, is_sealed=bool(fleet.options.secrets)):
            if not needed & forbidden.keys():
                yield ask()
    except FleetError as failure:
        finding = wrong if failure.reason.startswith("Authentication") else lacking
        yield finding(_ABOUT, f"Redis does not answer ({failure.reason})", _UNREACHABLE.get(failure.reason, _REACH))


def _questions(
    survey: "Survey", config: AccessConfig, *, is_sealed: bool
) -> Iterator[tuple[frozenset[str], Callable[[], Finding]]]:
    """What is asked, with the commands that it needs."""
    yield frozenset({"TIME"}), lambda: _clock(survey.ahead())
    yield frozenset({"GETRANGE"}), lambda: _mark(survey, is_sealed=is_sealed)
    yield frozenset({"XLEN", "XRANGE"}), lambda: _revocations(survey)
    for team in config.teams if config.keys is None else ():
        yield frozenset({"GETRANGE"}), partial(_keys, survey, team.certs_url, config.hard_ttl)


def _permissions(forbidden: Mapping[str, str], needless: frozenset[str]) -> Iterator[Finding]:
    for reason in sorted({reason for name, reason in forbidden.items() if name not in needless}):
        names = ", ".join(name for name, why in forbidden.items() if why == reason)
        yield wrong(
            _ABOUT,
            f"Redis refuses {names} ({reason})",
            _REFUSED.get(reason, "see what stands under the namespace, and the log of Redis"),
        )
    if forbidden and forbidden.keys() <= needless:
        names = ", ".join(forbidden)
        yield note(_ABOUT, f"Redis refuses {names}: a stream is read however large it is", f"grant {names} if possible")


def _clock(ahead: float) -> Finding:
    if abs(ahead) < _AGREES:
        return good(_ABOUT, "the clock of Redis agrees with ours")
    says = f"our clock is {lasting(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} that of Redis"
    mend = "set both (NTP)"
    if abs(ahead) > _APART:
        return wrong(_ABOUT, f"{says}: nothing can be revoked from here", mend)
    return note(_ABOUT, says, mend)


def _mark(survey: "Survey", *, is_sealed: bool) -> Finding:
    found = survey.mark()
    if isinstance(found, str):
        return wrong(_ABOUT, *_MARKS.get(found, _ANOTHER))
    if found is None:
        return note(_ABOUT, "no worker was there within the last ten minutes", "see their logs, if any should run")
    now = time.time()
    says = f"a worker{' with this secret' * is_sealed} was there {_ago(found.at, now)}"
    if now - found.at > _AWAY:
        return note(_ABOUT, f"{says}, and none since", "see their logs, if any should run")
    return good(_ABOUT, says)


def _revocations(survey: "Survey") -> Finding:
    found = survey.revocations()
    if isinstance(found, str):
        return wrong(_ABOUT, f"the revocations cannot be read ({found})", _WRITES)
    count, refused = found
    says = f"{count:,} revocation{'' if count == 1 else 's'} in force"
    if not refused:
        return good(_ABOUT, says)
    entries = "entry" if refused == 1 else "entries"
    return wrong(_ABOUT, f"{says}; {refused:,} {entries} beside them that nobody with this secret takes", _WRITES)


def _keys(survey: "Survey", url: str, hard_ttl: float) -> Finding:
    found, now = survey.keys_fetched_at(url), time.time()
    if isinstance(found, str):
        return wrong(_ABOUT, f"keys of {url}: cannot be believed ({found})", _WRITES)
    if found is None:
        return note(_ABOUT, f"keys of {url}: none are shared", "see the logs of the workers, if any should run")
    says = f"keys of {url}: fetched {_ago(found, now)}"
    if now - found >= hard_ttl:
        return note(_ABOUT, f"{says}, too long ago to be taken", "see whether workers run, and reach the team")
    return good(_ABOUT, says)


def _ago(then: float, now: float) -> str:
    return f"{lasting(max(0.0, now - then))} ago"
