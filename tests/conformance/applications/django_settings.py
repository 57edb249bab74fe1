"""What do Django's settings say in a process that has no others?"""

from typing import Any, Final

SETTINGS: Final[dict[str, Any]] = {
    "SECRET_KEY": "not one",
    "ALLOWED_HOSTS": ["*"],
    "INSTALLED_APPS": ["cfaccess_mw.contrib.django"],
    "MIDDLEWARE": ["cfaccess_mw.contrib.django.middleware.AccessMiddleware"],
    "ROOT_URLCONF": "tests.conformance.applications.django_urls",
    "LOGGING_CONFIG": None,
}
