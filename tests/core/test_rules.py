"""What is a rule, and which rules are refused before they do harm?"""

from typing import Any

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.rules import Access, Rule


def test_short_forms_and_mappings_say_the_same() -> None:
    rule = Rule.token("/admin/*", methods=["GET", "POST"], hosts="Admin.Example.COM.", audience={"b" * 64})
    assert rule == Rule(
        pattern="/admin/*",
        access=Access.TOKEN,
        methods=frozenset({"GET", "POST"}),
        hosts=frozenset({"admin.example.com"}),
        audience=frozenset({"b" * 64}),
    )


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule.public("/healthz"), id="public"),
        pytest.param(Rule.optional("/", methods="GET"), id="optional"),
        pytest.param(Rule.token("/a/*", hosts=["b.example", "a.example"], audience=["y", "x"]), id="token"),
        pytest.param(Rule.public("/*", everything=True), id="everything public"),
        pytest.param(Rule.optional("/*", everything=True, methods=("GET", "HEAD")), id="everything optional"),
    ],
)
def test_a_rule_survives_its_mapping(rule: Rule) -> None:
    assert Rule.from_mapping(rule.to_mapping()) == rule


def test_a_mapping_leaves_out_what_is_default_and_sorts_the_rest() -> None:
    assert Rule.public("/healthz").to_mapping() == {"pattern": "/healthz", "access": "public"}
    assert Rule.token("/a", methods=["PUT", "GET"]).to_mapping()["methods"] == ["GET", "PUT"]


def test_access_is_ordered_by_strictness() -> None:
    assert sorted(Access, key=lambda access: access.strictness) == list(Access)


