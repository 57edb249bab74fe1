"""Which rules cannot stand together, or cannot stand at all?

Found at start, when the operator is there to mend it. Two rules *tie* when they rank equal and some request matches
both; a rule is *unreachable* when for every request that it names another one wins.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.patterns import ANY, Pattern, overlap
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.trie import ANY_HOST, OTHER

# A character that is in no pattern and no path that is let in: a text that only a "*" can match.
_FRESH = "\x00"


def check_hosts(rules: Sequence[Rule], *, policies: bool) -> None:
    """Refuse rules that open something to whoever writes the right ``Host`` header.

    Raises:
        ConfigurationError: A rule by host is public, optional, or for an audience of its own; or some rules are by
            host, or by other hosts than others, and there are policies that another host would get round.
    """
    policed = policies or any(rule.access is Access.POLICIES for rule in rules)
    if policed and len({rule.hosts for rule in rules}) > 1:
        raise ConfigurationError(
            "rules: some are by host and there are policies, so that another Host header would get other policies, and "
            "Host is the client's word; if the application itself serves different content by host, say "
            "host_routing=True"
        )
    for rule in rules:
        opens = rule.effective in (Access.PUBLIC, Access.OPTIONAL) or rule.has_bypass
        if rule.hosts and (opens or rule.audience):
            raise ConfigurationError(
                f"rules: the rule for {rule.pattern!r} is "
                f"{_opening(rule) if opens else 'for an audience of its own'} by host, "
                "and Host is the client's word; if the application itself serves different content by host, "
                "say host_routing=True"
            )


def _opening(rule: Rule) -> str:
    return "a bypass" if rule.has_bypass else rule.access.value


def check_ties(rules: Sequence[Rule], patterns: Sequence[Pattern]) -> None:
    """Refuse two rules that claim the same request with the same right.

    Args:
        rules: The rules.
        patterns: Their patterns, in the same order.

    Raises:
        ConfigurationError: Two rules tie.
    """
    # Rules that may tie agree in everything but the text of their partial wildcards, so few are ever compared.
    alike: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for number, (rule, pattern) in enumerate(zip(rules, patterns, strict=True)):
        shape = tuple(segment if len(segment) == 1 or segment == ANY else None for segment in pattern.segments)
        for host in rule.hosts or (ANY_HOST,):
            for method in named_methods(rule):
                peers = alike[host, method, shape, pattern.below, pattern.literals]
                for peer in peers:
                    _refuse_tie(pattern, patterns[peer])
                peers.append(number)


def _refuse_tie(pattern: Pattern, peer: Pattern) -> None:
    if pattern == peer:
        raise ConfigurationError(
            f"rules: {str(pattern)!r} has two rules for the same methods and hosts (a trailing slash makes no "
            "difference); keep one"
        )
    if all(overlap(one, other) for one, other in zip(pattern.segments, peer.segments, strict=True)):
        raise ConfigurationError(
            f"rules: {str(pattern)!r} and {str(peer)!r} are equally specific, and some path matches both; "
            "make one of them more specific"
        )


def check_reachable(
    rules: Sequence[Rule], patterns: Sequence[Pattern], find: Callable[[str, str, str], Sequence[int]]
) -> None:
    """Refuse a rule that no request ever gets.

    Whatever wins a path in which every ``*`` stands for a text that occurs nowhere else wins all paths of that depth,
    so a few such paths answer for all of them.

    Args:
        rules: The rules.
        patterns: Their patterns, in the same order.
        find: Returns the numbers of the rules that win, for a host, a method and a path.

    Raises:
        ConfigurationError: A rule is unreachable.
    """
    listed = frozenset[str]().union(*(rule.hosts for rule in rules)) or (ANY_HOST,)
    deepest = max((len(pattern.segments) for pattern in patterns), default=0)
    for number, (rule, pattern) in enumerate(zip(rules, patterns, strict=True)):
        if not any(
            number in find(host, method, path)
            for path in _witnesses(pattern, deepest)
            for host in rule.hosts or listed
            for method in named_methods(rule)
        ):
            raise ConfigurationError(
                f"rules: the rule for {rule.pattern!r} can never match: for every request that it names, a more "
                "specific rule wins; remove it"
            )


def _witnesses(pattern: Pattern, deepest: int) -> Iterable[str]:
    path = "".join("/" + _FRESH.join(segment) for segment in pattern.segments)
    yield path
    if pattern.below:
        for more in range(deepest - len(pattern.segments) + 1):
            yield path + f"/{_FRESH}" * (more + 1)


def named_methods(rule: Rule) -> Iterable[str]:
    """Return the methods that a rule is found by: HEAD has GET's rule, and no method means every one."""
    return rule.methods - {"HEAD"} or (OTHER,)
