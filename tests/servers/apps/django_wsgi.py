"""Django behind the WSGI door."""

from django.core.handlers.wsgi import WSGIHandler

from cfaccess_mw.wsgi import AccessMiddleware
from tests.servers.apps import behind
from tests.servers.apps.django_urls import configure

configure()
bare = WSGIHandler()
app = bare if behind.NAKED else AccessMiddleware(bare, rules=behind.RULES)
