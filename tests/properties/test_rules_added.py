"""What can one more rule open, for anybody?

A rule that protects never opens a path for somebody who brings no token, and a rule that denies never opens one for
anybody at all. What a rule for any valid token does is another matter: it takes the place of a less specific one, that
one's policies and audience included, since the most specific rule wins and inherits nothing. And a rule that names a
host makes that host known: until then, and where other rules name hosts, every request for it is refused.
"""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cfaccess_mw.core.admission import Admission
from cfaccess_mw.core.errors import AmbiguousHost, ConfigurationError
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.table import RuleTable
from tests.core.policy_parts import facts, identity
from tests.core.test_rules_properties import EVERYTHING, METHODS, ROOTS, paths, patterns
from tests.properties.examples import examples

OURS = frozenset({"ours"})
HOSTS = ("a.example", "b.example")
PEOPLE: Sequence[Identity | None] = (
    None,
    identity("user", audience=("ours",)),
    identity("user", audience=("theirs",), email="x@example.org"),
    identity("user", audience=("ours", "theirs"), email="boss@example.com"),
    identity("service", audience=("ours",)),
)
ADDRESSES = ("192.0.2.7", "10.0.0.1")

methods = st.sampled_from([(), (), (), ("GET",), ("POST",), ("GET", "POST")])
hosts = st.sampled_from([(), (), (), HOSTS[:1], HOSTS])
audiences = st.sampled_from([(), (), ("theirs",)])
named = st.fixed_dictionaries({"methods": methods, "hosts": hosts, "audience": audiences})

DENY = [{"decision": "deny", "include": [{"everyone": True}]}]
ALLOWS = [
    [{"decision": "allow", "include": [{"everyone": True}]}],
    [{"decision": "allow", "include": [{"email": "boss@example.com"}]}],
    [{"decision": "service_auth", "include": [{"any_valid_service_token": True}]}],
    [
        {"decision": "deny", "include": [{"email": "x@example.org"}]},
        {"decision": "allow", "include": [{"everyone": True}]},
    ],
]
BYPASSES = [
    [{"decision": "bypass", "include": [{"ip": "192.0.2.0/24"}]}],
    [{"decision": "bypass", "include": [{"everyone": True}]}],
]
tokens = st.builds(lambda pattern, names: Rule.token(pattern, **names), patterns, named)
allowing = st.builds(
    lambda pattern, policies, names: Rule.guarded(pattern, policies, **names), patterns, st.sampled_from(ALLOWS), named
)
denying = st.builds(lambda pattern, names: Rule.guarded(pattern, DENY, **names), patterns, named)
public = st.builds(
    lambda pattern, names, make: make(pattern, everything=pattern in EVERYTHING, **names),
    patterns,
    named,
    st.sampled_from([Rule.public, Rule.optional]),
)
bypassing = st.builds(
    lambda pattern, policies, names: Rule.guarded(
        pattern, policies, everything=pattern in EVERYTHING and "ip" not in str(policies), **names
    ),
    patterns,
    st.sampled_from(BYPASSES),
    named,
)
tables = st.lists(tokens | allowing | denying | public | bypassing, max_size=5)
requests = st.fixed_dictionaries(
    {
        "method": st.sampled_from(METHODS),
        "path": paths,
        "root_path": st.sampled_from(ROOTS),
        "host": st.sampled_from([*HOSTS, "c.example", None]),
    }
)


def built(rules: list[Rule]) -> RuleTable:
    """Build a table, or give this example up where the rules cannot stand together."""
    try:
        return RuleTable(rules, audience=OURS, host_routing=True)
    except ConfigurationError:
        assume(False)
        raise


def found(table: RuleTable, request: dict[str, str], *, raw: bool) -> Requirement:
    """What is required of a request."""
    return table.find(raw_path=quote(request["path"]).encode() if raw else None, **request)


def passes(requirement: Requirement, who: Identity | None, method: str, address: str) -> bool:
    """Whether somebody passes, whose token, if any, is good."""
    seen = facts(identity=who, method=method, address=address, profile=None, certificate=None)
    if requirement.refusal is not None:
        return False
    if Admission.opens(requirement, seen):
        return True
    if who is None:
        return requirement.access is Access.OPTIONAL
    if any(accepted.isdisjoint(who.audience) for accepted in requirement.audiences):
        return False
    return Admission(None).admit(requirement, who, "", {}, {}, replace(seen, identity=who)) is None


def opened(
    rules: list[Rule], further: Rule, request: dict[str, str], *, raw: bool
) -> list[tuple[Identity | None, str]]:
    """Whom a further rule lets in who was refused before, and from where."""
    before, after = (found(built(given), request, raw=raw) for given in (rules, [*rules, further]))
    if before.refusal is AmbiguousHost:
        return []
    return [
        (who, address)
        for who in PEOPLE
        for address in ADDRESSES
        if passes(after, who, request["method"], address) and not passes(before, who, request["method"], address)
    ]


@examples(150)
@given(tables, tokens | allowing | denying, requests, st.booleans())
def test_a_further_protecting_rule_lets_nobody_in_who_brings_no_token(
    rules: list[Rule], further: Rule, request_: dict[str, str], raw: bool
) -> None:
    assert [who for who, _ in opened(rules, further, request_, raw=raw) if who is None] == []


@examples(150)
@given(tables, denying, requests, st.booleans())
def test_a_further_rule_that_denies_lets_nobody_in(
    rules: list[Rule], further: Rule, request_: dict[str, str], raw: bool
) -> None:
    assert opened(rules, further, request_, raw=raw) == []


@examples(150)
@given(tables, tokens | allowing | denying | public | bypassing, requests, st.booleans())
def test_whom_a_further_rule_lets_in_it_lets_in_where_it_says_so(
    rules: list[Rule], further: Rule, request_: dict[str, str], raw: bool
) -> None:
    """It never opens what it does not speak of."""
    if opened(rules, further, request_, raw=raw):
        assert further in found(built([*rules, further]), request_, raw=raw).rules


@pytest.mark.parametrize(
    ("wide", "further", "who"),
    [
        pytest.param(Rule.deny("/a/*"), Rule.token("/a/b"), PEOPLE[1], id="a token rule within a denied folder"),
        pytest.param(Rule.token("/a/*", audience="theirs"), Rule.token("/a/b"), PEOPLE[1], id="another audience"),
        pytest.param(Rule.token("/a/*"), Rule.public("/a/b"), None, id="a public rule within a protected folder"),
    ],
)
def test_a_more_specific_rule_takes_the_place_of_a_wider_one(wide: Rule, further: Rule, who: Identity | None) -> None:
    request_ = {"method": "GET", "path": "/a/b", "root_path": "", "host": "a.example"}
    assert who in [each for each, _ in opened([wide], further, request_, raw=False)]
    beside = {**request_, "path": "/a/c"}
    assert opened([wide], further, beside, raw=False) == []


def test_a_rule_that_names_a_host_makes_it_known() -> None:
    rules = [Rule.public("/healthz"), Rule.token("/admin", hosts=HOSTS[0])]
    further = Rule.token("/admin", hosts=HOSTS[1])
    before, after = (built(given).find("GET", "/healthz", None, "", HOSTS[1]) for given in (rules, [*rules, further]))
    assert (before.refusal, after.access) == (AmbiguousHost, Access.PUBLIC)
