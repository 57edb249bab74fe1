"""Where does a client keep the headers that it sends with every request?

Told from its shape: no framework is imported, and what derives from a known client is known too.
"""

import weakref
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape

ASSERTION = "Cf-Access-Jwt-Assertion"
_VARIABLE = "HTTP_CF_ACCESS_JWT_ASSERTION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is put that is sent with every request.

    Attributes:
        sent: What is sent.
        name: What the assertion is called there.
    """

    sent: MutableMapping[str, Any] = field(repr=False)
    name: str


def place_of(client: object) -> Place:
    """Find where a client keeps what it always sends.

    Raises:
        ConfigurationError: Nobody knows.
    """
    for find in _SHAPES:
        if (place := find(client)) is not None:
            return place
    raise ConfigurationError(
        f"client: is {shape(client)}, and where that keeps headers is not known; send kit.headers(…) with each request"
    )


def _has(client: object, *methods: str) -> bool:
    # asked of the class: a property of an object may do anything
    return all(callable(getattr(type(client), method, None)) for method in methods)


def _django(client: object) -> Place | None:
    """Django's clients and request factories, Django REST framework's too; the asynchronous ones want headers."""
    defaults = getattr(client, "defaults", None)
    if not isinstance(defaults, dict) or not _has(client, "generic"):
        return None
    is_async = any("AsyncRequestFactory" in base.__name__ for base in type(client).__mro__)
    return Place(sent=defaults, name=ASSERTION.lower() if is_async else _VARIABLE)


def _flask(client: object) -> Place | None:
    base = getattr(client, "environ_base", None)
    return Place(sent=base, name=_VARIABLE) if isinstance(base, dict) and _has(client, "open") else None


def _webtest(client: object) -> Place | None:
    extra = getattr(client, "extra_environ", None)
    return Place(sent=extra, name=_VARIABLE) if isinstance(extra, dict) and _has(client, "do_request") else None


def _werkzeug(client: Any) -> Place | None:
    """Werkzeug's own client keeps nothing, so its application is told."""
    if not _has(client, "open", "run_wsgi_app"):
        return None
    if not isinstance(client.application, _Told):
        client.application = _Told(client.application)
    return Place(sent=client.application.environ_base, name=_VARIABLE)


def _quart(client: object) -> Place | None:
    return _by_methods(client, "open", "request", "websocket") if _has(client, "open", "websocket") else None


def _falcon(client: object) -> Place | None:
    return _by_methods(client, "simulate_request") if _has(client, "simulate_request") else None


def _headers(client: object) -> Place | None:
    """Clients of httpx and requests, and what derives from them: Starlette's, FastAPI's, Litestar's."""
    if not _has(client, "request", "get"):
        return None
    headers = getattr(client, "headers", None)
    return Place(sent=headers, name=ASSERTION) if isinstance(headers, MutableMapping) else None


_SHAPES: tuple[Callable[[Any], Place | None], ...] = (_django, _flask, _webtest, _werkzeug, _quart, _falcon, _headers)


class _Told:
    """A WSGI application that is told what every request carries."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self._application = application
        self.environ_base: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        return self._application({**self.environ_base, **environ}, start_response)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._application, name)


# What is sent by clients whose methods take headers and keep none.
_sent: "weakref.WeakKeyDictionary[object, dict[str, str]]" = weakref.WeakKeyDictionary()


def _by_methods(client: object, *methods: str) -> Place:
    if client not in _sent:
        sent = _sent[client] = {}
        for method in methods:
            setattr(client, method, _with_headers(getattr(client, method), sent))
    return Place(sent=_sent[client], name=ASSERTION)


def _with_headers(method: Callable[..., Any], sent: Mapping[str, str]) -> Callable[..., Any]:
    def call(*args: Any, headers: Any = None, **kwargs: Any) -> Any:
        return method(*args, headers=_merged(headers, sent) if sent else headers, **kwargs)

    return call


def _merged(headers: Any, sent: Mapping[str, str]) -> list[tuple[str, str]]:
    given = list((headers or {}).items() if hasattr(headers or {}, "items") else headers)
    named = {name.lower() for name, _ in given}
    return [*given, *((name, value) for name, value in sent.items() if name.lower() not in named)]
