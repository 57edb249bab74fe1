"""Where is the configuration written? Keyword arguments, an ``AccessConfig``, a mapping, the environment, or a TOML
file: one set of names."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.recording import beside, read_recording_text
from cfaccess_mw.core.rules import Rule
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
    "trusted_peers": _list,
    "certificate_headers": _boolean,
    "report_only": _boolean,
    "close_on_expiry": _boolean,
    "host_routing": _boolean,
    "leeway": _number,
    "max_age": _number,
    "certificates": _boolean,
    "cold_wait": _number,
    "hard_ttl": _number,
    "revalidate_every": _number,
    "fleet": _text,
    "profile_ttl": _number,
    "profile_hard_ttl": _number,
    "unauthenticated_status": _integer,
    "login_redirect": _boolean,
    "refusal_template": _text,
    "allow_preflight": _boolean,
    "scrub": _list,
    "remote_user": _text,
    "audit": read_recording_text,
}
_ONLY_IN_CODE = frozenset({"fetcher", "listeners", "on_refusal", "profile_fetcher", "revoked"})
_NOT_IN_VARIABLES = {
    **dict.fromkeys(_ONLY_IN_CODE, "configure in code instead"),
    **dict.fromkeys(("policies", "references", "rules"), "write a file for CFACCESS_CONFIG, or configure in code"),
}

# What stands for the networks of Cloudflare among the trusted peers.
_CLOUDFLARE = "cloudflare"

_FILE = f"{PREFIX}CONFIG"
_SUFFIX = ".toml"

# What a file may say by the path of another; all of these are relative to the file, wherever the process runs.
_PATHS = ("keys", "refusal_template")


def from_environment(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read the variables ``CFACCESS_TEAM``, ``CFACCESS_AUDIENCE``, … into a mapping for ``AccessConfig.from_mapping``.

    Lists are separated by commas; an empty variable counts as absent. ``TEAM_DOMAIN`` and ``POLICY_AUD``, the names of
    Cloudflare's samples, count where ours are absent. ``CFACCESS_CONFIG`` is the business of :func:`configure`.

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
        if variable.startswith(PREFIX) and variable != _FILE and value:
            key = variable.removeprefix(PREFIX).lower()
            if key in _NOT_IN_VARIABLES:
                raise ConfigurationError(f"{variable}: cannot be said in a variable; {_NOT_IN_VARIABLES[key]}")
            found[key] = _READERS.get(key, _text)(variable, value)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A file, or a table in it, as messages name it and as the paths in it are meant."""

    path: Path
    tables: str = ""

    @property
    def name(self) -> str:
        return f"{self.path}: [{self.tables.rstrip('.')}]" if self.tables else str(self.path)

    def mistake(self, what: object) -> ConfigurationError:
        return ConfigurationError(f"{self.name}: {what}")

    def document(self, key: str, value: object, where: str = "") -> tuple[str, Any]:
        """Return a value and what to call its place; where it is text, it is read from the JSON file so named."""
        if not isinstance(value, str):
            table = f"[[{self.tables}{key}]]" if isinstance(value, list) else f"[{self.tables}{key}]"
            return f"{self.path}: {table}", value
        if not value.endswith(".json"):
            raise ConfigurationError(
                f"{where or self.name}: {key}: is {shape(value)}; give the path of a .json file, or write it out"
            )
        path = self.path.parent / value
        return str(path), read_json(path)


# Characters: all the policies of an account, many times over, and no device that never ends.
_LONGEST_FILE = 16 * 1024 * 1024


