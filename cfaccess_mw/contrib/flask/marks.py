"""Which demands does a view make? They are marked on its function, so that decorators work in any order.

``@app.route`` registers what it is given. A decorator above it decorates the name only, and what it returns is never
called; so ours marks the function, and whatever that wraps, and the marks are looked up when a request comes.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from cfaccess_mw.contrib.flask.asking import Demand

_MARK: Final = "__cfaccess__"
_DEEPEST: Final = 64  # decorators of one view; some objects have any attribute that they are asked for


def mark(view: Callable[..., Any], demand: Demand) -> None:
    """Mark a view, and what its other decorators wrap.

    A function that is a view of its own under another name demands the same there: nothing tells that from a decorator
    above ``@app.route``.
    """
    for function in wrapped(view):
        target = function.__func__ if inspect.ismethod(function) else function
        if hasattr(target, "__dict__"):  # others cannot have been given to a route by a decorator
            setattr(target, _MARK, (*vars(target).get(_MARK, ()), demand))


def demands_of(view: Callable[..., Any], method: str = "") -> tuple[Demand, ...]:
    """The demands of a view, each once.

    Args:
        view: What is registered for the endpoint, or to run before it.
        method: As sent; a class has views by method.
    """
    found: dict[Demand, None] = {}
    for function in wrapped(view):
        cls = getattr(function, "view_class", None)
        handlers = (getattr(cls, name, None) for name in (method.lower(), "dispatch_request"))
        for marked in (function, *handlers):
            found |= dict.fromkeys(getattr(marked, _MARK, ()))
    return tuple(found)


def wrapped(view: Any) -> Iterator[Any]:
    """A view, what it wraps, what that wraps, and so on."""
    for _ in range(_DEEPEST):
        yield view
        view = view.func if isinstance(view, partial) else getattr(view, "__wrapped__", None)
        if view is None:
            return
