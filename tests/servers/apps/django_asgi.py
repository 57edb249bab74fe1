"""Django behind the ASGI door."""

from django.core.handlers.asgi import ASGIHandler

from cfaccess_mw.asgi import AccessMiddleware
from tests.servers.apps import behind
from tests.servers.apps.django_urls import configure

configure()
bare = ASGIHandler()
app = bare if behind.NAKED else AccessMiddleware(bare, rules=behind.RULES)
