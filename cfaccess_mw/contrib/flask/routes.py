"""What do the rules of the configuration say about a route, which stands for many paths? For the operator.

A route is asked about by example: a path that no rule names, and one for each rule that opens something and might open
some path of the route.
"""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.routing import Rule as Route

from cfaccess_mw.core.patterns import ANY, Pattern, Segment, matches_segment, overlap, parse_pattern, split_path
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.protection import Protection

# The variables of a route: <name>, <converter:name>, <converter(arguments):name> (Werkzeug, "URL routing").
_VARIABLE: Final = re.compile(r"<(?:(?P<converter>[A-Za-z_]\w*)(?:\([^)]*\))?:)?[A-Za-z_]\w*>")
_EXAMPLE: Final = "70770707"  # of what a variable may be; no rule names it


class Routes:
    """The routes of an application whose rules protect everything.

    Args:
        app: The application.
        protection: Its rules.
    """

    def __init__(self, app: Flask, protection: Protection) -> None:
        self._app = app
        self._rules = protection.rules
        self._mount = (app.config["APPLICATION_ROOT"] or "").rstrip("/")
        self._hosts = sorted({host for rule in self._rules.rules for host in rule.hosts}) or [""]
        self._opening = [rule for rule in self._rules.rules if _opens(rule)]

    def required(self, route: Route, method: str) -> tuple[str, bool]:
        """What is required of a route, in a few words, and whether some path of it is open."""
        usual = list(self._find(_VARIABLE.sub(_EXAMPLE, route.rule), method))
        said = " or ".join(dict.fromkeys(map(_named, usual)))
        if any(map(_is_open, usual)):
            return said, True
        opening = [rule.pattern for rule in self._opening if self._opens_some(rule, route, method)]
        return (f"{said}; open: {', '.join(opening)}", True) if opening else (said, False)

    def _find(self, path: str, method: str) -> Iterator[Requirement]:
        """What is required of a path at each host that some rule names."""
        for host in self._hosts:
            yield self._rules.find(method, self._mount + path, None, self._mount, host or None)

    def _opens_some(self, rule: Rule, route: Route, method: str) -> bool:
        path = _common(parse_pattern(rule.pattern), _pattern(self._mount + route.rule))
        if path is None:
            return False
        path = path.removeprefix(self._mount)
        return any(map(_is_open, self._find(path, method))) and (
            _EXAMPLE in path or self._is_answered(path, route, method)
        )

    def _is_answered(self, path: str, route: Route, method: str) -> bool:
        """Ask Werkzeug whether a path leads to a route: variables have types."""
        by_host = self._app.url_map.host_matching
        adapter = self._app.url_map.bind(
            (by_host and route.host) or "localhost", subdomain=None if by_host else route.subdomain
        )
        try:
            found, _ = adapter.match(path, method, return_rule=True)
        except RequestRedirect:  # to the same with a slash at its end, which is the same to a rule
            return True
        except HTTPException:
            return False
        return found is route


def _opens(rule: Rule) -> bool:
    return rule.effective in (Access.PUBLIC, Access.OPTIONAL) or rule.has_bypass


def _is_open(found: Requirement) -> bool:
    return found.may_open or found.access is Access.OPTIONAL


def _named(found: Requirement) -> str:
    if found.refusal is not None:
        return found.refusal.code
    by = ", ".join(rule.pattern for rule in found.rules)
    return f"{found.access.value} ({by})" if by else found.access.value


def _pattern(route: str) -> Pattern:
    """The paths of a route as a pattern; what a ``path`` variable takes in is everything below."""
    segments: list[Segment] = []
    for segment in split_path(route):
        if any(one["converter"] == "path" for one in _VARIABLE.finditer(segment)):
            return Pattern(segments=tuple(segments), below=True)
        segments.append(tuple(_VARIABLE.sub("*", segment).split("*")))
    return Pattern(segments=tuple(segments), below=False)


def _common(one: Pattern, other: Pattern) -> str | None:
    """A path that two patterns both name, as free as can be, or None."""
    shorter, longer = sorted((one, other), key=lambda pattern: len(pattern.segments))
    if len(shorter.segments) < len(longer.segments) and not shorter.below:
        return None
    texts = [_both(*pair) for pair in zip_longest(longer.segments, shorter.segments, fillvalue=ANY)]
    if one.below and other.below:
        texts.append(_EXAMPLE)
    return None if None in texts else "/" + "/".join(filter(None, texts))


def _both(one: Segment, other: Segment) -> str | None:
    """A text that two segments of patterns both match, or None."""
    if len(one) == 1 and len(other) == 1:
        return one[0] if one == other else None
    if len(one) == 1 or len(other) == 1:
        free, text = (other, one[0]) if len(one) == 1 else (one, other[0])
        return text if matches_segment(free, text) else None
    if not overlap(one, other):
        return None
    front, back = max(one[0], other[0], key=len), max(one[-1], other[-1], key=len)
    return "".join((front, *one[1:-1], _EXAMPLE, *other[1:-1], back))
