"""What does a service prove itself with? A Client ID and a secret, in two headers or as JSON in one."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.selector_values import read_client_id
from cfaccess_mw.core.shape import shape

ID_HEADER: Final = "CF-Access-Client-Id"
SECRET_HEADER: Final = "CF-Access-Client-Secret"  # noqa: S105 - the header's name
ID_VARIABLE: Final = "CF_ACCESS_CLIENT_ID"
SECRET_VARIABLE: Final = "CF_ACCESS_CLIENT_SECRET"  # noqa: S105 - the variable's name

# 64 hexadecimal digits, or since August 2026 cfast_, 40 letters and digits, and 8 more that check them.
_SECRET = re.compile(r"[0-9a-f]{64}|cfast_[A-Za-z0-9]{48}")
_LOOKS_LIKE_ID = re.compile(r"[0-9a-f]{32}\.access")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110 section 5.6.2


class Secret(str):
    """Text that is not shown where values are: in the ``repr`` of what holds it, and in tracebacks with local names."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Nothing of it."""
        return "'[hidden]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A service token (Cloudflare, "Service tokens").

    Attributes:
        client_id: 32 hexadecimal digits and ``.access``; not a secret, and what the application sees.
        client_secret: ``cfast_`` and 48 letters and digits, or the 64 hexadecimal digits of older tokens.

    Raises:
        ConfigurationError: One of them has another form; the message says which, and shows neither.
    """

    client_id: str
    client_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        """Check both, and keep the secret as one."""
        _check_id(self.client_id)
        _check_secret(self.client_secret)
        object.__setattr__(self, "client_secret", Secret(self.client_secret))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read ``CF_ACCESS_CLIENT_ID`` and ``CF_ACCESS_CLIENT_SECRET``.

        Raises:
            ConfigurationError: One is missing or has another form than it should.
        """
        for name in (ID_VARIABLE, SECRET_VARIABLE):
            if not environ.get(name):
                raise ConfigurationError(
                    f"{name}: is not set; set {ID_VARIABLE} and {SECRET_VARIABLE}, or give the credentials"
                )
        return cls(client_id=environ[ID_VARIABLE], client_secret=environ[SECRET_VARIABLE])

    def headers(self, single_header: str | None = None) -> tuple[tuple[str, Secret], ...]:
        """The headers that carry them.

        Args:
            single_header: The one header in which the application reads both (``read_service_tokens_from_header``).
        """
        if single_header is None:
            return (ID_HEADER, Secret(self.client_id)), (SECRET_HEADER, Secret(self.client_secret))
        # the names in lower case: in any other they are not read
        both = {ID_HEADER.lower(): self.client_id, SECRET_HEADER.lower(): str(self.client_secret)}
        return ((single_header, Secret(json.dumps(both))),)


def read_header_name(value: object) -> str:
    """The name of a header, as ``read_service_tokens_from_header`` has it.

    Raises:
        ConfigurationError: It is something else, or a name that something else has a right to.
    """
    mend = "give the name that read_service_tokens_from_header has, such as 'Authorization'"
    if not isinstance(value, str) or not _HEADER_NAME.fullmatch(value):
        raise ConfigurationError(f"header: {shape(value)} is not the name of a header; {mend}")
    if value.lower() in {"cookie", "host", "content-length", "transfer-encoding", "connection"}:
        raise ConfigurationError(f"header: {value} has a meaning of its own; {mend}")
    return value


def _check_id(value: object) -> None:
    mend = "give what stands behind 'CF-Access-Client-Id: ', 32 hexadecimal digits and '.access'"
    if not isinstance(value, str):
        raise ConfigurationError(f"client_id: is {shape(value)}, not text; {mend}")
    if _SECRET.fullmatch(value):
        raise ConfigurationError(f"client_id: looks like a secret; {mend}")
    if not _is_id(value):
        raise ConfigurationError(f"client_id: {shape(value)} is no Client ID{_stray(value)}; {mend}")


def _check_secret(value: object) -> None:
    mend = (
        "give what stands behind 'CF-Access-Client-Secret: ', 'cfast_' and 48 letters and digits, or 64 digits in hex"
    )
    if not isinstance(value, str):
        raise ConfigurationError(f"client_secret: is {shape(value)}, not text; {mend}")
    if _LOOKS_LIKE_ID.match(value):
        raise ConfigurationError(f"client_secret: looks like a Client ID; {mend}")
    if not _SECRET.fullmatch(value):
        raise ConfigurationError(f"client_secret: {shape(value)} is no secret{_stray(value)}; {mend}")


def _is_id(value: str) -> bool:
    try:
        return bool(read_client_id(value))
    except ValueError:
        return False


def _stray(value: str) -> str:
    """What people copy along."""
    if value != value.strip():
        return " (it begins or ends with white space)"
    if ":" in value:
        return " (it has a colon: the header's name was copied along)"
    return ""
