"""Django behind the ASGI door."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.handlers.asgi import ASGIHandler

from cfaccess_mw.asgi import AccessMiddleware
from tests.conformance.applications.django import project
from tests.servers.apps.behind import behind


@contextmanager
def make(variant: str) -> Iterator[Any]:
    """The application."""
    with project(urls="tests.servers.apps.django_urls"):
        yield behind(AccessMiddleware, ASGIHandler(), variant)
