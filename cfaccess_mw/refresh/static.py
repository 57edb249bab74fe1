"""How are keys given outright, without an endpoint?"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from cfaccess_mw.core.errors import AccessError, ConfigurationError
from cfaccess_mw.refresh.fetchers import MOST_BYTES
from cfaccess_mw.refresh.refresher import Refresher

T = TypeVar("T")


def static_refresher(
    keys: Mapping[str, object] | str | os.PathLike[str],
    *,
    parse: Callable[[bytes], T],
    holds: Callable[[T, str], bool],
) -> Refresher[T]:
    """Make a refresher that holds what is given, and never fetches.

    Args:
        keys: A JWKS as a mapping, or the path of a file with one.
        parse: Reads a document.
        holds: Whether what was read has a key id.

    Raises:
        ConfigurationError: The file or the key set cannot be used.
    """
    refresher = Refresher(url="", fetcher=None, parse=parse, holds=holds)
    body, shape = _from_mapping(keys) if isinstance(keys, Mapping) else _from_file(keys)
    try:
        refresher.give(parse(body))
    except (AccessError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"keys: {shape} holds no usable key set; give a JWKS such as the certs URL serves"
        ) from error
    return refresher


def _from_mapping(keys: Mapping[str, object]) -> tuple[bytes, str]:
    try:
        return json.dumps(dict(keys)).encode(), "the mapping"
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigurationError("keys: the mapping is not JSON; give what json.loads makes of a JWKS") from error


def _from_file(path: object) -> tuple[bytes, str]:
    if not isinstance(path, str | os.PathLike):
        kind = type(path).__name__
        raise ConfigurationError(f"keys: expected a mapping or a path, got {kind}; give a JWKS or the path of one")
    try:
        with Path(path).open("rb") as file:
            body = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise ConfigurationError(f"keys: the file cannot be read ({reason}); give the path of a JWKS") from error
    if len(body) > MOST_BYTES:
        raise ConfigurationError(f"keys: the file is larger than {MOST_BYTES // 1024} KiB; give the path of a JWKS")
    return body, "the file"
