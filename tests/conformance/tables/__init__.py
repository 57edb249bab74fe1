"""The table: one module for each question, each with ``ROWS``."""

from tests.conformance.row import Row
from tests.conformance.tables import headers, paths, refusals, rules, tokens, websockets

_MODULES = (tokens, rules, paths, refusals, headers, websockets)


def _named(module: object, row: Row) -> str:
    return f"{str(getattr(module, '__name__', '')).rpartition('.')[2]}/{row.id}"


ROWS = {_named(module, row): row for module in _MODULES for row in module.ROWS}
"""All rows by name: ``paths/dot-segments``."""

if len(ROWS) < sum(len(module.ROWS) for module in _MODULES):
    raise ValueError("two rows of one module have one id")
