"""What do the settings say?"""

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from cfaccess_mw import Rule

# The team and the audience come from the environment.
CFACCESS = {
    "rules": [
        Rule.public("/healthz"),
        Rule.allow("/staff", groups=["admins"]),
    ],
}

# Whoever comes through Access is a Django user, and the members of one group run the admin.
CFACCESS_USERS = {
    "create": True,
    "is_staff": ["admins"],
    "is_superuser": ["admins"],
}

INSTALLED_APPS = [
    "cfaccess_mw.contrib.django.admin_app.AccessAdminConfig",  # in place of "django.contrib.admin"
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "cfaccess_mw.contrib.django",
]

MIDDLEWARE = [
    "cfaccess_mw.contrib.django.middleware.AccessMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "cfaccess_mw.contrib.django.middleware.AccessUserMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

AUTHENTICATION_BACKENDS = ["cfaccess_mw.contrib.django.backends.AccessBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
STATIC_URL = "static/"
USE_TZ = True

# A project of yours has a key that stays, and the names under which it is served.
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or secrets.token_hex(32)
ALLOWED_HOSTS = ["*"]

# And a database that stays: this one is gone when the process ends.
FOLDER = Path(tempfile.mkdtemp(prefix="cfaccess-example-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db.sqlite3"}}

TEMPLATES = [
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
]
