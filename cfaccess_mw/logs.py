"""How does any log record say who was asking? A filter for handlers of the standard library's ``logging``.

::

    LOGGING = {
        "version": 1,
        "filters": {"identity": {"()": "cfaccess_mw.logs.IdentityFilter"}},
        "formatters": {"plain": {"format": "%(levelname)s %(cfaccess_kind)s %(cfaccess_id)s %(message)s"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "filters": ["identity"], "formatter": "plain"}},
        "root": {"handlers": ["out"], "level": "INFO"},
    }

Put it on a handler: a filter of a logger does not see what the loggers below it say.
"""

import logging
from typing import Final, Literal

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.telemetry.pseudonyms import Pseudonyms
from cfaccess_mw.telemetry.shown import shown
from cfaccess_mw.wire.current import current_identity

NOBODY: Final = "-"


class IdentityFilter(logging.Filter):
    """Adds ``cfaccess_kind``, ``cfaccess_id`` and ``cfaccess_email`` to every record, and lets all of them through.

    Each is ``-`` where nobody asks, so that a format may name it. Whatever is not plainly visible is escaped, and 256
    characters of each are kept: no record becomes two lines.

    Args:
        name: As for ``logging.Filter``: records of other loggers get ``-``.
        email: ``off``; ``hashed`` with ``key``, see ``cfaccess_mw.telemetry.pseudonyms``; or ``plain``.
        key: The text whose UTF-8 is the key of the hashes, as of the audit.

    Raises:
        ConfigurationError: ``email`` is none of these, or ``hashed`` without a key.
    """

    def __init__(
        self, name: str = "", *, email: Literal["off", "hashed", "plain"] = "off", key: str | None = None
    ) -> None:
        super().__init__(name)
        if email == "hashed" and not key:
            raise ConfigurationError("key: is missing; give the key of the audit, so that both write the same")
        self._emails = Pseudonyms(email=email, key=key)

    def filter(self, record: logging.LogRecord) -> bool:
        """Say who was asking when the record was made, in the thread or task that made it."""
        identity = current_identity() if super().filter(record) else None
        record.cfaccess_kind = NOBODY if identity is None else identity.kind
        record.cfaccess_id = NOBODY if identity is None else shown(identity.id)
        record.cfaccess_email = NOBODY if identity is None else self._emails.of(identity.email) or NOBODY
        return True
