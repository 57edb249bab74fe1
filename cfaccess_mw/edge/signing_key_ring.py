"""Where do the signing keys of a running endpoint come from? From a file, looked at each time; else from nowhere.

Looking whether a file has changed costs microseconds, and a new key that one process signs with must not be missing
from the document that another process serves. Keys that are made here are for development: no other process has them,
and the next start makes others.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.edge.signing_key import SigningKey
from cfaccess_mw.edge.signing_key_file import (
    ANNOUNCE,
    DAY,
    KEEP,
    YEAR,
    Edition,
    check_is_set,
    check_seconds,
    edition_of,
    read_key_file,
    rotate_key_file,
)
from cfaccess_mw.edge.signing_key_set import SigningKeySet
from cfaccess_mw.telemetry.events import Event, Listener, tell

_FILE_IS_GONE: Final[Edition] = (0, 0, 0, 0, 0)


class SigningKeyRing:
    """The keys of one endpoint, for any number of threads.

    Args:
        path: A file of keys; None makes one in memory, and says so loudly.
        rotate_every: For how many seconds a key signs; None for ever. Every process may be told: one of them does it.
        announce: For how many seconds a new key is shown before it signs.
        keep: For how many seconds an old key is shown after it signed for the last time.
        listeners: Told what happens.
        clock: Tells the time in seconds since the epoch.

    Raises:
        ConfigurationError: Names the argument, the shape of its value and the mend.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        rotate_every: float | None = None,
        announce: float = ANNOUNCE,
        keep: float = KEEP,
        listeners: Iterable[Listener] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        if path is not None and (path == "" or not isinstance(path, str | os.PathLike)):
            raise ConfigurationError(f"signing_keys: is {shape(path)}; give the path of a file, or leave it out")
        check_seconds("announce", announce, 60, DAY)
        check_seconds("keep", keep, 60, YEAR)
        if rotate_every is not None:
            check_seconds("rotate_every", rotate_every, announce, 10 * YEAR)
        self._rotate_every = rotate_every
        self._announce = announce
        self._keep = keep
        self._listeners = tuple(listeners)
        self._clock = clock
        self._lock = threading.Lock()
        self._rotating = threading.Lock()
        self._edition: Edition = _FILE_IS_GONE
        self._path = None if path is None else Path(path)
        if self._path is None:
            self._keys = SigningKeySet.of([SigningKey.generate(signs_from=clock())])
            advice = "for-development-only; other processes and the next start have other keys, so give signing_keys"
            self._tell("signing-key-generated", logging.WARNING, kid=self._keys.newest.kid, advice=advice)
            return
        self._keys, self._edition = read_key_file(self._path)
        if rotate_every is not None:
            check_is_set(self._path, key="rotate_every: the file of signing_keys")

    def current(self) -> SigningKey:
        """The key to sign with now; it may read a file."""
        keys, now = self._read(), self._clock()
        if self._rotate_every is not None and keys.is_due(now, every=self._rotate_every, announce=self._announce):
            self._rotate_aside()
        return keys.current(now)

    def published(self) -> tuple[SigningKey, ...]:
        """The keys to show now; it may read a file."""
        return self._read().published(self._clock(), keep=self._keep)

    def rotate(self) -> None:
        """Have a new key, at once in memory or in the file; it signs when it was announced for long enough.

        Raises:
            ConfigurationError: The file cannot hold a further key, or cannot be written.
        """
        self._rotate(every=0)

    def _rotate(self, *, every: float) -> None:
        if self._path is not None:
            kid = rotate_key_file(self._path, announce=self._announce, keep=self._keep, every=every, clock=self._clock)
        else:
            new, now = SigningKey.generate(signs_from=self._clock() + self._announce), self._clock()
            kid = new.kid
            with self._lock:
                self._keys = self._keys.rotated(new, now, keep=self._keep)
        if kid is not None:
            self._tell("signing-key-announced", logging.INFO, kid=kid, signs_in=self._announce)

    def _rotate_aside(self) -> None:
        """Do it in a thread: making a key takes a moment, and there are minutes yet."""
        if self._rotating.acquire(blocking=False):
            threading.Thread(target=self._rotate_when_due, name="cfaccess-signing-key-rotation", daemon=True).start()

    def _rotate_when_due(self) -> None:
        try:
            self._rotate(every=self._rotate_every or 0)
        except (ConfigurationError, OSError) as error:
            # The old key goes on signing; the next answer tries again.
            problem = str(error) if isinstance(error, ConfigurationError) else type(error).__name__
            self._tell("signing-key-not-rotated", logging.ERROR, problem=problem)
        finally:
            self._rotating.release()

    def _read(self) -> SigningKeySet:
        if self._path is None:
            return self._keys
        try:
            edition = edition_of(self._path.stat())
        except OSError:
            edition = _FILE_IS_GONE
        if edition == self._edition:
            return self._keys
        with self._lock:
            if edition != self._edition:
                self._read_again(self._path, edition)
            return self._keys

    def _read_again(self, path: Path, edition: Edition) -> None:
        try:
            self._keys, self._edition = read_key_file(path)
        except ConfigurationError as mistake:
            # What was there before goes on, until the file changes again.
            self._edition = edition
            self._tell("signing-keys-unreadable", logging.ERROR, problem=str(mistake))

    def _tell(self, name: str, level: int, **facts: object) -> None:
        tell(self._listeners, Event(name=name, level=level, facts=facts))
