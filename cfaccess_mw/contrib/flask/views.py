"""Which views of an application are protected, and by what? For the operator; requests are decided elsewhere."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from flask import Flask

from cfaccess_mw.contrib.flask.marks import demands_of, wrapped
from cfaccess_mw.contrib.flask.routes import Routes

if TYPE_CHECKING:
    from werkzeug.routing import Rule as Route

    from cfaccess_mw.contrib.flask.installation import Installation

_UNASKED: Final = frozenset({"HEAD", "OPTIONS"})

# What code calls that finds out by itself who is asking.
_QUESTIONS: Final = frozenset({"authenticate", "get_identity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One route, as far as it is protected in one way.

    Attributes:
        endpoint: Its name.
        methods: Those that are protected in this way, HEAD and OPTIONS aside.
        path: As it is written.
        protection: By what it is protected, in a few words.
        is_open: Whether it, or some path that it answers, is not.
        asks_itself: Whether its code, or a ``before_request`` function, seems to find out who is asking; nobody can say
            what it makes of the answer.
    """

    endpoint: str
    methods: tuple[str, ...]
    path: str
    protection: str
    is_open: bool
    asks_itself: bool


def views_of(app: Flask) -> Iterator[View]:
    """The views of an application that has ``CfAccess``, in the order in which they were registered."""
    ours: Installation = app.extensions["cfaccess"]
    rules = Routes(app, ours.door.protection) if ours.door.protects_all else None
    for route in app.url_map.iter_rules():
        view = app.view_functions.get(route.endpoint)
        if view is None or route.build_only:
            continue
        by_protection: dict[tuple[str, bool, bool], list[str]] = {}
        all_methods = route.methods or {"GET"}
        for method in sorted(all_methods - _UNASKED or all_methods):
            by_protection.setdefault(_protection(app, ours, rules, route, view, method), []).append(method)
        for (protection, is_open, asks), methods in by_protection.items():
            yield View(
                endpoint=route.endpoint,
                methods=tuple(methods),
                path=route.rule,
                protection=protection,
                is_open=is_open,
                asks_itself=asks,
            )


def _protection(
    app: Flask, ours: "Installation", rules: Routes | None, route: "Route", view: Callable[..., Any], method: str
) -> tuple[str, bool, bool]:
    by: list[str] = []
    is_open = True
    if rules is not None:
        said, is_open = rules.required(route, method)
        by.append(said)
    before = _before(app, route.endpoint)
    demands = [one.name for one in demands_of(view, method)]
    for function in before:
        if function in (ours.access.authenticate, ours.demand):
            demands.append("before_request")
        demands += [f"before_request: {one.name}" for one in demands_of(function)]
    if demands:
        return ", ".join((*by, *demands)), False, False
    asks = any(map(_asks, (view, *before)))
    if rules is None:
        by.append("asks by itself" if asks else "open")
    return ", ".join(by), is_open, asks


def _before(app: Flask, endpoint: str) -> list[Callable[..., Any]]:
    """What runs before a view: of the application, and of the blueprints in which it stands."""
    names: list[str | None] = [None]
    blueprint = endpoint.rpartition(".")[0]
    while blueprint:
        names.append(blueprint)
        blueprint = blueprint.rpartition(".")[0]
    return [function for name in names for function in app.before_request_funcs.get(name, ())]


def _asks(function: Callable[..., Any]) -> bool:
    codes = (getattr(one, "__code__", None) for one in wrapped(function))
    return any(isinstance(code, CodeType) and not _QUESTIONS.isdisjoint(code.co_names) for code in codes)
