"""What does a request's ``Cookie`` header say without the token of Access, and what with ours?"""

from collections.abc import Sequence

from cfaccess_mw.client.credentials import Secret
from cfaccess_mw.wire.cookies import NAME, without_ours


def has_token(lines: Sequence[str]) -> bool:
    """Whether there is a ``CF_Authorization`` cookie among the ``Cookie`` headers of a request."""
    return any(part.partition("=")[0].strip(" \t") == NAME for line in lines for part in line.split(";"))


def with_token(lines: Sequence[str], token: Secret | None) -> Secret | None:
    """One ``Cookie`` header with all other cookies, and with this token or none; None where nothing is left.

    Args:
        lines: The ``Cookie`` headers that the client made.
        token: The value of a ``CF_Authorization`` cookie.
    """
    others = [kept for line in lines if (kept := without_ours(line))]
    ours = [] if token is None else [f"{NAME}={token!s}"]
    return Secret("; ".join([*others, *ours])) if others or ours else None
