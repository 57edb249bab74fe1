"""What do the variables of the environment say that somebody may not mean?"""

from collections.abc import Iterator, Mapping
from typing import Final

from cfaccess_mw.cli.findings import Finding, good, note, wrong
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.team import read_team

_ABOUT: Final = "environment"
_PREFIX: Final = "CFACCESS_"
_FILE: Final = "CFACCESS_CONFIG"

# The names of Cloudflare's samples, and ours, which count more.
_ALIASES: Final = (("TEAM_DOMAIN", "CFACCESS_TEAM"), ("POLICY_AUD", "CFACCESS_AUDIENCE"))

# Beginnings that look like ours, and are nobody's.
_NEAR: Final = ("CF_ACCESS_", "CLOUDFLARE_ACCESS_", "CFACESS_", "CFACCES_", "CFACCESSMW_", "CFACCESS_MW_")
_WORDS: Final = frozenset(
    {"TEAM", "AUD", "AUDIENCE", "TEAM_DOMAIN", "POLICY_AUD", "CONFIG", "TEAM_URL", "ISSUER", "KEYS"}
)

_PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def examine_environment(environ: Mapping[str, str], file: str | None) -> Iterator[Finding]:
    """Look for contradictions; no value is ever shown.

    Args:
        environ: The variables.
        file: What ``--config`` names; the variables count for nothing then.
    """
    ours = sorted(name for name in environ if name.startswith(_PREFIX) or name in dict(_ALIASES))
    said = [name for name in ours if environ[name]]
    if file is not None:
        if said:
            yield note(_ABOUT, f"{', '.join(said)}: not read, since --config is given")
    else:
        yield from _contradictions(environ)
        others = [name for name in said if name != _FILE]
        if _FILE in said and others:
            yield note(_ABOUT, f"{', '.join(others)}: said beside the file of {_FILE}, and wins over it")
        empty = [name for name in ours if not environ[name]]
        if empty:
            yield note(_ABOUT, f"{', '.join(empty)}: empty, which counts as absent", "unset it, or give it a value")
    for name in sorted(environ):
        if any(name.startswith(near) and name.removeprefix(near) in _WORDS for near in _NEAR):
            yield note(_ABOUT, f"{name}: read by nobody here", f"ours begin with {_PREFIX}, such as CFACCESS_TEAM")
    proxy = next((name for name in _PROXIES if environ.get(name)), None)
    if proxy is not None:
        yield note(_ABOUT, f"{proxy}: the team is asked through a proxy")
    if file is None and said:
        yield good(_ABOUT, f"{', '.join(said)}: read")


def _contradictions(environ: Mapping[str, str]) -> Iterator[Finding]:
    for alias, name in _ALIASES:
        theirs, own = environ.get(alias), environ.get(name)
        if theirs and own:
            if _meaning(alias, theirs) == _meaning(alias, own):
                yield note(_ABOUT, f"{alias} and {name}: both say the same", f"unset {alias}")
            else:
                yield wrong(_ABOUT, f"{alias} and {name}: differ, and only {name} counts", f"unset {alias}")


def _meaning(alias: str, value: str) -> str:
    if alias != "TEAM_DOMAIN":
        return value
    try:
        return read_team(value, team_url=None, certs_url=None, issuer=None).domain
    except ConfigurationError:
        return value
