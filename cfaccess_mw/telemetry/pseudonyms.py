"""What stands for a person's e-mail address where accesses are recorded?

HMAC-SHA-256 (RFC 2104) of the address in lower case, with a key that the operator keeps: without it nobody can try
addresses, with it one who is looked for can be found::

    printf %s alice@example.com | openssl dgst -sha256 -hmac "$KEY"
"""

import hmac
import secrets
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.recording import EMAILS
from cfaccess_mw.core.shape import shape
from cfaccess_mw.telemetry.shown import shown

_PREFIX: Final = "hmac-sha256:"


class Pseudonyms:
    """Writes e-mail addresses as configured.

    Args:
        email: ``hashed``, ``off`` or ``plain``.
        key: The text whose UTF-8 is the key; None for one that this process makes up, so that its lines agree with
            each other and with nothing else.

    Attributes:
        is_of_this_process: Whether addresses are hashed with a key that was made up.

    Raises:
        ConfigurationError: ``email`` is none of these.
    """

    def __init__(self, *, email: str, key: str | None = None) -> None:
        if email not in EMAILS:
            raise ConfigurationError(f"email: is {shape(email)}; give 'hashed', 'off' or 'plain'")
        self._email = email
        self._key = secrets.token_bytes(32) if key is None else key.encode()
        self.is_of_this_process = email == "hashed" and key is None

    def of(self, address: str | None) -> str | None:
        """Return what is recorded for an address; None where there is none, or nothing is to be recorded."""
        if address is None or self._email == "off":
            return None
        if self._email == "plain":
            return shown(address)
        return _PREFIX + hmac.digest(self._key, address.lower().encode("utf-8", "replace"), "sha256").hex()
