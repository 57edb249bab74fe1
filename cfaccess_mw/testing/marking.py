"""Who is asking, says a test's marker?"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape

if TYPE_CHECKING:
    from cfaccess_mw.testing.kit import AccessKit

# What each keyword takes, and the mend.
_WHO: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "user": (lambda who: isinstance(who, str) and "@" in who, "an e-mail address"),
    "service": (lambda who: who is True or (isinstance(who, str) and "@" not in who), "True or a Client ID"),
    "anonymous": (lambda who: who is True, "True"),
}


def token_of(kit: "AccessKit", args: tuple[object, ...], kwargs: Mapping[str, Any]) -> str | None:
    """The token of whoever a marker names, or None for nobody.

    Args:
        kit: Mints it.
        args: The marker's.
        kwargs: The marker's.

    Raises:
        ConfigurationError: The marker names more than one, or says what nobody has.
    """
    details = dict(kwargs)
    named = {name: details.pop(name) for name in _WHO if name in details}
    if args or len(named) > 1:
        raise ConfigurationError(f"cfaccess: name one of {', '.join(_WHO)}, by its keyword")
    for name, who in named.items():
        fits, mend = _WHO[name]
        if not fits(who):
            raise ConfigurationError(f"cfaccess: {name} is {shape(who)}; give {mend}")
    if "anonymous" in named:
        if details:
            raise ConfigurationError(f"cfaccess: {next(iter(details))} is of nobody; leave it out")
        return None
    who = next(iter(named.values()), kit.default_user)
    who = kit.default_service if who is True else who
    try:
        return (
            kit.refused(details.pop("refused"), who, **details) if "refused" in details else kit.token(who, **details)
        )
    except TypeError as error:
        mistake = str(error).partition(" ")[2]
    raise ConfigurationError(f"cfaccess: {mistake}; known are the arguments of AccessKit.user and AccessKit.service")
