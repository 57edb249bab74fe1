"""What do the settings of the project under test say? Tests change them with ``override_settings``."""

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.tokens import AUD

AUTHENTICATION: Final = "django.contrib.auth.middleware.AuthenticationMiddleware"
SESSIONS: Final = "django.contrib.sessions.middleware.SessionMiddleware"
DOOR: Final = "cfaccess_mw.contrib.django.middleware.AccessMiddleware"
USERS: Final = "cfaccess_mw.contrib.django.middleware.AccessUserMiddleware"
BACKEND: Final = "cfaccess_mw.contrib.django.backends.AccessBackend"
MODEL_BACKEND: Final = "django.contrib.auth.backends.ModelBackend"

MIDDLEWARE: Final = [
    DOOR,
    "django.middleware.security.SecurityMiddleware",
    SESSIONS,
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    AUTHENTICATION,
    USERS,
    "django.contrib.messages.middleware.MessageMiddleware",
]

FOLDER: Final = Path(tempfile.mkdtemp(prefix="cfaccess-django-"))
"""Holds the database: one in memory is not seen by the threads that Django asks it from."""

atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

SETTINGS: Final[dict[str, Any]] = {
    "SECRET_KEY": "not one",
    "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
    "ALLOWED_HOSTS": ["*"],
    "ROOT_URLCONF": "tests.contrib.django.urls",
    "INSTALLED_APPS": [
        "cfaccess_mw.contrib.django.admin_app.AccessAdminConfig",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "cfaccess_mw.contrib.django",
        "rest_framework",
        "tests.contrib.django.accounts",
    ],
    "MIDDLEWARE": MIDDLEWARE,
    "CFACCESS": {"team": "acme", "audience": AUD},
    "AUTHENTICATION_BACKENDS": [BACKEND, MODEL_BACKEND],
    "DATABASES": {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FOLDER / "database",
            "OPTIONS": {"init_command": "PRAGMA synchronous = OFF"},
        }
    },
    "MIGRATION_MODULES": dict.fromkeys(("admin", "auth", "contenttypes", "sessions")),
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    "LOGIN_URL": "login",
    "LOGIN_REDIRECT_URL": "/whoami",
    "LOGGING_CONFIG": None,
    "USE_TZ": True,
    "REST_FRAMEWORK": {
        "DEFAULT_AUTHENTICATION_CLASSES": ["cfaccess_mw.contrib.django.drf.AccessAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["cfaccess_mw.contrib.django.drf.IsAccessUser"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    },
}
