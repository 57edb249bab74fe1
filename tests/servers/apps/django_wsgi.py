"""Django behind the WSGI door."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.handlers.wsgi import WSGIHandler

from cfaccess_mw.wsgi import AccessMiddleware
from tests.conformance.applications.django import project
from tests.servers.apps.behind import behind


@contextmanager
def make(variant: str) -> Iterator[Any]:
    """The application."""
    with project(urls="tests.servers.apps.django_urls"):
        yield behind(AccessMiddleware, WSGIHandler(), variant)