@pytest.mark.parametrize(
    ("pattern", "mend"),
    [
        pytest.param("", "does not begin with '/'", id="empty"),
        pytest.param("healthz", "does not begin with '/'", id="no slash"),
        pytest.param("*", "does not begin with '/'", id="star alone"),
        pytest.param("https://app.example.com/x", "does not begin with '/'", id="a URL"),
        pytest.param("//x", "single slashes", id="two slashes in front"),
        pytest.param("/a//b", "single slashes", id="two slashes within"),
        pytest.param("/a//", "single slashes", id="two slashes at the end"),
        pytest.param("/a?b=c", "query", id="query"),
        pytest.param("/a#b", "fragment", id="fragment"),
        pytest.param("/a/**", "covers everything below", id="two stars at the end"),
        pytest.param("/a/**/b", "one segment", id="two stars within"),
        pytest.param("/a%20b", "write it decoded", id="percent-encoded"),
        pytest.param("/healthz ", "white space", id="space at the end"),
        pytest.param("/healthz\n", "control-character|white space", id="line feed at the end"),
        pytest.param("/a\tb", "control-character", id="control character"),
        pytest.param("/a/../b", "dot-segment", id="dot dot"),
        pytest.param("/./b", "dot-segment", id="dot"),
        pytest.param("/a\\b", "backslash", id="backslash"),
        pytest.param("/a\u200bb", "invisible-character", id="invisible"),
        pytest.param("/a\uff0fb", "disguised-character", id="full-width slash"),
        pytest.param("/" + "a" * 2_048, "2049 characters", id="too long"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: str, mend: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^rules: .*({mend})"):
        Rule.token(pattern)


@pytest.mark.parametrize(
    "pattern", ["/", "/*", "/a/*/", "/a*b*c", "/100%", "/caf\u00e9", "/.well-known/*", "/a;b", "/*.js"]
)
def test_these_are_patterns(pattern: str) -> None:
    assert Rule.token(pattern).pattern == pattern


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        pytest.param({"methods": "get"}, "upper-case letters", id="a method in lower case"),
        pytest.param({"methods": ["GET", ""]}, "upper-case letters", id="an empty method"),
        pytest.param({"methods": "M-SEARCH"}, "upper-case letters", id="a method with a hyphen"),
        pytest.param({"methods": "HEAD"}, "name GET", id="HEAD without GET"),
        pytest.param({"methods": 7}, "a text or a list of texts, not a value of type int", id="a number"),
        pytest.param({"methods": ["GET", {}]}, "a text or a list of texts", id="a mapping in the list"),
        pytest.param({"methods": b"GET"}, "a text or a list of texts, not a value of type bytes", id="bytes"),
        pytest.param({"methods": {"GET": True}}, "a text or a list of texts, not a value of type dict", id="mapping"),
        pytest.param({"hosts": "*.example.com"}, "exact name", id="a wildcard host"),
        pytest.param({"hosts": "app.example.com:8000"}, "without port", id="a port"),
        pytest.param({"hosts": "[::1]:8000"}, "without port", id="a port behind IPv6"),
        pytest.param({"hosts": "::1"}, "in brackets", id="IPv6 without brackets"),
        pytest.param({"hosts": "https://app.example.com"}, "exact name", id="a URL as host"),
        pytest.param({"hosts": "b\u00fccher.example"}, "in ASCII", id="a host beyond ASCII"),
        pytest.param({"hosts": ""}, "exact name", id="an empty host"),
        pytest.param({"audience": ""}, "AUD tag", id="an empty audience"),
        pytest.param({"audience": "a b"}, "AUD tag", id="a space in the audience"),
        pytest.param({"everything": True}, "take it off", id="everything where nothing of the kind"),
    ],
)
def test_what_a_rule_speaks_of_is_checked(arguments: dict[str, Any], mend: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^rules: .*{mend}"):
        Rule.from_mapping({"pattern": "/x", "access": "public", **arguments})


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        pytest.param({"pattern": 7, "access": Access.TOKEN}, "a pattern is a text", id="pattern"),
        pytest.param({"pattern": "/x", "access": "token"}, "access is one of", id="access"),
        pytest.param({"pattern": "/x", "access": Access.TOKEN, "methods": {"GET"}}, "methods is a set", id="methods"),
        pytest.param({"pattern": "/x", "access": Access.TOKEN, "hosts": frozenset({7})}, "hosts has a", id="a member"),
    ],
)
def test_a_rule_made_by_hand_is_checked_as_well(arguments: dict[str, Any], mend: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^rules: .*{mend}"):
        Rule(**arguments)


@pytest.mark.parametrize("access", ["public", "optional"])
@pytest.mark.parametrize("methods", [(), ("GET",)])
@pytest.mark.parametrize("pattern", ["/*", "/*/*", "/*/*/*"])
@pytest.mark.parametrize("word", [False, 1, "yes", None])
def test_letting_everybody_in_everywhere_takes_the_very_word(
    pattern: str, access: str, methods: tuple[str, ...], word: object
) -> None:
    with pytest.raises(ConfigurationError, match="everything=True"):
        Rule.from_mapping({"pattern": pattern, "access": access, "methods": methods, "everything": word})


@pytest.mark.parametrize("pattern", ["/*/", "/a*/*", "/*/a/*"])
def test_letting_everybody_in_somewhere_takes_no_word(pattern: str) -> None:
    assert Rule.public(pattern).everything is False


def test_protecting_everything_takes_no_word() -> None:
    assert Rule.token("/*").everything is False
    with pytest.raises(ConfigurationError, match="take it off"):
        Rule(pattern="/*", access=Access.TOKEN, everything=True)


@pytest.mark.parametrize(
    ("mapping", "mend"),
    [
        pytest.param({"patern": "/x", "access": "public"}, "'patern' is not known; did you mean 'pattern'", id="key"),
        pytest.param({"zzz": 1}, "'zzz' is not known; it is one of pattern, access", id="key like no other"),
        pytest.param({7: 1}, "'7' is not known", id="key that is a number"),
        pytest.param({"pattern": "/x", "access": "publc"}, "did you mean 'public'", id="access"),
        pytest.param({"pattern": "/x", "access": ["public"]}, "is not known", id="access of another type"),
        pytest.param({"pattern": "/x"}, "lacks its access", id="no access"),
        pytest.param({"access": "public"}, "lacks its pattern", id="no pattern"),
        pytest.param({"pattern": None, "access": "public"}, "a pattern is a text", id="pattern of another type"),
        pytest.param("/x", "a rule is a mapping", id="not a mapping"),
    ],
)
def test_a_mapping_that_is_not_understood_names_the_mend(mapping: Any, mend: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^rules: .*{mend}"):
        Rule.from_mapping(mapping)


@pytest.mark.parametrize(
    ("short", "mend"),
    [
        pytest.param({"allow": {"groups": ["a"], "decision": "deny"}}, "'decision' is not a condition", id="decision"),
        pytest.param({"allow": {1: 2}}, "type int is not a condition", id="no-text"),
        pytest.param({"allow": {"name": 5, "groups": ["a"]}}, "the name is a value of type int", id="name"),
        pytest.param({"allow": ["admins"]}, "allow: is a value of type list", id="list"),
        pytest.param({"allow": {}}, "no condition is given", id="nobody"),
        pytest.param({"deny": False}, "deny: is a value of type bool; say true", id="said-no"),
        pytest.param({"any_user": 1}, "any_user: is a value of type int; say true", id="said-one"),
        pytest.param({"service": []}, "service_token", id="no-service"),
        pytest.param({"service": None}, "service_token", id="service-not-said"),
        pytest.param({"allow": {"email_domain": "a.example", "ips": None}}, "'ips' is None", id="condition-not-said"),
        pytest.param({"policies": []}, "policies: is empty", id="empty-policies"),
        pytest.param({"deny": True, "any_user": True}, "more than one of", id="two-forms"),
        pytest.param({"deny": True, "policies": []}, "stands beside policies", id="form-and-policies"),
        pytest.param({"access": "policies"}, "policies go with", id="no-policies"),
        pytest.param({"access": "token", "policies": [{"decision": "allow", "include": [{"everyone": True}]}]},
                     "policies go with", id="token-and-policies"),
        pytest.param({"any_user": True, "report_only": "yes"}, "report_only", id="report-only"),
    ],
)  # fmt: skip
def test_a_short_form_that_is_not_understood_names_the_mend(short: dict[Any, Any], mend: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^rules: the rule for '/a'.*{mend}"):
        Rule.from_mapping({"pattern": "/a", **short})


@pytest.mark.parametrize(
    ("short", "rule"),
    [
        pytest.param(
            {"allow": {"groups": ["admins"], "ips": ["192.0.2.0/24"]}},
            Rule.allow("/a", groups=["admins"], ips=["192.0.2.0/24"]),
            id="allow",
        ),
        pytest.param({"any_user": True}, Rule.any_user("/a"), id="any-user"),
        pytest.param({"deny": True}, Rule.deny("/a"), id="deny"),
        pytest.param({"service": True}, Rule.service("/a"), id="any-service"),
        pytest.param(
            {"service": ["e367826f93b8d71185e03fe518aff3b4.access"]},
            Rule.service("/a", tokens=["e367826f93b8d71185e03fe518aff3b4.access"]),
            id="this-service",
        ),
        pytest.param(
            {"policies": [{"decision": "bypass", "include": [{"everyone": True}]}]},
            Rule.guarded("/a", [{"decision": "bypass", "include": [{"everyone": True}]}]),
            id="policies-alone",
        ),
    ],
)
def test_short_forms_mean_what_the_constructors_mean(short: dict[str, Any], rule: Rule) -> None:
    assert Rule.from_mapping({"pattern": "/a", **short}) == rule
    assert Rule.from_mapping(rule.to_mapping()) == rule


def test_what_a_rule_requires_in_effect() -> None:
    public = Rule.guarded("/a", [{"decision": "bypass", "include": [{"everyone": True}]}])
    assert (public.effective, public.has_bypass) == (Access.PUBLIC, True)
    assert (Rule.deny("/a").effective, Rule.deny("/a").has_bypass) == (Access.POLICIES, False)
    with pytest.raises(ConfigurationError, match="everything=True"):
        Rule.guarded("/*", [{"decision": "bypass", "include": [{"everyone": True}]}])
    assert Rule.any_user("/*").pattern == "/*", "a rule that protects needs no such word"


def test_a_rule_with_foreign_policies_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="policies is a tuple of Policy"):
        Rule(pattern="/a", access=Access.POLICIES, policies=["x"])  # type: ignore[arg-type]
