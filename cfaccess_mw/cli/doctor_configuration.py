"""Is this configuration what somebody means who wants to be protected, and do its rules come to anything?"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Final

from cfaccess_mw.cli.findings import Finding, good, mistaken, note, wrong
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.shape import shape
from cfaccess_mw.wire.refusals import refusals_of

_AUD: Final = re.compile(r"[0-9a-f]{64}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OVERVIEW: Final = "copy the Application Audience (AUD) tag of the application's overview"

# What stands for a "*" where a path is tried: something that no other rule names.
_ANYTHING: Final = "cfaccess-doctor"


def examine_configuration(config: AccessConfig, where: str) -> Iterator[Finding]:
    """Look at what was said.

    Args:
        config: The configuration.
        where: Where it stands, for people.
    """
    teams = ", ".join(team.domain for team in config.teams)
    yield good("configuration", f"{where}: valid, for {teams}")
    yield from _audiences({*config.audiences, *(tag for rule in config.ruleset for tag in rule.audience)})
    yield from _openness(config)
    yield from _addresses(config)
    try:
        refusals_of(config)
    except ConfigurationError as mistake:
        yield mistaken("configuration", mistake)


def _audiences(tags: Iterable[str]) -> Iterator[Finding]:
    bad = sorted(tag for tag in tags if not _AUD.fullmatch(tag))
    for tag in bad:
        if _UUID.fullmatch(tag):
            yield wrong("audience", "the id of an application stands there, which is not its AUD tag", _OVERVIEW)
        elif _AUD.fullmatch(tag.lower()):
            yield wrong(
                "audience", "the AUD tag has capital letters, and tokens have small ones", "write small letters"
            )
        else:
            yield wrong("audience", f"{shape(tag)} is no AUD tag, which has 64 hexadecimal characters", _OVERVIEW)
    if not bad:
        yield good("audience", "64 hexadecimal characters, as AUD tags have")


def _openness(config: AccessConfig) -> Iterator[Finding]:
    reporting = [rule.pattern for rule in config.ruleset if rule.report_only]
    if config.report_only or reporting:
        what = "everything" if config.report_only else ", ".join(reporting)
        yield wrong("report_only", f"{what}: refusals are only told", "turn it off once the log is as you expect")
    for entry in config.trusted_peers:
        if entry not in ("loopback", "unix") and ip_network(entry).prefixlen == 0:
            yield wrong("trusted_peers", f"{entry} is everybody, attackers too", "name the proxy's own addresses")
    if config.cookie:
        yield note("cookie", "browsers send it with requests that other sites cause", "protect forms against CSRF")


def _addresses(config: AccessConfig) -> Iterator[Finding]:
    for name in ("team_url", "certs_url", "issuer"):
        if getattr(config, name) is not None:
            yield note(name, "replaces the team's own", "leave it out, unless an emulator or a proxy stands there")
    if config.keys is not None:
        yield note("keys", "given outright: no rotation is noticed", "leave it out in production")


def examine_rules(config: AccessConfig) -> Iterator[Finding]:
    """Try each rule that is to open something; that none ties and each can match, the configuration has seen to."""
    shut = [rule for rule in config.ruleset if _opens(rule) and not _is_open(rule, config)]
    for rule in shut:
        yield wrong(
            "rules",
            f"{rule.pattern!r} never opens anything: its paths can be read in another way, which needs a token",
            f"see cfaccess explain {_path(rule)!r}",
        )
    if not shut:
        count = len(config.ruleset)
        yield good("rules", f"{count or 'no'} rule{'' if count == 1 else 's'}; none ties, and each can match")


def _opens(rule: Rule) -> bool:
    return rule.effective is Access.PUBLIC


def _is_open(rule: Rule, config: AccessConfig) -> bool:
    method = next(iter(rule.methods), "GET")
    host = next(iter(rule.hosts), None)
    return config.table.find(method, _path(rule), None, "", host).may_open


def _path(rule: Rule) -> str:
    """A path that a rule names."""
    return rule.pattern.replace("*", _ANYTHING)
