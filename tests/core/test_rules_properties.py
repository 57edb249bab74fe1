"""What holds of every table and every path, by comparison with a slow and plain reading of the specification?"""

import re
from urllib.parse import quote

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.patterns import matches_segment, overlap
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.table import RuleTable

OURS = frozenset({"ours"})
METHODS = ("GET", "HEAD", "POST", "PUT", "BREW", "post", "M-SEARCH")
EVERYTHING = ("/*", "/*/*", "/*/*/*", "/*/*/*/*")
ROOTS = ("", "/a", "/b/a", "/ab")

segments = st.sampled_from(["a", "b", "A", "ab", "a*", "*b", "*", "a*b", "*a*"])
patterns = st.builds(
    lambda parts, below: ("".join(f"/{part}" for part in parts) or "/") + ("/*" if below and parts else ""),
    st.lists(segments, max_size=3),
    st.booleans(),
)
methods = st.sampled_from([(), (), (), ("GET",), ("POST",), ("GET", "POST")])
tokens = st.builds(
    lambda pattern, named, audience: Rule.token(pattern, methods=named, audience=audience),
    patterns,
    methods,
    st.sampled_from([(), ("x",), ("y",)]),
)
publics = st.builds(
    lambda pattern, named: Rule.public(pattern, methods=named, everything=pattern in EVERYTHING), patterns, methods
)
optionals = st.builds(
    lambda pattern, named: Rule.optional(pattern, methods=named, everything=pattern in EVERYTHING), patterns, methods
)
guarded = st.builds(
    lambda pattern, named, policies: Rule.guarded(pattern, policies, methods=named, everything=False),
    patterns,
    methods,
    st.sampled_from(
        [
            [{"decision": "allow", "include": [{"everyone": True}]}],
            [{"decision": "deny", "include": [{"everyone": True}]}],
            [{"decision": "bypass", "include": [{"ip": "192.0.2.0/24"}]}],
        ]
    ),
)
tables = st.lists(tokens | publics | optionals | guarded, max_size=6)

# Pieces from which the canonicalisers, in any composition, make paths of the patterns above.
pieces = st.sampled_from(
    [
        *("/", "/", "a", "b", "ab", "A", "B", "//", "/a", "/b/a", "/.", "/..", ";x", ";/", "?q", "#f", "%", "\u00e9"),
        *("%2F", "%2f", "%61", "%2561", "%3B", "%3Fq", "%25", "%2523", "\uff41", "%EF%BD%81", "%2e", "%00"),
    ]
)
paths = st.builds(lambda parts: "/" + "".join(parts), st.lists(pieces, max_size=8))


def build(rules: list[Rule]) -> RuleTable:
    """Build a table, or give this example up where the rules cannot stand together."""
    try:
        return RuleTable(rules, audience=OURS)
    except ConfigurationError:
        assume(False)
        raise


def strictness(requirement: Requirement) -> int:
    """Return how much is asked: of nobody, of who has a token, of all; a refusal asks more than anybody has.

    Policies count as a token does: a more specific rule takes the place of theirs, and inherits nothing.
    """
    return 9 if requirement.refusal else min(requirement.access.strictness, Access.TOKEN.strictness)


def is_match(pattern: str, path: str) -> bool:
    """Match by a regular expression over the whole path: the meaning of a pattern, said another way."""
    below = pattern.endswith("/*")
    stem = pattern[:-2] if below else pattern.removesuffix("/")
    body = re.escape(stem).replace(r"\*", "[^/]*")
    return re.fullmatch(f"{body}(?:/.*)?" if below else body, path.removesuffix("/")) is not None


def rank(rule: Rule) -> tuple[object, ...]:
    """Say the order of specificity as one key: what is greater wins."""
    below = rule.pattern.endswith("/*")
    stem = rule.pattern[:-2] if below else rule.pattern
    parts = [part for part in stem.split("/") if part]
    kinds = tuple(3 if "*" not in part else 1 if part == "*" else 2 for part in parts)
    literals = sum(len(part.replace("*", "")) for part in parts)
    return (kinds, not below, literals, bool(rule.methods))


def winner(rules: list[Rule], method: str, path: str) -> Rule | None:
    """Scan all rules for the most specific that matches a plain path."""
    asked = "GET" if method == "HEAD" else method
    candidates = [rule for rule in rules if asked in (rule.methods or {asked}) and is_match(rule.pattern, path)]
    return max(candidates, key=rank, default=None)


