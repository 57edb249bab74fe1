"""What in the settings does not fit together?

The ids are stable: ``SILENCED_SYSTEM_CHECKS = ["cfaccess.E003"]`` silences one for good.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name
from django.core.exceptions import FieldDoesNotExist
from django.utils.module_loading import import_string

from cfaccess_mw.contrib.django import conf
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.wire.refusals import refusals_of

_PACKAGE: Final = "cfaccess_mw.contrib.django"
MIDDLEWARE: Final = f"{_PACKAGE}.middleware.AccessMiddleware"
USER_MIDDLEWARE: Final = f"{_PACKAGE}.middleware.AccessUserMiddleware"
BACKEND: Final = f"{_PACKAGE}.backends.AccessBackend"
_DRF: Final = f"{_PACKAGE}.drf.AccessAuthentication"
_AUTHENTICATION: Final = "django.contrib.auth.middleware.AuthenticationMiddleware"
_REMOTE_USER: Final = "django.contrib.auth.middleware.RemoteUserMiddleware"
_OF_AUTH: Final = frozenset({_AUTHENTICATION, _REMOTE_USER, BACKEND})

# Nothing of the application's is in its answers: redirects to https.
_HARMLESS: Final = frozenset({"django.middleware.security.SecurityMiddleware"})


def check_configuration(**_: object) -> list[CheckMessage]:
    """E001: the door's settings; E008: who is which user; E010: settings that nobody reads."""
    found: list[CheckMessage] = []
    for name, number, read in ((conf.DOOR, 1, _door), (conf.USERS, 8, _users)):
        try:
            read()
        except ConfigurationError as mistake:
            found.append(Error(f"{name}: {mistake}", hint=f"Mend {name} in the settings.", id=f"cfaccess.E{number:03}"))
    unknown = sorted(name for name in dir(settings) if name.startswith(conf.DOOR) and name not in conf.KNOWN)
    found.extend(
        Error(
            f"{name} is a setting that nobody reads.",
            hint=f'Write {conf.DOOR} = {{"{name.removeprefix(f"{conf.DOOR}_").lower()}": …}} instead.',
            id="cfaccess.E010",
        )
        for name in unknown
    )
    return found


def check_middleware(**_: object) -> list[CheckMessage]:
    """E002 to E005: what stands where in ``MIDDLEWARE``."""
    listed = list(settings.MIDDLEWARE)
    door, users, authentication = (_place(path, listed) for path in (MIDDLEWARE, USER_MIDDLEWARE, _AUTHENTICATION))
    found: list[CheckMessage] = []
    if door is None:
        found.append(
            Error(
                "AccessMiddleware is not in MIDDLEWARE: nothing is protected.",
                hint=f"Put {MIDDLEWARE!r} first.",
                id="cfaccess.E002",
            )
        )
    found.extend(
        Error(
            f"{path} stands before AccessMiddleware, and can answer or be deceived before it.",
            hint=f"Put {MIDDLEWARE!r} first; only Django's SecurityMiddleware may stand before it."
            " CORS preflights pass with allow_preflight, static files with Rule.public.",
            id="cfaccess.E003",
        )
        for path in listed[: door or 0]
        if path not in _HARMLESS
    )
    remote = _place(_REMOTE_USER, listed)
    if remote is not None:
        found.append(
            Error(
                f"{listed[remote]} takes the user from REMOTE_USER, which on ASGI servers is a header of the client's.",
                hint=f"Use {USER_MIDDLEWARE!r} instead, which asks the verified identity.",
                id="cfaccess.E004",
            )
        )
    if users is not None and (authentication is None or users < authentication):
        found.append(
            Error(
                "AccessUserMiddleware does not stand after AuthenticationMiddleware, which it needs.",
                hint=f"Put {USER_MIDDLEWARE!r} right after {_AUTHENTICATION!r}.",
                id="cfaccess.E005",
            )
        )
    return found


def check_backend(**_: object) -> list[CheckMessage]:
    """E006 and W007: the middleware and the backend go together; E009 and E011: what the user model has to have."""
    users = _place(USER_MIDDLEWARE, list(settings.MIDDLEWARE))
    backend = _place(BACKEND, list(settings.AUTHENTICATION_BACKENDS)) if users is not None or _names_backend() else None
    found: list[CheckMessage] = []
    if users is not None and backend is None:
        found.append(
            Error(
                "AccessUserMiddleware has no AccessBackend to ask, so that everybody stays anonymous.",
                hint=f"Put {BACKEND!r}, or a subclass, into AUTHENTICATION_BACKENDS.",
                id="cfaccess.E006",
            )
        )
    if backend is not None and users is None and _DRF not in _drf_classes():
        found.append(
            Warning(
                "AccessBackend is in AUTHENTICATION_BACKENDS, and nothing asks it.",
                hint=f"Put {USER_MIDDLEWARE!r} right after {_AUTHENTICATION!r}.",
                id="cfaccess.W007",
            )
        )
    if backend is not None:
        found.extend(_check_user_model())
    return found


