"""How is an emulated team written in a TOML file?

::

    upstream = "http://127.0.0.1:8000"

    [[applications]]
    path = "/admin"
    policies = [{ decision = "allow", include = [{ groups = ["admins"] }] }]

    [[users]]
    email = "alice@example.com"
    groups = ["admins"]

Policies have the form that they have in a configuration of the middleware, and like there may be the path of a JSON
file, as Cloudflare's API gives it. Each mistake is one message that names the file, the table and the key.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any, Final

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.policy_reading import read_policies
from cfaccess_mw.core.references import References
from cfaccess_mw.core.shape import shape
from cfaccess_mw.emulator.applications import Application, audience_for
from cfaccess_mw.emulator.evaluation_urls import EvaluationURLs
from cfaccess_mw.emulator.upstream import Upstream
from cfaccess_mw.emulator.users import ServiceToken, User
from cfaccess_mw.settings import read_json, read_toml

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0}
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smh]))+")
_PART: Final = re.compile(r"([0-9.]+)(ms|[smh])")


def read_file(path: str | PathLike[str], *, session: float | None = None) -> dict[str, Any]:
    """Read a file into the keyword arguments of ``Emulator``.

    Args:
        path: The file; paths in it are relative to it.
        session: Seconds for applications that do not say otherwise, instead of the file's own.

    Raises:
        ConfigurationError: Names the file, the table and the key.
    """
    file = _File(path=Path(path), policy_references=None)
    document = read_toml(file.path)
    references = file.references(document.pop("references", None))
    file = _File(path=file.path, policy_references=references)
    found = _table(file, str(file.path), document, _TOP)
    said, policies = found.pop("session", None), found.pop("policies", None)
    session = said if session is None else session
    if policies is not None and "applications" in document:
        raise ConfigurationError(
            f"{file.path}: policies: stand beside applications, which inherit nothing; "
            "write them as [[applications.policies]]"
        )
    applications = found.pop("applications", [{} if policies is None else {"policies": policies}])
    if session is not None:
        applications = [{"session": session, **application} for application in applications]
    built = []
    for at, application in enumerate(applications, start=1):
        built.append(_said(f"{file.path}: [[applications]] number {at}", _application, application))
    return {**found, "applications": built}


def read_seconds(value: object) -> float:
    """Read a duration: a number of seconds, or Cloudflare's form such as ``"24h"`` or ``"2h45m"``.

    Raises:
        ConfigurationError: It is neither.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ConfigurationError(f"is {shape(value)}; give a number of seconds, or a duration such as '24h'")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """The file, and what the ids in its policies stand for."""

    path: Path
    policy_references: Mapping[str, Any] | None

    def document(self, value: object) -> object:
        """Return a value, or what stands in the JSON file that it names."""
        if not isinstance(value, str):
            return value
        if not value.endswith(".json"):
            raise ConfigurationError(f"is {shape(value)}; give the path of a .json file, or write it out")
        return read_json(self.path.parent / value)

    def references(self, given: object) -> Mapping[str, Any] | None:
        """Read what ids stand for."""
        try:
            document = self.document(given)
            if isinstance(document, Mapping):
                document = {name: self.document(section) for name, section in document.items()}
            References.from_mapping(document)  # type: ignore[arg-type]  # which it checks
        except ConfigurationError as mistake:
            text = str(mistake).removeprefix("references: ")
        else:
            return document  # type: ignore[return-value]  # which was checked
        raise ConfigurationError(f"{self.path}: references: {text}")


_Read = Callable[[_File, str, Any], object]


def _of(kind: type, wanted: str) -> _Read:
    """Return the reader of values of one type."""

    def read(_: _File, where: str, value: object) -> object:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ConfigurationError(f"{where}: is {shape(value)}; give {wanted}")
        return value

    return read


def _texts(_: _File, where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigurationError(f"{where}: is {shape(value)}; give a list of texts")
    return tuple(value)


def _seconds(_: _File, where: str, value: object) -> object:
    return _said(where, read_seconds, value)


def _groups(_: _File, where: str, value: object) -> tuple[object, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str | dict) for one in value):
        raise ConfigurationError(f"{where}: is {shape(value)}; give a list of names, or of tables with id and name")
    return tuple(value)


def _policies(file: _File, where: str, value: object) -> object:
    try:
        return read_policies(file.document(value), file.policy_references)
    except ConfigurationError as mistake:
        text = str(mistake).removeprefix("policies: ")
    raise ConfigurationError(f"{where}: {text}")


