"""Through which doors and frameworks does every row go?"""

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from cfaccess_mw import asgi, wsgi
from tests.conformance.row import Row

_APPLICATIONS: Final = "tests.conformance.applications"

WEBSOCKETS: Final = "websockets"
DENIAL: Final = "denial"
REFUSING: Final = "refusing handlers"
HEAD: Final = "head"
FILES: Final = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A framework, protected in one of the ways that there are.

    Attributes:
        name: What its tests are called.
        interface: ``asgi`` or ``wsgi``.
        package: What has to be installed, by the name of its import.
        make: Module and function that make the application of its options.
        has: What not every subject has: ``websockets``, ``denial`` (refusing one with a whole response), ``refusing
            handlers``, ``head`` (its GET handlers answer HEAD), ``files`` (it serves static files).
        mounts: Whether it is another application that mounts the protected one at ``/api``.
    """

    name: str
    interface: str
    package: str
    make: str
    has: frozenset[str] = frozenset()
    mounts: bool = False

    def __str__(self) -> str:
        """The name."""
        return self.name

    def takes(self, row: Row) -> bool:
        """Whether a row can be sent to it."""
        return row.needs <= {*self.has, self.interface} and (bool(row.mount) or not self.mounts)

    @property
    def is_installed(self) -> bool:
        """Whether its framework is."""
        return importlib.util.find_spec(self.package) is not None

    @contextmanager
    def running(self, options: dict[str, Any]) -> Iterator[Any]:
        """Make the application, and use it until the block ends.

        Args:
            options: Of its door.
        """
        module, _, name = self.make.partition(":")
        made = getattr(importlib.import_module(f"{_APPLICATIONS}.{module}"), name)(options)
        if isinstance(made, AbstractContextManager):
            with made as application:
                yield application
        else:
            yield made


def behind(application: Any, interface: str, doors: int, options: dict[str, Any]) -> Any:
    """An application behind further doors.

    Args:
        application: It; it has a door already.
        interface: ``asgi`` or ``wsgi``.
        doors: How many it shall have.
        options: Of every door.
    """
    middleware: Any = asgi.AccessMiddleware if interface == "asgi" else wsgi.AccessMiddleware
    for _ in range(doors - 1):
        application = middleware(application, **options)
    return application


def _asgi(name: str, package: str, make: str, *has: str, mounts: bool = False) -> Subject:
    return Subject(name=name, interface="asgi", package=package, make=make, has=frozenset(has), mounts=mounts)


def _wsgi(name: str, package: str, make: str, *has: str, mounts: bool = False) -> Subject:
    return Subject(name=name, interface="wsgi", package=package, make=make, has=frozenset(has), mounts=mounts)


SUBJECTS: Final = (
    _asgi("asgi", "starlette", "bare_asgi:door", WEBSOCKETS, DENIAL, HEAD),
    _asgi("starlette", "starlette", "starlette:door", WEBSOCKETS, DENIAL, REFUSING, HEAD, FILES),
    _asgi("starlette-backend", "starlette", "starlette:backend", WEBSOCKETS, REFUSING, HEAD, FILES),
    _asgi(
        "starlette-mounting", "starlette", "starlette:mounting", WEBSOCKETS, DENIAL, REFUSING, HEAD, FILES, mounts=True
    ),
    _asgi("fastapi", "fastapi", "fastapi:door", WEBSOCKETS, DENIAL, REFUSING, FILES),
    _asgi("fastapi-mounting", "fastapi", "fastapi:mounting", WEBSOCKETS, DENIAL, REFUSING, FILES, mounts=True),
    _asgi("litestar", "litestar", "litestar:protected", WEBSOCKETS, DENIAL, REFUSING, FILES),
    _asgi("litestar-door", "litestar", "litestar:door", WEBSOCKETS, DENIAL, REFUSING, FILES),
    _asgi("quart", "quart", "quart:protected", WEBSOCKETS, DENIAL, REFUSING, HEAD, FILES),
    _asgi("django-asgi", "django", "django:over_asgi", REFUSING, HEAD, FILES),
    _asgi("django-asgi-door", "django", "django:behind_asgi", HEAD, FILES),
    _wsgi("wsgi", "starlette", "bare_wsgi:door", HEAD),
    _wsgi("flask", "flask", "flask:protected", REFUSING, HEAD, FILES),
    _wsgi("flask-door", "flask", "flask:door", HEAD, FILES),
    _wsgi("flask-mounting", "flask", "flask:mounting", REFUSING, HEAD, FILES, mounts=True),
    _wsgi("django-wsgi", "django", "django:over_wsgi", REFUSING, HEAD, FILES),
    _wsgi("django-wsgi-door", "django", "django:behind_wsgi", HEAD, FILES),
    _wsgi("bottle", "bottle", "others:bottle", HEAD, FILES),
    _wsgi("falcon", "falcon", "others:falcon", FILES),
    _wsgi("pyramid", "pyramid", "others:pyramid", HEAD, FILES),
)
