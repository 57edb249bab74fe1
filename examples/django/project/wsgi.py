"""Where do WSGI servers find the project?"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
application = get_wsgi_application()

from project.database import migrate  # noqa: E402 - Django has to be ready

migrate()
