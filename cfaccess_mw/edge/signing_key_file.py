"""How do signing keys lie on disk, shared by all processes? As a JWK set that is replaced as a whole.

The file says of each key when it begins to sign (``nbf``), so every process that reads it comes to the same conclusion
at the same time, on one machine or many. A PEM file is read as well; only we never write one.
"""

import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.edge.signing_key import SigningKey
from cfaccess_mw.edge.signing_key_reading import read_signing_keys
from cfaccess_mw.edge.signing_key_set import SigningKeySet

DAY: Final = 86_400
YEAR: Final = 365 * DAY

ANNOUNCE: Final = 300.0  # seconds; Cloudflare does not say for how long Access remembers what the Keys URL answered
KEEP: Final = 86_400.0  # answers last for a minute; the rest is for whoever remembers keys

_MOST_BYTES: Final = 128 * 1024
_OTHERS: Final = stat.S_IRWXO | stat.S_IWGRP  # a group may read: that is how Kubernetes hands out secrets (fsGroup)
_GROUP_READS: Final = stat.S_IRGRP

Edition = tuple[int, ...]  # what changes with the file: device, inode, size, times of change, of its mode too


def read_key_file(path: Path, *, key: str = "signing_keys") -> tuple[SigningKeySet, Edition]:
    """Read a file of private keys, and which edition of it that was.

    Args:
        path: A PEM private key, a JWK, or a JWK set.
        key: The name of the configuration key, for messages.

    Raises:
        ConfigurationError: It cannot be read, others than its owner can, or it holds no usable key.
    """
    problem = ""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        problem = (error.strerror if isinstance(error, OSError) else None) or "not a path"
    if problem:
        raise ConfigurationError(
            f"{key}: the file cannot be read ({problem}); make one with create_key_file, or give the path of a PEM file"
        )
    if os.name == "posix" and status.st_mode & _OTHERS:
        raise ConfigurationError(
            f"{key}: the file can be read or changed by others than its owner; chmod 600 it (defaultMode: 0440 for a "
            "secret in Kubernetes), and replace the key if others have access to this machine"
        )
    if len(text) > _MOST_BYTES:
        raise ConfigurationError(f"{key}: the file is larger than {_MOST_BYTES // 1024} KiB; give the path of a key")
    return SigningKeySet.of(read_signing_keys(text, key=key)), edition_of(status)


def edition_of(status: os.stat_result) -> Edition:
    """What tells one edition of a file from the next."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def create_key_file(path: str | os.PathLike[str]) -> None:
    """Make a file with a new key that its owner alone can read; all processes of an endpoint are given its path.

    Args:
        path: Where no file is yet.

    Raises:
        ConfigurationError: There is a file, or none can be written there.
    """
    where = _path(path)
    _write_new(where, SigningKeySet.of([SigningKey.generate(signs_from=int(time.time()))]), like=None, key="path")


def rotate_key_file(
    path: str | os.PathLike[str],
    *,
    announce: float = ANNOUNCE,
    keep: float = KEEP,
    every: float = 0,
    clock: Callable[[], float] = time.time,
) -> str | None:
    """Add a new key, and drop those that need to be shown no more. Running endpoints notice by themselves.

    Several processes may do this at once: one after the other.

    Args:
        path: A JWK set, or a JWK, which becomes one.
        announce: For how many seconds the new key is shown before it signs, at least 60.
        keep: For how many seconds an old key is shown after it signed for the last time, at least 60.
        every: Only if the newest key will have signed for so many seconds by then.
        clock: Tells the time in seconds since the epoch.

    Returns:
        The id of the new key, or None where it was not time for one.

    Raises:
        ConfigurationError: The file cannot be read or written, or is a PEM file.
    """
    where = _path(path)
    check_seconds("announce", announce, 60, DAY)
    check_seconds("keep", keep, 60, YEAR)
    with _locked(where):
        keys, _ = read_key_file(where, key="path")
        check_is_set(where, key="path")
        now = clock()
        if every and not keys.is_due(now, every=every, announce=announce):
            return None
        # JWK times are whole seconds for us: rounded up, so that no key signs before it was announced for long enough
        new = SigningKey.generate(signs_from=int(now + announce) + 1)
        status = where.stat()
        beside = where.with_name(f".{where.name}.{secrets.token_hex(8)}")
        try:
            _write_new(beside, keys.rotated(new, now, keep=keep), like=status, key="path")
            beside.replace(where)
        finally:
            beside.unlink(missing_ok=True)
        return new.kid


def check_is_set(path: Path, *, key: str) -> None:
    """Refuse to rotate what could not hold two keys.

    Raises:
        ConfigurationError: It is a PEM file.
    """
    with path.open("rb") as file:
        if not file.read(_MOST_BYTES).lstrip().startswith(b"{"):
            raise ConfigurationError(f"{key}: is a PEM file, which holds one key; make a set with create_key_file")


def check_seconds(name: str, value: object, low: float, high: float) -> None:
    """Refuse what is not a number of seconds in a range.

    Raises:
        ConfigurationError: It is not.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigurationError(f"{name}: is {shape(value)}; give seconds from {low:g} to {high:g}")


def _path(path: object) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise ConfigurationError(f"path: is {shape(path)}; give the path of a file")
    return Path(path)


def _write_new(path: Path, keys: SigningKeySet, *, like: os.stat_result | None, key: str) -> None:
    """Write a file that its owner alone can read; or whoever can read another one, which it is to replace."""
    text = json.dumps({"keys": [one.private_jwk() for one in keys.keys]}, indent=1).encode("ascii")
    problem = None
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            if os.name == "posix":  # before there is anything to read
                if like is not None:
                    _give(file.fileno(), like)
                group = 0 if like is None else like.st_mode & _GROUP_READS
                os.fchmod(file.fileno(), 0o600 | group)  # whatever this process masks
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        problem = error.strerror
    if problem:
        raise ConfigurationError(f"{key}: no new file can be written there ({problem})")


def _give(file: int, like: os.stat_result) -> None:
    """Have a file belong to whom another belongs: a group that may read is not to become another group."""
    ours = os.fstat(file)
    if (ours.st_uid, ours.st_gid) != (like.st_uid, like.st_gid):
        os.fchown(file, like.st_uid, like.st_gid)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file; it lies beside it, since the file itself is replaced."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        yield
        return
    problem = None
    try:
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        problem = error.strerror
    if problem:
        raise ConfigurationError(f"path: no lock can be made beside it ({problem}); keys are rotated by their owner")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
