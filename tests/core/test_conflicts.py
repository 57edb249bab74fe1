"""Is the operator told which rules cannot stand together, and what mends it?"""

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.policy import Policy
from cfaccess_mw.core.rules import Rule
from cfaccess_mw.core.table import RuleTable

A, B = "a.example", "b.example"
OURS = frozenset({"ours"})
BYPASS = [{"decision": "bypass", "include": [{"ip": "192.0.2.0/24"}]}]

BY_HOST = (
    "and Host is the client's word; if the application itself serves different content by host, say host_routing=True"
)
OTHER_POLICIES = (
    f"rules: some are by host and there are policies, so that another Host header would get other policies, {BY_HOST}"
)


def policies() -> tuple[Policy, ...]:
    """Some that may stand as the default."""
    return Rule.any_user("/*").policies


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        pytest.param(
            [Rule.public("/x", hosts=A)], f"rules: the rule for '/x' is public by host, {BY_HOST}", id="public"
        ),
        pytest.param(
            [Rule.token("/x", hosts=A, audience="x")],
            f"rules: the rule for '/x' is for an audience of its own by host, {BY_HOST}",
            id="own-audience",
        ),
        pytest.param(
            [Rule.guarded("/x", BYPASS, hosts=A)],
            f"rules: the rule for '/x' is a bypass by host, {BY_HOST}",
            id="bypass",
        ),
        pytest.param([Rule.deny("/x", hosts=A), Rule.token("/y")], OTHER_POLICIES, id="policies-for-one-host"),
        pytest.param([Rule.deny("/x", hosts=A), Rule.deny("/y", hosts=B)], OTHER_POLICIES, id="policies-by-host"),
        pytest.param(
            [Rule.token("/a/"), Rule.token("/a")],
            "rules: '/a' has two rules for the same methods and hosts (a trailing slash makes no difference); keep one",
            id="twice",
        ),
        pytest.param(
            [Rule.token("/a*/x"), Rule.token("/*b/x")],
            "rules: '/*b/x' and '/a*/x' are equally specific, and some path matches both; "
            "make one of them more specific",
            id="tie",
        ),
        pytest.param(
            [Rule.token("/a/*"), Rule.token("/a"), Rule.token("/a/*/*")],
            "rules: the rule for '/a/*' can never match: for every request that it names, a more specific rule wins; "
            "remove it",
            id="unreachable",
        ),
        pytest.param(
            [
                Rule.token("/a/*", methods=["GET", "HEAD"]),
                Rule.token("/a", methods="GET"),
                Rule.token("/a/*/*", methods="GET"),
            ],
            "rules: the rule for '/a/*' can never match: for every request that it names, a more specific rule wins; "
            "remove it",
            id="unreachable-since-HEAD-has-the-rule-of-GET",
        ),
    ],
)
def test_what_an_operator_is_told(rules: list[Rule], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        RuleTable(rules, audience=OURS)
    assert str(refused.value) == message


def test_default_policies_are_policies_that_another_host_would_get_round() -> None:
    rules = [Rule.token("/x", hosts=A), Rule.token("/y")]
    assert RuleTable(rules, audience=OURS).names_hosts
    with pytest.raises(ConfigurationError, match="there are policies"):
        RuleTable(rules, audience=OURS, policies=policies())


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([Rule.deny("/x", hosts=A), Rule.token("/y", hosts=A)], id="policies-for-one-set-of-hosts"),
        pytest.param([Rule.deny("/x"), Rule.token("/y")], id="policies-for-every-host"),
        pytest.param([Rule.token("/a/*"), Rule.token("/a"), Rule.token("/a/*/*/*")], id="one-depth-is-left"),
    ],
)
def test_rules_that_can_stand_together(rules: list[Rule]) -> None:
    assert RuleTable(rules, audience=OURS).rules == tuple(rules)
