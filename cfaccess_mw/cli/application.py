"""Which application does ``module:name`` mean, and is it one of ASGI or of WSGI?"""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from cfaccess_mw.core.errors import ConfigurationError

Interface = Literal["asgi", "wsgi"]

# How many arguments an application is called with: environ and start_response, or scope, receive and send.
_BY_ARITY: dict[int, Interface] = {2: "wsgi", 3: "asgi"}


def load_application(spec: str, *, folder: str, factory: bool) -> Callable[..., Any]:
    """Import an application.

    Args:
        spec: ``module:name``; the name may have dots.
        folder: Where modules are looked for first.
        factory: Whether what is so named returns the application.

    Raises:
        ConfigurationError: It cannot be had; the message names the mend.
    """
    module, separator, name = spec.partition(":")
    if not (module and separator and name):
        raise ConfigurationError(f"app: {spec[:64]!r} does not name one; write module:name, such as main:app")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    found: Any = _imported(module, folder)
    for part in name.split("."):
        if not hasattr(found, part):
            near = get_close_matches(part, [one for one in dir(found) if not one.startswith("_")], n=1)
            mend = f"did you mean {near[0]!r}?" if near else "see how it is called there"
            raise ConfigurationError(f"app: {module} has no {part[:64]!r}; {mend}")
        found = getattr(found, part)
    if factory:
        found = _made(spec, found)
    if not callable(found):
        raise ConfigurationError(
            f"app: {spec} is a {type(found).__name__}, and no application; see how it is called there"
        )
    return found  # type: ignore[no-any-return]  # what a user's module holds may be anything that can be called


def _imported(module: str, folder: str) -> object:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        is_itself = error.name is not None and (module == error.name or module.startswith(f"{error.name}."))
        told = "" if is_itself else _told(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module of the user's may do anything
        told = _told(error)
    if told:
        raise ConfigurationError(f"app: importing {module} raised {told}")
    raise ConfigurationError(
        f"app: there is no module {module!r} in {folder}; go to the folder of the application, or name it by --app-dir"
    )


def _made(spec: str, factory: Any) -> object:
    try:
        made = factory()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - likewise
        told = _told(error)
    else:
        if not inspect.iscoroutine(made):
            return made
        made.close()
        told = "nothing, and is a coroutine function; give a plain one"
    raise ConfigurationError(f"app: calling {spec} raised {told}")


def _told(error: BaseException) -> str:
    """What was raised, and where, in place of a traceback."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"


def interface_of(application: Callable[..., Any], spec: str) -> Interface:
    """Say what an application is, by how it is to be called.

    Raises:
        ConfigurationError: Nobody can tell.
    """
    if inspect.isclass(application):
        raise ConfigurationError(f"app: {spec} is a class; give what it makes, or say --factory")
    called = application if inspect.isroutine(application) else type(application).__call__
    if inspect.iscoroutinefunction(called):
        return "asgi"
    found = _BY_ARITY.get(_arity(application))
    if found is not None:
        return found
    if _arity(application) == 0:
        raise ConfigurationError(f"app: {spec} takes no arguments, and so makes an application; say --factory")
    raise ConfigurationError(f"app: {spec} may be either of ASGI or of WSGI; say which by --interface")


def _arity(application: Callable[..., Any]) -> int:
    """How many arguments are needed; -1 where that cannot be seen."""
    try:
        parameters = inspect.signature(application).parameters.values()
    except (TypeError, ValueError):
        return -1
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return -1
    return sum(
        parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.default is parameter.empty
        for parameter in parameters
    )
