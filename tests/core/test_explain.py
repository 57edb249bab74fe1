"""What an explanation says of a request: the same as is decided, and why."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from cfaccess_mw.core.admission import NO_FACTS
from cfaccess_mw.core.conditions import Condition
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.core.policy import NO_POLICY_APPLIES
from cfaccess_mw.core.policy_explanation import REASONS
from cfaccess_mw.core.rules import Rule
from cfaccess_mw.core.table import RuleTable
from cfaccess_mw.core.truth import Truth
from cfaccess_mw.emulator.issuer import Issuer
from tests.tokens import AUD, OTHER_AUD, verify

OFFICE: list[dict[str, Any]] = [
    {"decision": "bypass", "include": [{"ip": "192.0.2.0/24"}]},
    {"decision": "allow", "include": [{"email": "bob@example.com"}]},
]
RULES = [
    Rule.public("/healthz"),
    Rule.optional("/maybe"),
    Rule.token("/other", audience=OTHER_AUD),
    Rule.allow("/admin/*", groups=["admins"]),
    Rule.allow("/bob", emails="bob@example.com"),
    Rule.guarded("/office", OFFICE),
    Rule.guarded("/theirs", OFFICE, audience=OTHER_AUD),
]


@pytest.fixture
def alice(issuer: Issuer, snapshot: KeySnapshot) -> Identity:
    return verify(issuer.user("alice@example.com", audience=AUD), snapshot).identity


@pytest.mark.parametrize(
    ("path", "known", "nobody", "somebody"),
    [
        pytest.param("/healthz", {}, ("open", ""), ("admitted", ""), id="public"),
        pytest.param("/maybe", {}, ("open", ""), ("admitted", ""), id="optional"),
        pytest.param("/x", {}, ("refused", "no-token"), ("admitted", ""), id="default"),
        pytest.param("/other", {}, ("refused", "no-token"), ("refused", "wrong-audience"), id="another-audience"),
        pytest.param("/admin/x", {}, ("refused", "no-token"), ("lookup", ""), id="groups-not-known"),
        pytest.param(
            "/admin/x",
            {"looked_up": True, "profile": {"groups": ["admins"]}},
            ("refused", "no-token"),
            ("admitted", ""),
            id="groups-known",
        ),
        pytest.param("/bob", {}, ("refused", "no-token"), ("refused", "not-permitted"), id="another-person"),
        pytest.param("/office", {}, ("refused", "no-token"), ("refused", "not-permitted"), id="bypass-not-met"),
        pytest.param("/office", {"address": ip_address("192.0.2.1")}, ("open", ""), ("admitted", ""), id="bypass-met"),
        pytest.param(
            "/theirs",
            {"address": ip_address("192.0.2.1")},
            ("open", ""),
            ("open", ""),
            id="bypass-met-token-of-another",
        ),
        pytest.param("/a\nb", {}, ("refused", "ambiguous-path"), ("refused", "ambiguous-path"), id="ambiguous"),
    ],
)
def test_what_becomes_of_a_request(
    alice: Identity, path: str, known: dict[str, Any], nobody: tuple[str, str], somebody: tuple[str, str]
) -> None:
    table = RuleTable(RULES, audience=frozenset({AUD}))
    for identity, expected in ((None, nobody), (alice, somebody)):
        told = table.explain("GET", path, facts=replace(NO_FACTS, identity=identity, **known))
        assert (told.outcome, told.code) == expected


def test_each_condition_is_told_with_its_reason(alice: Identity) -> None:
    told = RuleTable(RULES, audience=frozenset({AUD})).explain(
        "GET", "/office", facts=Facts(identity=alice, method="GET")
    )
    ((bypass, allow),) = told.policies
    assert [(finding.reason, finding.truth) for finding in bypass.conditions] == [("ip", Truth.UNKNOWN)]
    assert [(finding.reason, finding.truth) for finding in allow.conditions] == [("email", Truth.FALSE)]
    (verdict,) = told.verdicts
    assert verdict.policy is None
    assert set(verdict.reasons) == {"ip", "email"}


def test_default_policies_may_have_a_bypass_but_open_nothing_for_all() -> None:
    policies = Rule.guarded("/x", OFFICE).policies
    table = RuleTable([], audience=frozenset({AUD}), policies=policies)
    here = replace(NO_FACTS, address=ip_address("192.0.2.1"))
    assert table.explain("GET", "/", facts=here).outcome == "open"
    assert table.explain("GET", "/").outcome == "refused"
    public = Rule.guarded("/x", [{"decision": "bypass", "include": [{"everyone": True}]}]).policies
    with pytest.raises(ConfigurationError, match=r"lets everybody .* make it Rule\.public\('/\*', everything=True\)"):
        RuleTable([], audience=frozenset({AUD}), policies=public)


@pytest.mark.parametrize(
    ("asked", "audiences"),
    [
        pytest.param(("PUT", "/a", None, "", "other.example"), {"put"}, id="method-named"),
        pytest.param(("POST", "/a", None, "", "other.example"), {"every"}, id="method-not-named"),
        pytest.param(("put", "/a", None, "", "other.example"), {"put", "every"}, id="method-odd"),
        pytest.param(("HEAD", "/g", None, "", "other.example"), {"get"}, id="method-of-another"),
        pytest.param(("GET", "/a/b", b"/a%2Fb", "", "other.example"), {AUD, "data"}, id="raw-path"),
        pytest.param(("GET", "/m/a", None, "/m", "other.example"), {AUD, "every"}, id="mount"),
        pytest.param(("GET", "/a", None, "", "A.example:1"), {"host"}, id="host"),
    ],
)
def test_what_is_explained_is_what_is_found(
    asked: tuple[str, str, bytes | None, str, str], audiences: set[str]
) -> None:
    rules = [
        Rule.token("/a", methods="PUT", audience="put"),
        Rule.token("/a", audience="every"),
        Rule.token("/g", methods="GET", audience="get"),
        Rule.token("/a*b", audience="data"),
        Rule.token("/a", hosts="a.example", audience="host"),
        Rule.token("/other", hosts="other.example"),
    ]
    table = RuleTable(rules, audience=frozenset({AUD}), host_routing=True)
    told = table.explain(*asked)
    assert told.requirement is table.find(*asked)
    assert {tag for one in told.requirement.audiences for tag in one} == audiences
    assert {rule for look in told.look_ups for rule in look.rules} == set(told.requirement.rules)
    assert any(look.default for look in told.look_ups) is (AUD in audiences)
    assert table.explain(*asked[:-1], host="elsewhere.example").look_ups == ()


def reasons_below(cls: type[Condition]) -> set[str]:
    """The reason codes of our own conditions."""
    own = {cls.reason} if "reason" in vars(cls) and cls.__module__.startswith("cfaccess_mw.") else set()
    return own.union(*map(reasons_below, cls.__subclasses__()))


def test_every_reason_is_explained_and_nothing_else_is() -> None:
    own = reasons_below(Condition)  # type: ignore[type-abstract]  # it is only asked for those below it
    assert REASONS.keys() == {*own, NO_POLICY_APPLIES}
    assert all(REASONS.values())
