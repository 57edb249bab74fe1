"""Where is the configuration written? Keyword arguments, an ``AccessConfig``, a mapping, or the environment: one set
of names."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape

PREFIX = "CFACCESS_"

# What Cloudflare's own samples call the two that must be given ("Validate JWTs").
_ALIASES = {"TEAM_DOMAIN": "team", "POLICY_AUD": "audience"}


def _text(_: str, value: str) -> str:
    return value


def _list(_: str, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _number(key: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ConfigurationError(f"{key}: is {shape(value)}; give a number of seconds") from None


def _integer(key: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ConfigurationError(f"{key}: is {shape(value)}; give a whole number") from None


_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def _boolean(key: str, value: str) -> bool:
    try:
        return _BOOLEANS[value.lower()]
    except KeyError:
        raise ConfigurationError(f"{key}: is {shape(value)}; give true or false") from None


# How the text of a variable becomes the value of its key; keys that hold objects cannot be written there.
_READERS: Mapping[str, Callable[[str, str], object]] = {
    "team": _list,
    "audience": _list,
    "team_url": _text,
    "certs_url": _text,
    "issuer": _text,
    "keys": _text,
    "cookie": _boolean,
    "host_routing": _boolean,
    "leeway": _number,
    "max_age": _number,
    "certificates": _boolean,
    "cold_wait": _number,
    "hard_ttl": _number,
    "unauthenticated_status": _integer,
    "allow_preflight": _boolean,
    "scrub": _list,
    "remote_user": _text,
}
_ONLY_IN_CODE = frozenset({"fetcher", "listeners", "rules"})


def from_environment(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read the variables ``CFACCESS_TEAM``, ``CFACCESS_AUDIENCE``, … into a mapping for ``AccessConfig.from_mapping``.

    Lists are separated by commas; an empty variable counts as absent. ``TEAM_DOMAIN`` and ``POLICY_AUD``, the names of
    Cloudflare's samples, count where ours are absent.

    Args:
        environ: The variables; the process's own by default.

    Raises:
        ConfigurationError: A value that cannot be read, or a variable of our prefix that names no key.
    """
    variables = os.environ if environ is None else environ
    found: dict[str, Any] = {}
    for variable, key in _ALIASES.items():
        if variables.get(variable):
            found[key] = _list(variable, variables[variable])
    for variable, value in variables.items():
        if variable.startswith(PREFIX) and value:
            key = variable.removeprefix(PREFIX).lower()
            if key in _ONLY_IN_CODE:
                raise ConfigurationError(f"{variable}: cannot be said in a variable; configure in code instead")
            found[key] = _READERS.get(key, _text)(variable, value)
    return found


def configure(config: AccessConfig | Mapping[str, Any] | None = None, /, **options: Any) -> AccessConfig:
    """Make one configuration of what a door was given.

    Where neither ``config`` nor ``team`` is given, the environment says what the keywords leave out; where one of them
    is, the environment is not read at all, so that nothing left over there changes what the code says.

    Args:
        config: A ready configuration, or a mapping; nothing goes beside it.
        options: The names of :class:`AccessConfig`.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """
    if config is not None and options:
        raise ConfigurationError(f"{next(iter(options))}: stands beside a ready configuration; put it into that")
    if isinstance(config, AccessConfig):
        return config
    if isinstance(config, Mapping):
        return AccessConfig.from_mapping(config)
    if config is not None:
        raise ConfigurationError(f"config: is {shape(config)}; give an AccessConfig or a mapping")
    if "team" in options:
        return AccessConfig.from_mapping(options, source="the keyword arguments")
    return AccessConfig.from_mapping({**from_environment(), **options}, source="the environment")