def read_json(path: Path) -> Any:
    """Read a JSON file in UTF-8; two members of one name are a mistake, since two readers could keep different ones.

    Raises:
        ConfigurationError: It cannot be read, or is not JSON; nothing of it is shown.
    """
    import json  # noqa: PLC0415 - most applications have no such file

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            raise ConfigurationError(f"{path}: has two members of one name in one object; leave one of them")
        return found

    text = _read(path)
    try:
        return json.loads(text, object_pairs_hook=members)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at line {error.lineno}"
    except RecursionError:
        reason = "it is nested too deep"
    raise ConfigurationError(f"{path}: is not JSON ({reason}); mend the file")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigurationError: It cannot be read, or is not TOML; nothing of it is shown.
    """
    import tomllib  # noqa: PLC0415 - most applications have no such file

    text = _read(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deep"
    raise ConfigurationError(f"{path}: is not TOML ({reason}); mend the file")


def _read(path: Path) -> str:
    """Return the text of a file; some editors begin it with a byte order mark."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_LONGEST_FILE + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        reason = "not UTF-8"
    except ValueError:
        reason = "not a path"
    else:
        if len(text) <= _LONGEST_FILE:
            return text
        reason = f"longer than {_LONGEST_FILE:,} characters"
    raise ConfigurationError(f"{path}: cannot be read ({reason}); give the path of a file in UTF-8")


def from_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML file into a mapping for ``AccessConfig.from_mapping``.

    The names stand at its top; in a ``pyproject.toml`` they stand in ``[tool.cfaccess]``. Where ``policies``, those of
    a rule, ``references`` or a section of them are text, that names a JSON file, as Cloudflare's API gives it. Paths
    are relative to the file.

    Args:
        path: The file; its name ends with ``.toml``.

    Raises:
        ConfigurationError: Names the file, the table and the key.
    """
    source = _Source(path=Path(path))
    given: object = read_toml(source.path)
    if source.path.name == "pyproject.toml":
        source = _Source(path=source.path, tables="tool.cfaccess.")
        for name in ("tool", "cfaccess"):
            given = given.get(name) if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{source.path}: has no table [tool.cfaccess]; write the configuration there")
    known = [field.name for field in fields(AccessConfig) if field.init]
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise source.mistake(f"{name[:64]!r} is not a key of the configuration; {mend}")
        if name in _ONLY_IN_CODE:
            raise source.mistake(f"{name}: cannot be said in a file; configure in code instead")
    found = dict(given)
    for key in _PATHS:
        if isinstance(found.get(key), str) and found[key]:
            found[key] = str(source.path.parent / found[key])
    if "audit" in found:
        found["audit"] = _recording(source, found["audit"])
    references = found["references"] = _references(source, found.get("references"))
    if "rules" in found:
        found["rules"] = _rules(source, found["rules"], references)
    if "policies" in found:
        found["policies"] = _policies(*source.document("policies", found["policies"]), references)
    return found


def _references(source: _Source, given: object) -> Mapping[str, Any] | None:
    if given is None:
        return None
    from cfaccess_mw.core.references import References  # noqa: PLC0415 - see core.rules

    where, document = source.document("references", given)
    if isinstance(document, Mapping) and not isinstance(given, str):
        document = {
            name: source.document(name, section)[1] if isinstance(section, str) else section
            for name, section in document.items()
        }
    if not isinstance(document, Mapping):
        raise ConfigurationError(f"{where}: is {shape(document)}; give a mapping of groups, lists and so on")
    try:
        References.from_mapping(document)
    except ConfigurationError as mistake:
        raise ConfigurationError(f"{where}: {str(mistake).removeprefix('references: ')}") from None
    return document


def _recording(source: _Source, given: object) -> object:
    try:
        return beside(given, source.path.parent)
    except ConfigurationError as mistake:
        raise source.mistake(mistake) from None


def _policies(where: str, document: Any, references: Mapping[str, Any] | None) -> object:
    from cfaccess_mw.core.policy_reading import read_policies  # noqa: PLC0415 - see core.rules

    try:
        return read_policies(document, references)
    except ConfigurationError as mistake:
        raise ConfigurationError(f"{where}: {str(mistake).removeprefix('policies: ')}") from None


def _rules(source: _Source, given: object, references: Mapping[str, Any] | None) -> tuple[Rule, ...]:
    if not isinstance(given, list):
        raise source.mistake(f"rules: is {shape(given)}; write a table [[{source.tables}rules]] for each rule")
    return tuple(_rule(source, at, rule, references) for at, rule in enumerate(given, start=1))


def _rule(source: _Source, at: int, given: Any, references: Mapping[str, Any] | None) -> Rule:
    where = f"{source.path}: [[{source.tables}rules]] number {at}"
    if isinstance(given, Mapping) and isinstance(given.get("policies"), str):
        place, document = source.document("policies", given["policies"], where)
        given = {**given, "policies": _policies(f"{where}: {place}", document, references)}
    try:
        _check_allow(given)
        return Rule.from_mapping(given, references)
    except ConfigurationError as mistake:
        raise ConfigurationError(f"{where}: {str(mistake).removeprefix('rules: ')}") from None


def _check_allow(rule: Any) -> None:
    """Read the conditions of a rule's short form by themselves, so that a mistake in them names their table."""
    allow = rule.get("allow") if isinstance(rule, Mapping) else None
    if not isinstance(allow, Mapping):
        return
    from cfaccess_mw.core.policy_reading import conditions_from  # noqa: PLC0415 - see core.rules

    try:
        conditions_from(**{name: value for name, value in allow.items() if name != "name"})
    except ConfigurationError as mistake:
        raise ConfigurationError(f"allow: {mistake}") from None


