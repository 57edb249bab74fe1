"""What may Django's error pages and error mails show of a request? Not its assertion, with which one could sign in.

Django hides what is called token, key or secret; ``HTTP_CF_ACCESS_JWT_ASSERTION`` is not among that.
"""

import functools
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter, get_default_exception_reporter_filter

_HIDDEN = "HTTP_CF_ACCESS_"


class _HidesAssertions:
    """Put before a filter of Django's, or of the project's."""

    cleansed_substitute: str

    def cleanse_setting(self, key: object, value: object) -> object:
        """Hide what Access sends."""
        if isinstance(key, str) and key.startswith(_HIDDEN):
            return self.cleansed_substitute
        return super().cleanse_setting(key, value)  # type: ignore[misc]  # of the filter that comes next


def hide_assertions(request: HttpRequest) -> None:
    """Keep the assertion out of the error reports about a request."""
    kind: Any = type(get_default_exception_reporter_filter())
    if issubclass(kind, SafeExceptionReporterFilter):
        request.exception_reporter_filter = _filter(kind)


@functools.cache
def _filter(kind: Any) -> object:
    return type("AccessExceptionReporterFilter", (_HidesAssertions, kind), {})()
