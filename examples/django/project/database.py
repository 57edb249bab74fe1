"""How does an example have its tables without being asked? A project of yours runs ``manage.py migrate``."""

import threading

from django.core.management import call_command
from django.db import connections


def migrate() -> None:
    """Make the tables; in a thread of its own, since ASGI servers import the project on their event loop."""
    thread = threading.Thread(target=_migrate)
    thread.start()
    thread.join()


def _migrate() -> None:
    call_command("migrate", verbosity=0)
    connections.close_all()