def configure(
    config: AccessConfig | Mapping[str, Any] | str | os.PathLike[str] | None = None, /, **options: Any
) -> AccessConfig:
    """Make one configuration of what a door was given.

    Where neither ``config`` nor ``team`` is given, the environment says what the keywords leave out, and the file that
    ``CFACCESS_CONFIG`` names says what the environment leaves out; where one of them is, the environment is not read at
    all, so that nothing left over there changes what the code says.

    Args:
        config: A ready configuration, a mapping, or the path of a ``.toml`` file; nothing goes beside it.
        options: The names of :class:`AccessConfig`.

    Raises:
        ConfigurationError: Names the file, the key, the shape of its value and the mend.
    """
    if config is not None and options:
        raise ConfigurationError(f"{next(iter(options))}: stands beside a ready configuration; put it into that")
    if isinstance(config, AccessConfig):
        return config
    if isinstance(config, Mapping):
        return _made(config)
    if isinstance(config, str | os.PathLike) and os.fspath(config).endswith(_SUFFIX):
        return _from_places(config, {}, source=f"{config}")
    if config is not None:
        raise ConfigurationError(
            f"config: is {shape(config)}; give an AccessConfig or a mapping, or the path of a {_SUFFIX} file"
        )
    if "team" in options:
        return _made(options, source="the keyword arguments")
    said = {**from_environment(), **options}
    file = os.environ.get(_FILE)
    if not file:
        return _made(said, source="the environment")
    if not file.endswith(_SUFFIX):
        raise ConfigurationError(f"{_FILE}: is {shape(file)}; give the path of a {_SUFFIX} file")
    return _from_places(file, said, source=f"the environment or {file}")


def _made(mapping: Mapping[str, Any], **more: str) -> AccessConfig:
    """Make a configuration; among its trusted peers ``cloudflare`` stands for the networks that ship with us."""
    peers = mapping.get("trusted_peers")
    named = (peers,) if isinstance(peers, str) else peers
    if isinstance(named, list | tuple) and _CLOUDFLARE in named:
        each = (_cloudflare() if peer == _CLOUDFLARE else (peer,) for peer in named)
        mapping = {**mapping, "trusted_peers": tuple(network for networks in each for network in networks)}
    return AccessConfig.from_mapping(mapping, **more)


def _cloudflare() -> tuple[str, ...]:
    """The list of ``cfaccess_mw.edge.ranges``; as data, since rooms below may read it too."""
    found = read_json(Path(str(resources.files("cfaccess_mw").joinpath("edge", "cloudflare-ranges.json"))))
    return (*found["ipv4_cidrs"], *found["ipv6_cidrs"])


def _from_places(file: str | os.PathLike[str], said: Mapping[str, Any], *, source: str) -> AccessConfig:
    """Make a configuration of a file and what is said elsewhere; a mistake names the file where it is the file's."""
    found = {**from_file(file), **said}
    try:
        return _made(found, source=source)
    except ConfigurationError as mistake:
        text = str(mistake)
        if text.partition(":")[0] in said or source in text:
            raise
        raise ConfigurationError(f"{file}: {text}") from None
