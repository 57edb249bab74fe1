"""The settings for Django's ``runserver``, which runs the same applications as every other server."""

from tests.conformance.applications import django_settings

globals().update(django_settings.SETTINGS)

WSGI_APPLICATION = "tests.servers.apps.switchboard.wsgi"
SILENCED_SYSTEM_CHECKS = ["cfaccess.E001"]
