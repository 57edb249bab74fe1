"""A Django project behind Cloudflare Access: its pages, and its admin without a password.

Where it runs is said in the environment, in production by the two alone:

    export CFACCESS_TEAM=acme CFACCESS_AUDIENCE=4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2

    python manage.py check --deploy
    python manage.py cfaccess urls
    python manage.py runserver --noreload 127.0.0.1:8000
    uvicorn project.asgi:application --port 8000

On a laptop an emulated Access stands before it, for which CFACCESS_TEAM_URL names the emulator's address.
"""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    execute_from_command_line(sys.argv)
