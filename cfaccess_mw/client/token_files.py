"""Which token does cloudflared keep on this machine for whoever signed in with it?

``cloudflared access login URL`` opens a browser and writes the application token to ``~/.cloudflared``, to a file named
``<hostname>-<AUD tag>-token`` in which ``/`` and ``*`` have become ``-``; the hostname is the application's own, so it
may have a wildcard or a path. While somebody is signing in there is ``<file>.lock`` beside it, with the process that
waits (cloudflared, token/path.go and token/token.go). Here these files are only read: to write them is cloudflared's.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cfaccess_mw.client.credentials import Secret
from cfaccess_mw.client.errors import SignInPending
from cfaccess_mw.client.hosts import read_origin
from cfaccess_mw.client.sign_in import expired, missing, read_url
from cfaccess_mw.client.tokens import read_expiry, read_payload
from cfaccess_mw.core.token import MAX_TOKEN

_FILE = re.compile(r"(?P<name>.+)-(?P<audience>[0-9a-f]{64})-token(?P<lock>\.lock)?")
_LOCK_AGE: Final = 600.0  # seconds after which cloudflared itself takes a lock for left behind
_MOST_LOCK: Final = 4_096  # bytes of a lock file that are read; it holds two numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A token in a file."""

    token: Secret
    issued: float
    expires: float


def read_token(
    url: str, *, directory: str | os.PathLike[str] | None = None, clock: Callable[[], float] = time.time
) -> str:
    """Read the token that cloudflared keeps for an application.

    Of several, that of the most specific application counts, and of these the one that was issued last.

    Args:
        url: The application's address.
        directory: Where the files are, if not in ``~/.cloudflared``.
        clock: Tells the time in seconds since the epoch.

    Raises:
        UserTokenMissing: There is none.
        UserTokenExpired: It is past its ``exp``.
        SignInPending: There is none that is good, and cloudflared waits for somebody who is signing in.
    """
    now, is_pending, had_one = clock(), False, False
    place = Path.home() / ".cloudflared" if directory is None else Path(directory)
    listed = _listed(place)
    for name in _names(read_url(url)):
        ours = [(path, match) for path, match in listed if match["name"] == name]
        found = [one for path, match in ours if not match["lock"] if (one := _read(path, match["audience"]))]
        if good := [one for one in found if one.expires > now]:
            return max(good, key=lambda one: one.issued).token
        had_one = had_one or bool(found)
        is_pending = is_pending or any(_is_held(path, now) for path, match in ours if match["lock"])
    if is_pending:
        host = str(read_origin(url))
        raise SignInPending(
            f"cloudflared is waiting for somebody to sign in to {host}", mend="finish it in the browser", host=host
        )
    raise expired(url) if had_one else missing(url)


def _names(url: str) -> Iterator[str]:
    """What the file of an application that covers an address may begin with, the most specific first."""
    host = read_origin(url).host
    segments = [segment for segment in urlsplit(url).path.split("/") if segment]
    for name in (host, f"-.{host.partition('.')[2]}"):  # a wildcard stands for one label
        for count in range(len(segments), -1, -1):
            yield "-".join([name, *segments[:count]])


def _listed(place: Path) -> list[tuple[Path, re.Match[str]]]:
    try:
        paths = sorted(place.iterdir())
    except OSError:
        return []  # nobody has ever signed in here
    return [(path, match) for path in paths if (match := _FILE.fullmatch(path.name))]


def _read(path: Path, audience: str) -> _Found | None:
    """The token of a file, or None for one that is being written, or is something else."""
    try:
        text = _head(path, MAX_TOKEN + 2).decode("latin-1").strip()
        payload, expires = read_payload(text), read_expiry(text)
    except (OSError, ValueError):
        return None
    issued, audiences = payload.get("iat"), payload.get("aud")
    # cloudflared, too, takes a token for another application than the file says for a stray one
    if audience not in (audiences if isinstance(audiences, list) else [audiences]):
        return None
    return _Found(token=Secret(text), issued=issued if isinstance(issued, int | float) else 0.0, expires=expires)


def _is_held(lock: Path, now: float) -> bool:
    """Whether the process that a lock file names is still waiting for somebody."""
    try:
        if now - lock.stat().st_mtime > _LOCK_AGE:
            return False
        said = json.loads(_head(lock, _MOST_LOCK))
    except (OSError, ValueError, RecursionError):
        return False  # half written, or gone again
    pid = said.get("pid") if isinstance(said, dict) else None
    return type(pid) is int and pid > 0 and _runs(pid)


def _runs(pid: int) -> bool:
    if os.name == "nt":
        return True  # there, signal 0 is Ctrl-C; the age of the file has to do
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _head(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most)
