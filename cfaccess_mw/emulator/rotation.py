"""How do keys change by themselves? A thread that rotates them every so many seconds."""

import threading

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.emulator.issuer import Issuer


class Rotation:
    """Rotates a team's keys until it is closed; Cloudflare does so every six weeks.

    Args:
        issuer: Whose keys.
        every: Seconds between two rotations.

    Raises:
        ConfigurationError: ``every`` is not above 0.
    """

    def __init__(self, issuer: Issuer, *, every: float) -> None:
        if not 0 < every <= threading.TIMEOUT_MAX:
            raise ConfigurationError(f"rotate_every: is {shape(every)}; give a number of seconds above 0")
        self._issuer = issuer
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cfaccess-emulator-rotation", daemon=True)

    def start(self) -> None:
        """Begin; the first rotation comes when the time is over."""
        self._thread.start()

    def close(self) -> None:
        """End it and wait for the thread; may be called twice."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self._issuer.rotate()
