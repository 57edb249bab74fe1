"""What two requirements require together: nothing that either of them refuses gets through."""

import pytest

from cfaccess_mw.core.errors import AmbiguousHost, AmbiguousPath
from cfaccess_mw.core.facts import Need
from cfaccess_mw.core.requirement import Requirement, both, refused
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.table import RuleTable

AUD, OTHER = frozenset({"a" * 64}), frozenset({"b" * 64})
TABLE = RuleTable(
    [
        Rule.public("/public"),
        Rule.optional("/optional"),
        Rule.token("/other", audience=next(iter(OTHER))),
        Rule.any_user("/users"),
        Rule.allow("/office", ips="192.0.2.0/24"),
        Rule.allow("/admins", groups=["admins"]),
        Rule.guarded("/trial", [{"decision": "deny", "include": [{"everyone": {}}]}], report_only=True),
    ],
    audience=AUD,
)


def of(path: str) -> Requirement:
    return TABLE.find("GET", path, None, "", None)


@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
@pytest.mark.parametrize(
    ("one", "other", "access", "audiences", "may_open"),
    [
        pytest.param("/public", "/else", Access.TOKEN, {AUD}, False, id="public-and-default"),
        pytest.param("/public", "/optional", Access.OPTIONAL, {AUD}, False, id="public-and-optional"),
        pytest.param("/public", "/other", Access.TOKEN, {OTHER}, False, id="public-and-another-application"),
        pytest.param("/else", "/other", Access.TOKEN, {AUD, OTHER}, False, id="two-applications"),
        pytest.param("/other", "/users", Access.POLICIES, {AUD, OTHER}, False, id="token-and-policies"),
        pytest.param("/public", "/public/", Access.PUBLIC, {AUD}, True, id="public-twice"),
    ],
)
def test_the_stricter_of_two(
    turned: bool, one: str, other: str, access: Access, audiences: set[frozenset[str]], may_open: bool
) -> None:
    together = both(of(other), of(one)) if turned else both(of(one), of(other))
    assert together.access is access
    assert set(together.audiences) == audiences
    assert together.may_open is may_open
    assert set(together.policies) == {*of(one).policies, *of(other).policies}
    assert set(together.rules) == {*of(one).rules, *of(other).rules}


@pytest.mark.parametrize(
    ("paths", "request_too", "profile_too"),
    [
        pytest.param(["/users"], False, False, id="token"),
        pytest.param(["/office"], True, False, id="request"),
        pytest.param(["/admins"], False, True, id="profile"),
        pytest.param(["/admins", "/users"], False, True, id="profile-and-token"),
        pytest.param(["/admins", "/office"], True, True, id="profile-and-request"),
    ],
)
def test_what_policies_look_at_is_known_beforehand(paths: list[str], request_too: bool, profile_too: bool) -> None:
    together = of(paths[0])
    for path in paths[1:]:
        together = both(together, of(path))
    assert (together.reads_request, together.reads_profile) == (request_too, profile_too)
    assert (bool(together.needs & Need.REQUEST), bool(together.needs & Need.PROFILE)) == (request_too, profile_too)


def test_a_requirement_without_audience_is_a_mistake_and_one_that_refuses_wants_a_token() -> None:
    with pytest.raises(ValueError, match=r"^a requirement has at least one set of audiences$"):
        Requirement(access=Access.TOKEN, audiences=())
    assert refused(AmbiguousPath).access is Access.TOKEN


def test_what_is_refused_stays_refused() -> None:
    path, host = refused(AmbiguousPath), refused(AmbiguousHost)
    assert both(path, of("/public")) is both(of("/public"), path) is path
    assert both(path, host) is path


def test_what_is_not_said_opens_nothing_and_is_enforced() -> None:
    plain = Requirement(access=Access.POLICIES, audiences=(AUD,))
    assert (plain.may_open, plain.report_only, plain.refusal) == (False, False, None)


@pytest.mark.parametrize("name", ["may_open", "report_only"])
@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        pytest.param(True, True, True, id="both"),
        pytest.param(True, False, False, id="one"),
        pytest.param(False, True, False, id="other"),
        pytest.param(False, False, False, id="neither"),
    ],
)
def test_what_loosens_has_to_be_said_by_both(name: str, one: bool, other: bool, together: bool) -> None:
    first = Requirement(access=Access.POLICIES, audiences=(AUD,), **{name: one})  # type: ignore[arg-type]  # of two names
    second = Requirement(access=Access.POLICIES, audiences=(OTHER,), **{name: other})  # type: ignore[arg-type]
    assert getattr(both(first, second), name) is together


def test_only_what_both_only_report_is_only_reported() -> None:
    assert both(of("/trial"), of("/trial")).report_only
    assert not both(of("/trial"), of("/users")).report_only
    assert not both(of("/users"), of("/trial")).report_only


def test_the_same_two_are_the_same_one() -> None:
    assert both(of("/public"), of("/users")) is both(of("/public"), of("/users"))
