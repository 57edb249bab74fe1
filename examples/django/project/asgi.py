"""Where do ASGI servers find the project?"""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
application = get_asgi_application()

from project.database import migrate  # noqa: E402 - Django has to be ready

migrate()