def _upstream(_: _File, where: str, value: object) -> object:
    if not isinstance(value, str):
        raise ConfigurationError(f"{where}: is {shape(value)}; give 'http://host:port'")
    return _said(where, Upstream.parse, value)


def _tables(keys: Mapping[str, _Read], build: Callable[[dict[str, Any]], object]) -> _Read:
    """Return the reader of a list of tables, each of which becomes an object."""

    def read(file: _File, where: str, value: object) -> list[object]:
        path, name = where.rsplit(": ", 1)
        if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
            raise ConfigurationError(f"{where}: is {shape(value)}; write a table [[{name}]] for each")
        found = []
        for at, table in enumerate(value, start=1):
            place = f"{path}: [[{name}]] number {at}"
            found.append(_said(place, build, _table(file, place, table, keys)))
        return found

    return read


_TEXT: Final = _of(str, "a text")
_FLAG: Final = _of(bool, "true or false")
_TABLE: Final = _of(dict, "a table")


def _evaluation(_: _File, where: str, value: object) -> EvaluationURLs:
    if not isinstance(value, dict) or value.keys() != {"evaluate_url", "keys_url"}:
        raise ConfigurationError(f'{where}: is {shape(value)}; write {{ evaluate_url = "…", keys_url = "…" }}')
    found: EvaluationURLs = _said(where, lambda urls: EvaluationURLs(**urls), value)
    return found


_APPLICATION: Final[Mapping[str, _Read]] = {
    "audience": _TEXT,
    "binding_cookie": _FLAG,
    "external_evaluation": _evaluation,
    "host": _TEXT,
    "http_only": _FLAG,
    "name": _TEXT,
    "path": _TEXT,
    "path_cookie": _FLAG,
    "policies": _policies,
    "preflight_bypass": _FLAG,
    "public": _texts,
    "same_site": _TEXT,
    "service_auth_401": _FLAG,
    "service_token_header": _TEXT,
    "session": _seconds,
    "upstream": _upstream,
}
_USER: Final[Mapping[str, _Read]] = {
    "country": _TEXT,
    "custom": _TABLE,
    "email": _TEXT,
    "groups": _groups,
    "ip": _TEXT,
    "name": _TEXT,
    "profile": _TABLE,
}
_SERVICE_TOKEN: Final[Mapping[str, _Read]] = {
    "client_id": _TEXT,
    "client_secret": _TEXT,
    "enabled": _FLAG,
    "name": _TEXT,
}
_CREDENTIALS: Final = ("client_id", "client_secret")
_TOP: Final[Mapping[str, _Read]] = {
    "applications": _tables(_APPLICATION, dict),
    "country": _TEXT,
    "fault": _TABLE,
    "ip": _TEXT,
    "policies": _policies,
    "port": _of(int, "a port"),
    "rotate_every": _seconds,
    "service_tokens": _tables(_SERVICE_TOKEN, lambda table: ServiceToken(**_needing(table, *_CREDENTIALS))),
    "session": _seconds,
    "strict": _FLAG,
    "team": _TEXT,
    "team_host": _TEXT,
    "upstream": _TEXT,
    "users": _tables(_USER, lambda table: User(**_needing(table, "email"))),
}


def _table(file: _File, where: str, table: Mapping[str, Any], keys: Mapping[str, _Read]) -> dict[str, Any]:
    for name in table:
        if name not in keys:
            near = get_close_matches(name, keys, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(keys)}"
            raise ConfigurationError(f"{where}: {name[:64]!r} is not known here; {mend}")
    return {name: keys[name](file, f"{where}: {name}", value) for name, value in table.items()}


def _needing(table: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        if name not in table:
            raise ConfigurationError(f"{name}: is missing; give it as a text")
    return table


def _application(table: dict[str, Any]) -> Application:
    host, path = table.get("host"), table.get("path", "/")
    # one that stays the same from run to run, and is no other application's
    name = f"{host or ''}{path}".removesuffix("/") or "Application"
    return Application(**{"audience": audience_for(host, path), "name": name, **table})


def _said(where: str, read: Callable[[Any], Any], value: object) -> Any:
    """Make something of a value; a mistake names its place."""
    try:
        return read(value)
    except ConfigurationError as mistake:
        text = str(mistake)
    raise ConfigurationError(f"{where}: {text.removeprefix(where.rpartition(': ')[2] + ': ')}")
