"""Can the team be reached, are its keys good, and do the clocks agree?"""

import email.utils
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from cfaccess_mw.cli.findings import Finding, good, lacking, mistaken, note, wrong
from cfaccess_mw.cli.key_list import list_keys
from cfaccess_mw.cli.mends import told_of
from cfaccess_mw.cli.mint_key import is_development_kid
from cfaccess_mw.cli.probe import probe
from cfaccess_mw.cli.team_keys import TeamKeys, is_outage
from cfaccess_mw.cli.times import from_now, lasting
from cfaccess_mw.cli.verdict import Verdict
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError, FetchError

_MEND_CLOCK: Final = "set the clock of this machine (NTP)"


def examine_teams(config: AccessConfig, sources: Mapping[str, TeamKeys]) -> Iterator[Finding]:
    """Ask each team for its keys, and look at them.

    Args:
        config: The configuration.
        sources: The keys of each team, by issuer; they are fetched here.
    """
    for keys in sources.values():
        began = time.monotonic()
        try:
            snapshot = keys.snapshot
        except ConfigurationError as mistake:
            yield mistaken("keys", mistake)
            continue
        if keys.failure is not None:
            says, mend = told_of(keys.failure)
            finding = lacking if is_outage(keys.failure) else wrong
            yield finding("keys" if keys.is_given else "team", f"{keys.where}: {says}", mend)
        elif snapshot is not None:
            if not keys.is_given:
                yield good(
                    "team", f"{keys.where}: answers within {max(1, round(1000 * (time.monotonic() - began)))} ms"
                )
            yield from _keys(keys)
            if not keys.is_given:
                yield _clock(keys.where, config.leeway)


def _keys(keys: TeamKeys) -> Iterator[Finding]:
    now = time.time()
    listed = list_keys(keys.document)
    used = [key for key in listed if not key.reason]
    ages = [from_now(key.made_at, now) for key in used if key.made_at is not None]
    made = f", made {' and '.join(ages)}" if ages else ""
    yield good("keys", f"{len(used)} can be used{made}")
    skipped = Counter(key.reason for key in listed if key.reason)
    if skipped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))
        yield note("keys", f"skipped: {reasons}", "see cfaccess keys")
    if any(is_development_kid(key.kid) for key in used):
        yield wrong(
            "keys", "made by cfaccess mint: whoever has that key file may be anyone", "leave keys out in production"
        )


def _clock(url: str, leeway: float) -> Finding:
    """Compare our clock with the ``Date`` of an answer (RFC 9110 section 6.6.1), which counts whole seconds."""
    before = time.time()
    try:
        answer = probe(url, {}, trust=True)
    except FetchError as failure:
        says, mend = told_of(failure)
        return lacking("clock", says, mend)
    after = time.time()
    theirs = _date(answer.headers)
    if theirs is None:
        return note("clock", "the team's answer has no Date to compare with")
    skew = max(0.0, before - theirs - 1, theirs - after)
    if skew == 0:
        return good("clock", "agrees with the team's")
    direction = "ahead of" if before > theirs else "behind"
    says = f"{lasting(max(1, skew))} {direction} the team's"
    if skew > leeway:
        return wrong("clock", f"{says}, more than the leeway of {leeway:g} seconds", _MEND_CLOCK)
    return note("clock", f"{says}, within the leeway of {leeway:g} seconds", _MEND_CLOCK)


def _date(headers: Mapping[str, str]) -> float | None:
    """When the answer was made, and has been lying in a cache since (RFC 9111 section 4.2.3)."""
    try:
        date = email.utils.parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return None
    age = headers.get("age", "")
    return date + (int(age) if age.isascii() and age.isdigit() and len(age) < 9 else 0)


def examine_token(verdict: Verdict) -> Finding:
    """Say what becomes of a token."""
    if verdict.identity is not None:
        return good("token", f"good, of a {verdict.identity.kind}")
    says = "; ".join((f"refused ({verdict.code})", *verdict.remarks))
    if verdict.keys is not None and is_outage(verdict.keys.failure):
        return lacking("token", "right as far as can be seen; its signature cannot be verified now", verdict.mend)
    return wrong("token", says, verdict.mend)