@settings(max_examples=200, deadline=None)
@given(
    tables,
    st.lists(st.sampled_from(["a", "b", "ab", "aab", "ba", "c"]), max_size=4),
    st.sampled_from(["GET", "HEAD", "POST", "BREW"]),
    st.booleans(),
)
def test_the_tree_finds_what_a_scan_finds(rules: list[Rule], parts: list[str], method: str, slash: bool) -> None:
    lower = [rule for rule in rules if rule.pattern == rule.pattern.lower()]  # folding is looked at below
    table = build(lower)
    path = "/" + "/".join(parts) + ("/" if slash and parts else "")
    expected = winner(lower, method, path)
    assert table.find(method, path, None, "", None).rules == ((expected,) if expected else ())


@settings(max_examples=200, deadline=None)
@given(tables, tokens, paths, st.sampled_from(METHODS), st.sampled_from(ROOTS), st.booleans())
def test_a_further_protecting_rule_never_opens_anything(
    rules: list[Rule], further: Rule, path: str, method: str, root: str, raw: bool
) -> None:
    raw_path = quote(path).encode() if raw else None
    before = build(rules).find(method, path, raw_path, root, None)
    after = build([*rules, further]).find(method, path, raw_path, root, None)
    assert strictness(after) >= strictness(before) or before.access is Access.TOKEN is after.access


@settings(max_examples=200, deadline=None)
@given(tables, publics | optionals, paths, st.sampled_from(METHODS), st.sampled_from(ROOTS))
def test_a_further_open_rule_opens_nothing_but_what_it_names_as_it_stands(
    rules: list[Rule], further: Rule, path: str, method: str, root: str
) -> None:
    before = build(rules).find(method, path, None, root, None)
    after = build([*rules, further]).find(method, path, None, root, None)
    if strictness(after) < strictness(before):
        assert further in after.rules
        # Whatever it opened was opened as given by it or by a rule as open, and by no reading alone.
        given_by = after.rules
        assert any(is_match(rule.pattern, path) for rule in given_by)


@settings(max_examples=200, deadline=None)
@given(tables, paths, st.sampled_from(METHODS), st.sampled_from(ROOTS))
def test_what_is_public_is_public_in_every_reading(rules: list[Rule], path: str, method: str, root: str) -> None:
    table = build(rules)
    told = table.explain(method, path, root_path=root)
    if told.requirement.access is Access.PUBLIC and told.requirement.refusal is None:
        for look in told.look_ups:
            assert not look.default
            assert all(rule.access is Access.PUBLIC for rule in look.rules)
            assert look.rules or look.folded or look.reading.adds_only
            assert (
                look.folded or look.reading.adds_only or any(is_match(rule.pattern, look.path) for rule in look.rules)
            )


@settings(deadline=None)
@given(tables, paths, st.sampled_from(METHODS), st.sampled_from(ROOTS))
def test_the_order_of_rules_never_matters(rules: list[Rule], path: str, method: str, root: str) -> None:
    one = build(rules).find(method, path, None, root, None)
    other = build(rules[::-1]).find(method, path, None, root, None)
    assert (one.access, set(one.audiences), set(one.rules), one.refusal) == (
        other.access,
        set(other.audiences),
        set(other.rules),
        other.refusal,
    )


@settings(deadline=None)
@given(tables, paths, st.sampled_from(ROOTS))
def test_a_method_that_is_not_letters_is_asked_no_less_than_one_nobody_names(
    rules: list[Rule], path: str, root: str
) -> None:
    table = build(rules)
    other, odd = (table.find(method, path, None, root, None) for method in ("BREW", "brew"))
    assert strictness(odd) >= strictness(other)


globs = st.lists(st.text("ab", max_size=2), min_size=2, max_size=4).map(tuple)


@given(globs, st.text("abc", max_size=7))
def test_a_segment_matches_as_an_expression_would(glob: tuple[str, ...], text: str) -> None:
    assert matches_segment(glob, text) == (re.fullmatch(".*".join(glob), text) is not None)


@given(globs, globs, st.text("ab", max_size=7))
def test_segments_that_share_a_text_overlap(one: tuple[str, ...], other: tuple[str, ...], text: str) -> None:
    if matches_segment(one, text) and matches_segment(other, text):
        assert overlap(one, other)


@given(globs, globs)
def test_segments_that_overlap_share_a_text(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    if overlap(one, other):
        front, back = (max(one[at], other[at], key=len) for at in (0, -1))
        text = front + "".join(one[1:-1]) + "".join(other[1:-1]) + back
        assert matches_segment(one, text)
        assert matches_segment(other, text)


@settings(deadline=None)
@given(tables, paths, st.sampled_from(METHODS), st.sampled_from(ROOTS))
def test_a_bypass_opens_nothing_that_another_reading_protects(
    rules: list[Rule], path: str, method: str, root: str
) -> None:
    told = build(rules).explain(method, path, None, root)
    if told.requirement.may_open and told.requirement.refusal is None:
        for look in told.look_ups:
            assert not look.default
            assert all(rule.access is Access.PUBLIC or rule.has_bypass for rule in look.rules)
