"""What do the settings say? Read once a process, and again where a test changes them.

``CFACCESS`` configures the door: a mapping of the names of :class:`~cfaccess_mw.AccessConfig`, an ``AccessConfig``, or
the path of a ``.toml`` file. Without it the environment does, and what it leaves out where it has no ``team``.

``CFACCESS_USERS`` says which Django user somebody is: a mapping of the names of :class:`Users`.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal, cast

from django.conf import settings

from cfaccess_mw.contrib.django.doors import Doors
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.settings import configure

DOOR: Final = "CFACCESS"
USERS: Final = "CFACCESS_USERS"
KNOWN: Final = frozenset({DOOR, USERS})

_CHOICES: Final[Mapping[str, tuple[object, ...]]] = {
    "key": ("email", "id"),
    "create": (True, False),
    "absence": ("end", "ignore"),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """Which Django user is somebody who came through Access?

    Args:
        key: By what people are known: ``"email"``, compared without regard to the case of ASCII letters, or ``"id"``,
            the ``sub`` of their token. An e-mail address can be given to somebody else, and must not be a field that
            users change themselves; a ``sub`` cannot, but a person who is removed from Access and added again gets
            another.
        field: In which field of the user model the key stands; for an e-mail address the model's ``EMAIL_FIELD``, for
            an id its ``USERNAME_FIELD``.
        create: Whether people who are nobody yet become users, without a password and without any right.
        groups: Django groups by the Access groups whose members are in them, one name or several. Of nothing but these
            Django groups anybody is made a member, or ceases to be one.
        is_staff: The Access groups whose members are staff, and nobody else is; where empty, nothing is changed.
        is_superuser: The same for superusers.
        services: Usernames by the Client IDs of service tokens; other services are no user.
        absence: What becomes of the session of somebody who comes without identity, which is possible on public paths
            only: ``"end"`` it, or ``"ignore"`` it for that request. Choose the second where pages that Access lets
            everybody see lie among the others.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """

    key: Literal["email", "id"] = "email"
    field: str | None = None
    create: bool = False
    groups: Mapping[str, str | Iterable[str]] = dataclasses.field(default_factory=dict)
    is_staff: str | Iterable[str] = ()
    is_superuser: str | Iterable[str] = ()
    services: Mapping[str, str] = dataclasses.field(default_factory=dict)
    absence: Literal["end", "ignore"] = "end"

    # What is read; derived, never given.
    django_groups: Mapping[str, frozenset[str]] = dataclasses.field(init=False)
    flags: Mapping[str, frozenset[str]] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Validate everything."""
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if not any(type(value) is type(choice) and value == choice for choice in choices):
                raise ConfigurationError(f"{name}: is {shape(value)}; give {' or '.join(map(repr, choices))}")
        if self.field is not None:
            _text("field", self.field, mend="give the name of a field of the user model")
        for client_id, username in _mapping("services", self.services).items():
            _text(f"services: the value of {client_id[:64]!r}", username, mend="give a username")
        groups = {access: _names("groups", named) for access, named in _mapping("groups", self.groups).items()}
        flags = {name: _names(name, getattr(self, name)) for name in ("is_staff", "is_superuser")}
        object.__setattr__(self, "django_groups", groups)
        object.__setattr__(self, "flags", {name: who for name, who in flags.items() if who})

    @property
    def reads_groups(self) -> bool:
        """Whether somebody's groups have to be looked up when they sign in."""
        return bool(self.django_groups or self.flags)

    @classmethod
    def from_mapping(cls, mapping: object) -> "Users":
        """Read what ``CFACCESS_USERS`` holds.

        Raises:
            ConfigurationError: As the class itself; an unknown key is one, and names the nearest known one.
        """
        if not isinstance(mapping, Mapping):
            raise ConfigurationError(f"{USERS}: is {shape(mapping)}; give a mapping of names to values")
        known = [known.name for known in dataclasses.fields(cls) if known.init]
        for name in mapping:
            if name not in known:
                near = get_close_matches(str(name), known, n=1)
                mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                raise ConfigurationError(f"{str(name)[:64]}: is not a key of {USERS}; {mend}")
        return cls(**mapping)


@functools.cache
def doors() -> Doors:
    """The doors that the settings configure.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """
    return Doors(read_config())


@functools.cache
def users() -> Users:
    """Which Django user somebody is.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """
    return Users.from_mapping(getattr(settings, USERS, {}))


def read_config() -> AccessConfig:
    """The configuration of the door, as the settings and the environment say it now.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """
    given: object = getattr(settings, DOOR, None)
    if not isinstance(given, Mapping):
        return configure(cast("Any", given))
    if "team" in given or not all(isinstance(name, str) for name in given):
        return AccessConfig.from_mapping(given, source=DOOR)
    return configure(**given)


def forget(*, setting: str, **_: object) -> None:
    """Read a setting anew when it is asked for next; for the signal ``setting_changed``."""
    if setting == DOOR and doors.cache_info().currsize:
        doors().close()
        doors.cache_clear()
    if setting == USERS:
        users.cache_clear()


def _mapping(key: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{key}: is {shape(value)}; give a mapping of names to names")
    for name in value:
        _text(f"{key}: a name", name, mend="give text")
    return value


def _names(key: str, value: object) -> frozenset[str]:
    mend = "give the name of a group, or several"
    if isinstance(value, bytes | Mapping) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{key}: is {shape(value)}; {mend}")
    names = frozenset({value} if isinstance(value, str) else value)
    for name in names:
        _text(f"{key}: a name", name, mend=mend)
    return cast("frozenset[str]", names)


def _text(key: str, value: object, *, mend: str) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{key}: is {shape(value)}; {mend}")
