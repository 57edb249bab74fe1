"""What both applications require of which path."""

from typing import Final

from cfaccess_mw import Rule

RULES: Final = (Rule.public("/healthz"), Rule.allow("/admin/*", emails=["admin@example.com"]))
WHILE: Final = 0.2  # seconds that ``/slow`` takes: long enough to hang up in between
