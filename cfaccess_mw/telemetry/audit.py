"""Who was let in where, and who was not? One JSON object a line, for whoever has to answer that later.

``audit=True`` writes to standard output, ``audit="/var/log/app/access.jsonl"`` to a file, and ``audit={"to": …,
"email": "hashed", "key": …}`` says what stands for e-mail addresses. Every line has the same members:

======== ==============================================================================================
time     UTC, to the millisecond: ``2026-11-22T12:51:00.000Z``
event    ``token-accepted``, ``token-refused``, ``policy-denied``, ``path-ambiguous``, ``keys-lacking``,
         ``only-reported``
code     the code of the refusal, or null
method   escaped, cut at 16 characters
path     without the query; escaped, cut at 256 characters
ray      the ``Cf-Ray``, or null
kind     ``user``, ``service`` or ``certificate``; null where nobody is known
id       the ``sub`` of a user, the Client ID of a service
email    ``hmac-sha256:…``, or the address, or null
key      the first 8 characters of the id of the key that the token names
rule     the pattern of the rule that decided; null for the default
seconds  how long the decision took; null for a refusal that a handler made
======== ==============================================================================================

Requests that are let in without an identity (public paths) are not recorded. The file is the platform's to rotate: it
is opened again when its name means another file. A line that cannot be written is told to the logger ``cfaccess_mw``,
and the request goes on.
"""

import json
import logging
import os
import sys
import weakref
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from time import time
from typing import Any, Final, TextIO

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.recording import STREAMS, Recording
from cfaccess_mw.telemetry.events import Event, log_event
from cfaccess_mw.telemetry.pseudonyms import Pseudonyms
from cfaccess_mw.telemetry.requests import ANONYMOUS, ToldRequest
from cfaccess_mw.telemetry.shown import shown

_PLACES: Final = 6  # of seconds: a decision from memory takes a few millionths


_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


class Audit:
    """The listener that records accesses.

    Args:
        recording: Where, and what stands for e-mail addresses.

    Raises:
        ConfigurationError: It cannot be written there.
    """

    def __init__(self, recording: Recording) -> None:
        self._emails = Pseudonyms(email=recording.email, key=recording.key)
        self._handler = _handler(recording.to)
        # A door that is thrown away without a word leaves no file open.
        weakref.finalize(self, self._handler.end)
        if self._emails.is_of_this_process:
            log_event(Event(name="audit-key-missing", level=logging.WARNING, facts={"mend": "audit.key"}))

    def __call__(self, event: Event) -> None:
        """Record an event that is about a request."""
        if event.request is not None and event.name != ANONYMOUS:
            self._handler.emit_line(_encode(self._line(event.name, event.request)))

    def _line(self, name: str, request: ToldRequest) -> dict[str, object]:
        identity, seconds = request.identity, request.seconds
        now = datetime.fromtimestamp(time(), UTC).isoformat(timespec="milliseconds")
        return {
            "time": now.replace("+00:00", "Z"),
            "event": name,
            "code": request.code,
            "method": request.method,
            "path": request.path,
            "ray": request.ray,
            "kind": None if identity is None else identity.kind,
            "id": None if identity is None else shown(identity.id),
            "email": None if identity is None else self._emails.of(identity.email),
            "key": request.key_id,
            "rule": request.rule,
            "seconds": None if seconds is None else round(seconds, _PLACES),
        }


class _Lines:
    """Writes lines by a handler of the standard library: locked, flushed, and made anew in a forked child."""

    def emit_line(self, line: str) -> None:
        """Write one.

        Raises:
            OSError: It cannot be written.
        """
        self.handle(logging.makeLogRecord({"msg": line}))  # type: ignore[attr-defined]

    def end(self) -> None:
        """Let go of the file; what cannot be written any more was told when it was to be written first."""
        with suppress(OSError):
            self.close()  # type: ignore[attr-defined]

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Let the error out, to where broken listeners are told of, instead of onto standard error."""
        raise  # noqa: PLE0704 - it is called in the block that caught it


class _File(_Lines, WatchedFileHandler):
    """A file, opened again when its name means another one; where it is not there, it is made for us and our group."""

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=_for_us)


def _for_us(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)


class _Stream(_Lines, logging.StreamHandler[TextIO]):
    """Standard output or error, whatever it is at the moment."""

    def __init__(self, name: str) -> None:
        logging.Handler.__init__(self)  # the rest would bind it to the stream of now
        self._standard = name

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """The stream that the name means."""
        return getattr(sys, self._standard)  # type: ignore[no-any-return]


def _handler(to: str) -> "_File | _Stream":
    if to in STREAMS:
        return _Stream(to)
    path = Path(to)
    try:
        return _File(path, encoding="ascii")
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise ConfigurationError(f"audit: {path} cannot be written ({reason}); give the path of a file that can")
