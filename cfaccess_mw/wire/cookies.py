"""Which ``CF_Authorization`` cookies does a request carry?

Not by a parser that returns a dictionary: path-scoped cookies come in pairs, and of two it keeps one. The value of
ours is base64url and dots, so it needs no unquoting either (RFC 6265 section 4.2.1).
"""

from collections.abc import Iterable

from cfaccess_mw.core.errors import InvalidToken, TooManyTokens

NAME = "CF_Authorization"
MAX_TEXT = 65_536  # characters in all; browsers keep 4,096 in a cookie, servers take 8 to 64 KiB of headers
MAX_COOKIES = 4  # a browser sends one for each path scope that fits; more are somebody trying


def read_cookies(lines: Iterable[str]) -> tuple[str, ...] | type[InvalidToken]:
    """The values of the cookies of our name, in their order, or why they cannot be used.

    Args:
        lines: The values of the ``Cookie`` headers; HTTP/2 may split one into many (RFC 9113 section 8.2.3).
    """
    values: list[str] = []
    text = "; ".join(lines)
    if NAME not in text:
        return ()
    if len(text) > MAX_TEXT:
        return TooManyTokens
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals and name.strip(" \t") == NAME:
            if len(values) == MAX_COOKIES:
                return TooManyTokens
            values.append(value.strip(" \t"))
    return tuple(values)


def without_ours(line: str) -> str:
    """A ``Cookie`` header without our cookies, for an application that must not believe a bad one."""
    if NAME not in line:
        return line
    kept = (part for part in line.split(";") if part.partition("=")[0].strip(" \t") != NAME)
    return ";".join(kept).strip(" \t")