def check_emulator(**_: object) -> list[CheckMessage]:
    """W021: what is meant for a laptop, where ``DEBUG`` says that this is none."""
    config = _config()
    if config is None or settings.DEBUG:
        return []
    urls = [url for team in config.teams for url in (team.base_url, team.certs_url)]
    if not any(url.startswith("http://") for url in urls):
        return []
    return [
        Warning(
            "The keys come from this machine, as an emulator's do: whoever runs that says who comes in.",
            hint="Leave out team_url and certs_url, or set DEBUG = True on a laptop.",
            id="cfaccess.W021",
        )
    ]


def check_hosts(**_: object) -> list[CheckMessage]:
    """E012: the host that the rules look at is not the one that Django serves."""
    config = _config()
    if config is None or not settings.USE_X_FORWARDED_HOST or not any(rule.hosts for rule in config.ruleset):
        return []
    return [
        Error(
            "The rules name hosts and look at Host, but USE_X_FORWARDED_HOST has Django serve another one that the"
            " client may name.",
            hint="Leave out USE_X_FORWARDED_HOST: Cloudflare hands the Host on.",
            id="cfaccess.E012",
        )
    ]


def check_report_only(**_: object) -> list[CheckMessage]:
    """W020: what is meant for a while (``manage.py check --deploy``)."""
    config = _config()
    if config is None or not (config.report_only or any(rule.report_only for rule in config.ruleset)):
        return []
    return [
        Warning(
            "report_only is on: what it covers is open to everybody.",
            hint="Take it off once the log tells of no refusal that is a surprise.",
            id="cfaccess.W020",
        )
    ]


Check = Callable[..., list[CheckMessage]]
CHECKS: Final[tuple[Check, ...]] = (
    check_configuration,
    check_middleware,
    check_backend,
    check_emulator,
    check_hosts,
)
DEPLOYMENT_CHECKS: Final[tuple[Check, ...]] = (check_report_only,)


def _config() -> AccessConfig | None:
    """The door's configuration; None where E001 says what is wrong with it."""
    try:
        return conf.read_config()
    except ConfigurationError:
        return None


def _door() -> None:
    """All that a door reads when it is made, without holding any keys."""
    refusals_of(conf.read_config())


def _users() -> conf.Users:
    return conf.Users.from_mapping(getattr(settings, conf.USERS, {}))


def _check_user_model() -> Iterator[CheckMessage]:
    try:
        users = _users()
    except ConfigurationError:
        return  # E008 says so
    model = get_user_model()
    default = model.USERNAME_FIELD if users.key == "id" else model.get_email_field_name()
    name = users.field or default
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        yield Error(
            f"CFACCESS_USERS: field: {model._meta.label} has no field {name!r}, in which the {users.key} would stand.",
            hint="Name a field of the user model.",
            id="cfaccess.E011",
        )
        return
    # Two users of one address are both refused, and Django's own model lets them be.
    unique = field.unique or any(constraint.fields == (name,) for constraint in model._meta.total_unique_constraints)
    if not unique and users.field is not None:
        yield Error(
            f"CFACCESS_USERS: field: {model._meta.label}.{name} is not unique: two users could be the same person.",
            hint="Make the field unique, or name one that is.",
            id="cfaccess.E009",
        )
    lacking = [flag for flag in users.flags if not _has(model, flag)]
    if users.django_groups and not _has(model, "groups"):
        lacking.append("groups")
    for flag in lacking:
        yield Error(
            f"CFACCESS_USERS: {flag}: {model._meta.label} has no field {flag!r}.",
            hint=f"Leave {flag} out of CFACCESS_USERS.",
            id="cfaccess.E011",
        )


def _has(model: Any, name: str) -> bool:
    return any(field.name == name for field in model._meta.get_fields())


def _names_backend() -> bool:
    """Whether a backend beside Django's own is listed; the others are not imported for nothing."""
    return any(not path.startswith("django.") for path in settings.AUTHENTICATION_BACKENDS)


def _drf_classes() -> list[str]:
    return list((getattr(settings, "REST_FRAMEWORK", None) or {}).get("DEFAULT_AUTHENTICATION_CLASSES", ()))


def _place(path: str, listed: list[str]) -> int | None:
    """Where a class, or a subclass, stands among others; what cannot be imported is told by Django itself."""
    if path in listed:
        return listed.index(path)
    if path in _OF_AUTH and not apps.is_installed("django.contrib.auth"):
        return None  # it cannot even be imported
    kind = import_string(path)
    for place, candidate in enumerate(listed):
        try:
            found = import_string(candidate)
        except ImportError:
            continue
        if isinstance(found, type) and issubclass(found, kind):
            return place
    return None
