"""Does the door stand in a project that has neither users nor sessions nor a database?"""

import subprocess
import sys
from pathlib import Path

from cfaccess_mw.emulator.issuer import Issuer

PROJECT = """
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["cfaccess_mw.contrib.django"],
    MIDDLEWARE=["cfaccess_mw.contrib.django.middleware.AccessMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="x",
    CFACCESS={"team": "acme", "audience": "x", "keys": KEYS, "rules": [{"pattern": "/healthz", "access": "public"}]},
)
urlpatterns = [path("healthz", lambda request: HttpResponse("ok"))]
django.setup()
"""

QUESTIONS = """
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client

assert run_checks(include_deployment_checks=True) is not None
assert not [message for message in run_checks() if message.id.startswith("cfaccess")]
call_command("cfaccess", "urls")
call_command("cfaccess", "rules")
print(Client().get("/healthz").status_code, Client().get("/").status_code)
"""


def test_a_project_needs_neither_users_nor_sessions(alone: Path, team: Issuer) -> None:
    keys = f"KEYS = {team.certs()!r}\n"
    command = [sys.executable, "-W", "error", "-c", keys + PROJECT + QUESTIONS]
    ended = subprocess.run(command, cwd=alone, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "200 401"
