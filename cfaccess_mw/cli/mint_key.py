"""Which key signs the tokens of development? One that was made here, and says so wherever it is met.

Its id begins with ``development-``, in every token and in every key set, so that no such key passes for Cloudflare's;
and no other key signs here, so that nobody is led to put one of theirs into a file.
"""

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from cfaccess_mw.cli.documents import read_object
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.emulator.signing_key import SigningKey

_PREFIX: Final = "development-"
_MARK: Final = "a private key of cfaccess mint, for development only; whoever has it may sign in as anyone"
_MEND: Final = "name another file, and one is made there"


def is_development_kid(kid: str) -> bool:
    """Say whether a key id is of a key that was made here."""
    return kid.startswith(_PREFIX)


def development_key(path: Path) -> tuple[SigningKey, bool]:
    """Read the key of a file; where there is none, make one, for its owner's eyes only.

    Returns:
        The key, and whether it is new.

    Raises:
        ConfigurationError: The file holds something else, or cannot be read or written.
    """
    if os.path.exists(path):  # unlike Path.exists(), it raises nothing
        return _read(path), False
    key = _marked(SigningKey.generate(now=time.time()))
    pem = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    _write(path, {"what": _MARK, "pem": pem}, mode=0o600)
    return key, True


def publish(key: SigningKey, path: Path) -> None:
    """Write the key set of a key, for ``keys`` in a configuration.

    Raises:
        ConfigurationError: Something else stands in that file, or it cannot be written.
    """
    document = {"keys": [key.jwk()]}
    if not os.path.exists(path):
        _write(path, document, mode=0o644)
    elif read_object("jwks", str(path)) != document:
        raise ConfigurationError(
            f"jwks: {path} holds something else than the public half of this key; name another file"
        )


def _read(path: Path) -> SigningKey:
    document = read_object("key", str(path))
    pem = document.get("pem")
    if document.get("what") != _MARK or not isinstance(pem, str):
        raise ConfigurationError(f"key: {path} was not made by cfaccess mint, and no other key signs here; {_MEND}")
    key = _private_key(pem)
    if key is None:
        raise ConfigurationError(f"key: {path} holds no RSA key any more; {_MEND}")
    return _marked(SigningKey.from_private_key(key, now=time.time()))


def _private_key(pem: str) -> RSAPrivateKey | None:
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, RSAPrivateKey) else None


def _marked(key: SigningKey) -> SigningKey:
    return replace(key, kid=_PREFIX + key.kid)


def _write(path: Path, document: Any, *, mode: int) -> None:
    """Make a file; one that appeared meanwhile is left alone."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
    else:
        return
    raise ConfigurationError(f"{path}: cannot be written ({reason}); name a file in a folder that you may write to")
