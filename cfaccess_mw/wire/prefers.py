"""Is a person waiting for this answer, or a program?"""


def is_for_a_person(sec_fetch_mode: str, accept: str) -> bool:
    """Say whether a page is wanted rather than problem details.

    Args:
        sec_fetch_mode: The ``Sec-Fetch-Mode`` header (Fetch Metadata); a browser navigates with ``navigate``.
        accept: The ``Accept`` header (RFC 9110 section 12.5.1); a page is wanted where it ranks HTML higher than JSON.
    """
    if sec_fetch_mode == "navigate":
        return True
    ranges = _ranges(accept)
    page = _quality(ranges, "text/html")
    return page > max(_quality(ranges, "application/problem+json"), _quality(ranges, "application/json"))


def _ranges(accept: str) -> dict[str, float]:
    ranges: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = part.lower().split(";")
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        ranges[name.strip()] = quality
    return ranges


def _quality(ranges: dict[str, float], media_type: str) -> float:
    """The quality of a media type: the most specific range that covers it decides."""
    for name in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return 0.0
