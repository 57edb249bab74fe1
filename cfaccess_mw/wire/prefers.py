"""Is a person waiting for this answer, or a program? And is it a browser's window that waits?"""

import re
from collections.abc import Callable

Header = Callable[[str], str]
"""Gives the combined value of a request header by its lower-case name (RFC 9110 section 5.2), or empty text."""

# Browsers' are below 200 characters. A header may be 64 KB, and nobody who is refused shall cost us its reading.
_LONGEST_ACCEPT = 2_048

# RFC 9110 section 12.4.2, and what Java's HttpURLConnection sends ("q=.2").
_QUALITY = re.compile(r"0?\.[0-9]+|0\.?|1(?:\.0*)?")

# Nobody leaves these out but browsers of before 2023, and software that is none.
_FETCH_METADATA = ("sec-fetch-site", "sec-fetch-dest", "sec-fetch-user")

# What scripts say of themselves, and a handshake.
_SAID_BY_PROGRAMS = ("x-requested-with", "upgrade")

# Pages fetched ahead of a click that may never come (Fetch standard "Sec-Purpose", and what preceded it).
_PURPOSES = ("sec-purpose", "purpose")


def is_for_a_person(sec_fetch_mode: str, accept: str) -> bool:
    """Say whether a page is wanted rather than problem details.

    Args:
        sec_fetch_mode: The ``Sec-Fetch-Mode`` header (Fetch Metadata); a browser navigates with ``navigate``.
        accept: The ``Accept`` header (RFC 9110 section 12.5.1); a page is wanted where it ranks HTML higher than JSON.
            Only its first 2,048 characters are read.
    """
    if sec_fetch_mode == "navigate":
        return True
    ranges = _ranges(accept[:_LONGEST_ACCEPT])
    page = _quality(ranges, "text/html")
    return page > max(_quality(ranges, "application/problem+json"), _quality(ranges, "application/json"))


def is_navigation(method: str, header: Header) -> bool:
    """Say whether a browser's window waits, which a login page can be shown in.

    That is ``Sec-Fetch-Mode: navigate`` of a whole document: no login page may be framed. Where no Fetch Metadata came
    (Safari before 16.4), ``Accept`` has to rank HTML higher than JSON. Scripts that name themselves, handshakes and
    pages fetched ahead of a click are none.

    Args:
        method: The request's method; only GET and HEAD can be asked again after a detour.
        header: The request's headers.
    """
    if method not in ("GET", "HEAD") or any(map(header, _SAID_BY_PROGRAMS)):
        return False
    if any("prefetch" in header(name).lower() for name in _PURPOSES):
        return False
    mode = header("sec-fetch-mode")
    if mode or any(map(header, _FETCH_METADATA)):
        return mode == "navigate" and header("sec-fetch-dest") in ("", "document")
    return is_for_a_person("", header("accept"))


def _ranges(accept: str) -> dict[str, float]:
    ranges: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = part.split(";")
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                quality = float(value) if _QUALITY.fullmatch(value := value.strip()) else 0.0
        ranges[name.strip()] = max(quality, ranges.get(name.strip(), 0.0))
    return ranges


def _quality(ranges: dict[str, float], media_type: str) -> float:
    """The quality of a media type: the most specific range that covers it decides."""
    for name in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return 0.0
