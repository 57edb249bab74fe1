"""Django with ``AccessMiddleware``, and behind the doors, over WSGI and over ASGI.

Django's settings are those of a process: of these applications one at a time is made, and used until the block ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from starlette.types import ASGIApp

from cfaccess_mw import asgi, wsgi
from tests.conformance.applications.django_settings import SETTINGS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

if not settings.configured:
    settings.configure(**SETTINGS)
    django.setup()

from django.test import override_settings

from cfaccess_mw.contrib.django import conf

_URLS: Final = "tests.conformance.applications.django_urls"
_ACCESS: Final = "cfaccess_mw.contrib.django.middleware.AccessMiddleware"
_COMMON: Final = "django.middleware.common.CommonMiddleware"


@contextmanager
def project(*middleware: str, urls: str = _URLS, **more: Any) -> Iterator[None]:
    """The settings of the application under test."""
    listed = [*middleware, _COMMON]
    with override_settings(MIDDLEWARE=listed, ROOT_URLCONF=urls, DEBUG=True, APPEND_SLASH=True, **more):
        yield
    conf.forget(setting=conf.DOOR)


@contextmanager
def over_wsgi(options: dict[str, Any]) -> Iterator["WSGIApplication"]:
    """With the middleware."""
    with project(_ACCESS, CFACCESS=options):
        yield WSGIHandler()


@contextmanager
def over_asgi(options: dict[str, Any]) -> Iterator[ASGIApp]:
    """With the middleware."""
    with project(_ACCESS, CFACCESS=options):
        yield ASGIHandler()


@contextmanager
def behind_wsgi(options: dict[str, Any]) -> Iterator["WSGIApplication"]:
    """Behind the door."""
    with project():
        yield wsgi.AccessMiddleware(WSGIHandler(), **options)


@contextmanager
def behind_asgi(options: dict[str, Any]) -> Iterator[ASGIApp]:
    """Behind the door."""
    with project():
        yield asgi.AccessMiddleware(ASGIHandler(), **options)
