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
        pytest.param("/a%20", "write it decoded", id="percent-encoded-at-the-end"),
        pytest.param("/%2F", "write it decoded", id="percent-encoded-upper"),
        pytest.param("/%af", "write it decoded", id="percent-encoded-lower"),
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
        pytest.param(
            {"methods": "get"}, "methods has 'get'; a method is upper-case letters", id="a method in lower case"
        ),
        pytest.param({"methods": ["GET", ""]}, "upper-case letters", id="an empty method"),
        pytest.param({"methods": "M-SEARCH"}, "upper-case letters", id="a method with a hyphen"),
        pytest.param({"methods": "HEAD"}, "name GET", id="HEAD without GET"),
        pytest.param({"methods": 7}, "methods is a text or a list of texts, not a value of type int", id="a number"),
        pytest.param({"hosts": 7}, "hosts is a text or a list of texts", id="a number as host"),
        pytest.param({"audience": 7}, "audience is a text or a list of texts", id="a number as audience"),
        pytest.param({"hosts": "*" * 65}, "hosts has '[*]{64}'; a host", id="no more of a long text than will do"),
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
        pytest.param({"audience": "a\x7f"}, "AUD tag", id="a control character in the audience"),
        pytest.param({"audience": "\u00e4"}, "AUD tag", id="an audience beyond ASCII"),
        pytest.param(
            {"audience": "a b"}, "audience has 'a b'; an audience is .* AUD tag", id="a space in the audience"
        ),
        pytest.param(
            {"everything": True}, "everything=True goes .* take it off", id="everything where nothing of the kind"
        ),
    ],
)
def test_what_a_rule_speaks_of_is_checked(arguments: dict[str, Any], mend: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^rules: .*{mend}"):
        Rule.from_mapping({"pattern": "/x", "access": "public", **arguments})


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        pytest.param(
            {"pattern": 7, "access": Access.TOKEN}, "a pattern is a text .* not a value of type int", id="pattern"
        ),
        pytest.param({"pattern": "/x", "access": "token"}, "access is one of .* not a value of type str", id="access"),
        pytest.param(
            {"pattern": "/x", "access": Access.TOKEN, "methods": {"GET"}},
            "methods is a set of texts, not a value of type set",
            id="methods",
        ),
        pytest.param(
            {"pattern": "/x", "access": Access.TOKEN, "hosts": frozenset({7})},
            "hosts has a value of type int; a host",
            id="a member",
        ),
        pytest.param(
            {"pattern": "/x", "access": Access.POLICIES, "policies": ["x"]},
            "policies is a tuple of Policy",
            id="a list",
        ),
        pytest.param(
            {"pattern": "/x", "access": Access.POLICIES, "policies": ("x",)},
            "policies is a tuple of Policy",
            id="a text",
        ),
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
        pytest.param(
            {"patern": "/x", "access": "public"}, "the key 'patern' is not known; did you mean 'pattern'", id="key"
        ),
        pytest.param({"zzz": 1}, "'zzz' is not known; it is one of pattern, access", id="key like no other"),
        pytest.param({7: 1}, "'7' is not known", id="key that is a number"),
        pytest.param(
            {"pattern": "/x", "access": "publc"}, "the access 'publc' is not known; did you mean 'public'", id="access"
        ),
        pytest.param({"pattern": "/x", "access": ["public"]}, "is not known", id="access of another type"),
        pytest.param(
            {"pattern": "/x"},
            "'/x': lacks its access: none of access, allow, any_user, deny, service; every rule",
            id="no access",
        ),
        pytest.param({"pattern": "/" * 65}, "the rule for '/{64}': lacks", id="no more of a long pattern than will do"),
        pytest.param({"z" * 65: 1}, "the key 'z{64}' is not known", id="no more of a long key than will do"),
        pytest.param({"access": "public"}, "lacks its pattern", id="no pattern"),
        pytest.param({"pattern": None, "access": "public"}, "a pattern is a text", id="pattern of another type"),
        pytest.param("/x", "a rule is a mapping .* not a value of type str", id="not a mapping"),
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
        pytest.param({"service": 1}, "service_token", id="one-is-not-true"),
        pytest.param({"service": None}, "service_token", id="service-not-said"),
        pytest.param({"allow": {"email_domain": "a.example", "ips": None}}, "'ips' is None", id="condition-not-said"),
        pytest.param({"policies": []}, "policies: is empty", id="empty-policies"),
        pytest.param({"deny": True, "any_user": True}, "more than one of", id="two-forms"),
        pytest.param({"deny": True, "policies": []}, "stands beside policies", id="form-and-policies"),
        pytest.param({"access": "policies"}, "policies go with", id="no-policies"),
        pytest.param({"access": "token", "policies": [{"decision": "allow", "include": [{"everyone": True}]}]},
                     "policies go with", id="token-and-policies"),
        pytest.param({"allow": {"n" * 65: None}}, "'n{64}' is None", id="long-condition-not-said"),
        pytest.param({"any_user": True, "report_only": "yes"}, "report_only is a value of type str", id="report-only"),
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
    mixed = Rule.guarded("/a", [*BYPASS["policies"], {"decision": "deny", "include": [EVERYONE]}])
    assert (mixed.effective, mixed.has_bypass) == (Access.PUBLIC, True)
    assert (Rule.deny("/a").effective, Rule.deny("/a").has_bypass) == (Access.POLICIES, False)
    with pytest.raises(ConfigurationError, match="everything=True"):
        Rule.guarded("/*", [{"decision": "bypass", "include": [{"everyone": True}]}])
    assert Rule.any_user("/*").pattern == "/*", "a rule that protects needs no such word"


EVERYONE = {"everyone": True}
SERVICE = "e367826f93b8d71185e03fe518aff3b4.access"
BYPASS = {"policies": [{"decision": "bypass", "include": [EVERYONE]}]}


@pytest.mark.parametrize(
    ("form", "given", "said"),
    [
        pytest.param("public", {}, {"access": "public"}, id="public"),
        pytest.param("optional", {}, {"access": "optional"}, id="optional"),
        pytest.param("token", {}, {"access": "token"}, id="token"),
        pytest.param(
            "guarded", BYPASS, {"access": "policies", "policies": [{"decision": "bypass", "include": [EVERYONE]}]},
            id="guarded",
        ),
        pytest.param(
            "allow", {"method": "PUT"},
            {"access": "policies", "policies": [{"decision": "allow", "include": [{"method": "PUT"}]}]},
            id="allow",
        ),
        pytest.param(
            "any_user", {}, {"access": "policies", "policies": [{"decision": "allow", "include": [EVERYONE]}]},
            id="any-user",
        ),
        pytest.param(
            "deny", {}, {"access": "policies", "policies": [{"decision": "deny", "include": [EVERYONE]}]}, id="deny"
        ),
        pytest.param(
            "service", {},
            {"access": "policies",
             "policies": [{"decision": "service_auth", "include": [{"any_valid_service_token": True}]}]},
            id="service",
        ),
        pytest.param(
            "service", {"tokens": SERVICE},
            {"access": "policies", "policies": [{"decision": "service_auth", "include": [{"service_token": SERVICE}]}]},
            id="this-service",
        ),
    ],
)  # fmt: skip
def test_each_short_form_says_what_it_says_of_the_requests_that_it_is_told(
    form: str, given: dict[str, Any], said: dict[str, Any]
) -> None:
    make = getattr(Rule, form)
    assert make("/a", **given).to_mapping() == {"pattern": "/a", **said}
    some = {"methods": ["PUT"], "hosts": ["a.example"], "audience": ["x"]}
    assert make("/a", **some, **given).to_mapping() == {"pattern": "/a", **some, **said}


@pytest.mark.parametrize(
    ("form", "given"), [("public", {}), ("optional", {}), ("guarded", BYPASS)], ids=["public", "optional", "guarded"]
)
def test_a_short_form_that_opens_passes_the_word_on(form: str, given: dict[str, Any]) -> None:
    assert getattr(Rule, form)("/*", everything=True, **given).everything is True
    assert getattr(Rule, form)("/a", **given).everything is False


@pytest.mark.parametrize(("form", "given"), [("allow", EVERYONE), ("guarded", BYPASS)], ids=["allow", "guarded"])
def test_a_short_form_with_policies_may_only_report(form: str, given: dict[str, Any]) -> None:
    assert getattr(Rule, form)("/a", report_only=True, **given).report_only is True
    assert getattr(Rule, form)("/a", **given).report_only is False


@pytest.mark.parametrize("access", [{}, {"access": "policies"}], ids=["policies-alone", "with-their-access"])
def test_policies_are_read_with_the_references_that_are_given(access: dict[str, str]) -> None:
    policies = [{"decision": "allow", "include": [{"group": {"id": "g"}}]}]
    references = {"groups": {"g": {"include": [{"method": "PUT"}]}}}
    made = Rule.guarded("/a", policies, references=references)
    assert Rule.from_mapping({"pattern": "/a", "policies": policies, **access}, references) == made
    with pytest.raises(ConfigurationError, match="'g' is not among the groups of references"):
        Rule.guarded("/a", policies)
