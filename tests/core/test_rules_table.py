"""Which rule does a request get, and what is required of it?"""

import sys
from collections.abc import Iterable

import pytest

from cfaccess_mw.core.errors import AmbiguousHost, AmbiguousPath, ConfigurationError
from cfaccess_mw.core.hosts import canonical_host
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.table import RuleTable

OURS = frozenset({"ours"})


def table(*rules: Rule, host_routing: bool = True) -> RuleTable:
    """Return a table of these rules, with one audience of its own."""
    return RuleTable(rules, audience=OURS, host_routing=host_routing)


def named(*patterns: str) -> RuleTable:
    """Return a table whose rules each ask for the audience that is called like their pattern."""
    return table(*(Rule.token(pattern, audience=pattern) for pattern in patterns))


def get(rules: RuleTable, path: str, *, method: str = "GET", host: str | None = None, root: str = "") -> Requirement:
    """Ask as a door does, without a raw path."""
    return rules.find(method, path, None, root, host)


def audiences(requirement: Requirement) -> set[str]:
    """Return every audience that is asked for."""
    return {audience for one in requirement.audiences for audience in one}


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        pytest.param("/", ["/"], ["/a", "/a/"], id="the root"),
        pytest.param("/healthz", ["/healthz", "/healthz/"], ["/", "/healthz/x", "/healthzz", "/health"], id="exact"),
        pytest.param("/healthz/", ["/healthz", "/healthz/"], ["/healthz/x"], id="exact, written with a slash"),
        pytest.param("/a/*", ["/a", "/a/", "/a/x", "/a/x/", "/a/x/y"], ["/ab", "/", "/b/a"], id="and below"),
        pytest.param("/*", ["/", "/a", "/a/b/c/"], [], id="everything"),
        pytest.param("/a/*/c", ["/a/b/c", "/a/b/c/"], ["/a/c", "/a/b/b/c", "/a/b", "/a/b/c/d"], id="a segment"),
        pytest.param("/a/*/", ["/a/b", "/a/b/"], ["/a", "/a/", "/a/b/c"], id="one segment at the end"),
        pytest.param("/a/*/*", ["/a/b", "/a/b/c", "/a/b/c/d"], ["/a", "/a/"], id="a segment and below"),
        pytest.param("/*.js", ["/x.js", "/.js", "/x.js/"], ["/x.jsx", "/x.js/y", "/a/x.js"], id="a suffix"),
        pytest.param("/v*/x", ["/v1/x", "/v/x"], ["/w/x", "/v1/2/x"], id="a prefix"),
        pytest.param("/a*b*c", ["/abc", "/a1b2c", "/aabbcc", "/abcbc"], ["/acb", "/abca", "/ab", "/ac"], id="pieces"),
        pytest.param("/aa*aa", ["/aaaa", "/aaxaa"], ["/aaa", "/aa"], id="pieces do not overlap"),
        pytest.param("/a*bb*b", ["/abbb", "/axbbxb"], ["/abb", "/abxb"], id="nor those within"),
        pytest.param("/a*/*", ["/a", "/ab", "/ab/c"], ["/b"], id="partial and below"),
        pytest.param("/100%", ["/100%"], ["/100"], id="a per cent sign"),
        pytest.param("/caf\u00e9", ["/caf\u00e9"], ["/cafe"], id="beyond ASCII"),
        pytest.param("/.well-known/*", ["/.well-known", "/.well-known/x"], ["/xwell-known"], id="a dot is a dot"),
    ],
)
def test_patterns(pattern: str, matching: list[str], others: list[str]) -> None:
    rules = table(Rule.token(pattern, audience="theirs"))
    for path in matching:
        assert audiences(get(rules, path)) == {"theirs"}, path
    for path in others:
        assert audiences(get(rules, path)) == OURS, path


@pytest.mark.parametrize(
    ("patterns", "path", "winner"),
    [
        pytest.param(["/a/b", "/a/*/", "/a/x*", "/a/*"], "/a/b", "/a/b", id="a literal beats a wildcard"),
        pytest.param(["/a/*/", "/a/b*", "/a/*"], "/a/bc", "/a/b*", id="a partial wildcard beats a star"),
        pytest.param(["/a/*/", "/a/*"], "/a/b", "/a/*/", id="a star beats what is below"),
        pytest.param(["/a/*", "/a"], "/a", "/a", id="exact beats below"),
        pytest.param(["/a/*", "/a"], "/a/", "/a", id="exact beats below, with a slash"),
        pytest.param(["/a/*", "/a/b/*", "/*"], "/a/b/c", "/a/b/*", id="the deeper below wins"),
        pytest.param(["/a/*", "/a/b/*", "/*"], "/a/c", "/a/*", id="and else the next"),
        pytest.param(["/a/*", "/a/b/*", "/*"], "/c", "/*", id="and else the last"),
        pytest.param(["/a/*/c", "/*/b/c"], "/a/b/c", "/a/*/c", id="the first segment counts first"),
        pytest.param(["/a/*", "/*/b/c/d"], "/a/b/c/d", "/a/*", id="even against more literals later"),
        pytest.param(["/a/b/x", "/a/*/c", "/*/b/c"], "/a/b/c", "/a/*/c", id="a dead end leads back"),
        pytest.param(["/a/b/x", "/a/*/y", "/*/b/c"], "/a/b/c", "/*/b/c", id="two dead ends lead back"),
        pytest.param(["/ab*", "/a*"], "/abc", "/ab*", id="more literal characters"),
        pytest.param(["/ab*", "/*cde"], "/abcde", "/*cde", id="wherever they stand"),
        pytest.param(["/a*/*x", "/*bc/y"], "/abc/y", "/*bc/y", id="a later literal beats more characters"),
        pytest.param(["/a*/long*", "/*bc/l*"], "/abc/longer", "/a*/long*", id="characters count over the whole"),
        pytest.param(["/a*/*", "/*bc"], "/abc", "/*bc", id="exact beats below among partial ones"),
        pytest.param(["/a*/*", "/*bc/*"], "/abc/x", "/*bc/*", id="more characters among those below"),
        pytest.param(["/a*/x", "/*b/*"], "/ab/x", "/a*/x", id="a further segment beats characters"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_most_specific_pattern_wins(patterns: list[str], path: str, winner: str, turned: bool) -> None:
    rules = named(*(reversed(patterns) if turned else patterns))
    assert audiences(get(rules, path)) == {winner}


ADMIN = Rule.token("/x", audience="admin")


@pytest.mark.parametrize(
    ("rules", "method", "expected"),
    [
        pytest.param([Rule.public("/x", methods="GET")], "GET", None, id="named"),
        pytest.param([Rule.public("/x", methods="GET")], "HEAD", None, id="HEAD has the rule of GET"),
        pytest.param([Rule.public("/x", methods=["GET", "HEAD"])], "HEAD", None, id="HEAD may be named beside GET"),
        pytest.param([Rule.public("/x", methods="GET")], "POST", {"ours"}, id="another method gets the default"),
        pytest.param([Rule.public("/x", methods="GET")], "OPTIONS", {"ours"}, id="OPTIONS is not exempt"),
        pytest.param([Rule.public("/x", methods="GET")], "BREW", {"ours"}, id="a method nobody knows"),
        pytest.param([Rule.public("/x", methods="BREW")], "BREW", None, id="unless it is named"),
        pytest.param([Rule.public("/x", methods="GET"), ADMIN], "GET", None, id="named beats every"),
        pytest.param([Rule.public("/x", methods="GET"), ADMIN], "PUT", {"admin"}, id="every serves the rest"),
        pytest.param([Rule.token("/x", methods="PUT", audience="put"), ADMIN], "GET", {"admin"}, id="or others"),
        pytest.param(
            [Rule.token("/*", methods="PUT", audience="put"), Rule.public("/x", methods="GET")],
            "PUT",
            {"put"},
            id="a pattern without the method is passed over",
        ),
        pytest.param(
            [Rule.token("/*", methods="PUT", audience="put"), ADMIN], "PUT", {"admin"}, id="the pattern counts first"
        ),
        pytest.param([Rule.public("/x", methods="POST")], "post", {"ours"}, id="odd: no public rule by method"),
        pytest.param([Rule.optional("/x", methods="POST")], "post", {"ours"}, id="odd: no optional one either"),
        pytest.param([Rule.public("/x")], "post", None, id="odd: a public rule for every method"),
        pytest.param([Rule.public("/x")], "M-SEARCH", None, id="odd: the same with a hyphen"),
        pytest.param(
            [Rule.public("/x"), Rule.token("/x", methods="POST", audience="post")],
            "post",
            {"post"},
            id="odd: every protecting rule by method",
        ),
        pytest.param(
            [Rule.public("/x"), Rule.token("/x", methods="POST", audience="post")],
            "P\u00d6ST",
            {"post"},
            id="odd: upper-case letters beyond ASCII",
        ),
        pytest.param(
            [Rule.public("/x"), Rule.token("/x", methods="POST", audience="post")], "", {"post"}, id="odd: nothing"
        ),
        pytest.param(
            [
                ADMIN,
                Rule.token("/x", methods="POST", audience="post"),
                Rule.token("/x", methods="PUT", audience="put"),
                Rule.public("/x", methods="GET"),
            ],
            "Put",
            {"admin", "post", "put"},
            id="odd: all of them at once",
        ),
        pytest.param(
            [Rule.public("/*", everything=True), Rule.token("/*", methods="POST"), Rule.public("/x", methods="GET")],
            "post",
            {"ours"},
            id="odd: a public rule by method hides no protecting one",
        ),
        pytest.param(
            [Rule.token("/x*", methods="GET", audience="get"), Rule.token("/*x", methods="PUT", audience="put")],
            "GET",
            {"get"},
            id="of equal patterns the one with the method",
        ),
        pytest.param(
            [Rule.token("/x*", methods="GET", audience="get"), Rule.token("/*x*", methods="PUT", audience="put")],
            "PUT",
            {"put"},
            id="and the other way round",
        ),
        pytest.param(
            [Rule.public("/x"), Rule.token("/X", methods="POST", audience="post")],
            "post",
            {"post"},
            id="odd: in the folded table too",
        ),
    ],
)
def test_methods(rules: list[Rule], method: str, expected: set[str] | None) -> None:
    found = get(table(*rules), "/x", method=method)
    assert (found.access is Access.PUBLIC) == (expected is None)
    if expected is not None:
        assert audiences(found) == expected


A = "a.example"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("a.example", {"a"}, id="as written"),
        pytest.param("A.Example", {"a"}, id="another case"),
        pytest.param("a.example:8443", {"a"}, id="a port"),
        pytest.param("a.example.", {"a"}, id="a dot at the end"),
        pytest.param("A.EXAMPLE.:443", {"a"}, id="all of it"),
        pytest.param("a.example:", {"a"}, id="an empty port"),
        pytest.param("b.example", {"every"}, id="a host whose rules do not match the path"),
        pytest.param("[::1]:8000", {"six"}, id="IPv6"),
        pytest.param("[0:0::1]", {"six"}, id="IPv6 in another form"),
        pytest.param(None, None, id="missing or double"),
        pytest.param("", None, id="empty"),
        pytest.param("c.example", None, id="unlisted"),
        pytest.param("a.example.evil.example", None, id="unlisted, beginning like one that is"),
        pytest.param("a.example..", None, id="two dots at the end"),
        pytest.param("a..example", None, id="an empty label"),
        pytest.param("a.example:80:80", None, id="two ports"),
        pytest.param("a.example:eighty", None, id="a port of letters"),
        pytest.param("a.example:123456", None, id="a port too long"),
        pytest.param("a.example, b.example", None, id="two in one"),
        pytest.param(" a.example", None, id="a space"),
        pytest.param("a.example/x", None, id="a path"),
        pytest.param("user@a.example", None, id="userinfo"),
        pytest.param("a.example\n", None, id="a line feed"),
        pytest.param("[::1", None, id="a bracket missing"),
        pytest.param("[::1%25lo]", None, id="a zone"),
        pytest.param("[1::2::3]", None, id="no IPv6 address"),
        pytest.param("\u212a.example", None, id="the Kelvin sign, which lower-cases to k"),
        pytest.param("a" * 300, None, id="too long"),
    ],
)
def test_hosts(host: str | None, expected: set[str] | None) -> None:
    rules = table(
        Rule.token("/x", hosts="a.example", audience="a"),
        Rule.token("/y", hosts=["b.example", "k.example"], audience="b"),
        Rule.token("/x", hosts="[::1]", audience="six"),
        Rule.token("/x", audience="every"),
    )
    found = get(rules, "/x", host=host)
    assert found.refusal is (AmbiguousHost if expected is None else None)
    if expected is not None:
        assert audiences(found) == expected


def test_a_named_host_beats_a_more_specific_pattern() -> None:
    rules = table(
        Rule.token("/*", hosts=A, audience="a"), Rule.token("/x", audience="x"), Rule.token("/y", hosts="b.example")
    )
    assert audiences(get(rules, "/x", host=A)) == {"a"}
    assert audiences(get(rules, "/x", host="b.example")) == {"x"}


def test_where_no_rule_names_a_host_nobody_asks_for_one() -> None:
    assert get(table(Rule.public("/x")), "/x", host=None).access is Access.PUBLIC
    assert get(table(Rule.public("/x")), "/x", host="!!!").access is Access.PUBLIC


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        pytest.param(Rule.public("/x", hosts=A), "public by host", id="public"),
        pytest.param(Rule.optional("/x", hosts=A), "optional by host", id="optional"),
        pytest.param(Rule.token("/x", hosts=A, audience="x"), "audience of its own by host", id="own audience"),
        pytest.param(Rule.token("/x", hosts=A), None, id="a token for the usual audience"),
        pytest.param(Rule.public("/x"), None, id="public, but for every host"),
        pytest.param(Rule.token("/x", audience="x"), None, id="an audience of its own, but for every host"),
    ],
)
def test_rules_that_open_by_host_need_host_routing(rule: Rule, why: str | None) -> None:
    table(rule, host_routing=True)
    if why is None:
        table(rule, host_routing=False)
    else:
        with pytest.raises(ConfigurationError, match=f"{why}.*host_routing=True"):
            table(rule, host_routing=False)


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        pytest.param(
            [Rule.public("/healthz"), Rule.token("/healthz/")], "has two rules", id="a slash is no difference"
        ),
        pytest.param([Rule.public("/a/*"), Rule.public("/a/*")], "has two rules", id="twice the same"),
        pytest.param([Rule.token("/a", methods=["GET", "PUT"]), Rule.token("/a", methods="PUT")], "two", id="a method"),
        pytest.param([Rule.token("/a", hosts=[A, "b"]), Rule.token("/a", hosts=["b"])], "two rules", id="a host"),
        pytest.param([Rule.token("/a*"), Rule.token("/*b")], "equally specific", id="a prefix and a suffix"),
        pytest.param([Rule.token("/a*/*"), Rule.token("/*b/*")], "equally specific", id="the same with what is below"),
        pytest.param([Rule.token("/a*c/x"), Rule.token("/a*d*/x"), Rule.token("/*dc/x")], "equally", id="three pieces"),
        pytest.param([Rule.token("/p/*/a*"), Rule.token("/p/*/*b")], "equally specific", id="in a later segment"),
        pytest.param(
            [Rule.token("/a/*"), Rule.token("/a"), Rule.token("/a/*/*")], "never match", id="covered in parts"
        ),
        pytest.param([Rule.token("/x"), Rule.token("/*", hosts=A)], "'/x' can never match", id="every host covers it"),
        pytest.param(
            [Rule.token("/x/*"), Rule.token("/x/*", hosts=A), Rule.token("/*", hosts="b")],
            "'/x/\\*' can never match",
            id="every host covers all below",
        ),
        pytest.param(
            [Rule.token(f"/{n:03}*") for n in range(65)],
            r"more than 64 .* such as '0\d\d[*]'; write",
            id="too many partial wildcards",
        ),
        pytest.param(["/x"], "not of str; see Rule.from_mapping", id="not a rule"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_rules_that_cannot_stand_together(rules: list[Rule], why: str, turned: bool) -> None:
    with pytest.raises(ConfigurationError, match=f"^rules: .*{why}"):
        table(*(reversed(rules) if turned else rules))


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([Rule.token("/a"), Rule.token("/a/*")], id="exact and below"),
        pytest.param([Rule.token("/a/*"), Rule.token("/a"), Rule.token("/a/*/")], id="something is left below"),
        pytest.param([Rule.token("/a/*"), Rule.token("/a/*/*")], id="the path itself is left"),
        pytest.param(
            [Rule.token("/a/*"), Rule.token("/a"), Rule.token("/a/*/*", methods="GET")], id="other methods are left"
        ),
        pytest.param([Rule.token("/a", methods="GET"), Rule.token("/a", methods="PUT")], id="other methods"),
        pytest.param([Rule.token("/a", methods="GET"), Rule.token("/a")], id="a method and every method"),
        pytest.param([Rule.token("/a*", methods="GET"), Rule.token("/*b", methods="PUT")], id="partial, other methods"),
        pytest.param([Rule.token("/a*", methods="GET"), Rule.token("/*b")], id="partial, named and not"),
        pytest.param([Rule.token("/a*"), Rule.token("/b*")], id="no text has both beginnings"),
        pytest.param([Rule.token("/*a"), Rule.token("/*b")], id="no text has both endings"),
        pytest.param([Rule.token("/a*/x*"), Rule.token("/*b/y*")], id="one segment keeps them apart"),
        pytest.param([Rule.token("/ab*"), Rule.token("/*b")], id="more literal characters"),
        pytest.param([Rule.token("/*/ab*"), Rule.token("/a*/b*")], id="a star is not a partial wildcard"),
        pytest.param([Rule.token("/a", hosts=A), Rule.token("/a", hosts="b")], id="other hosts"),
        pytest.param([Rule.token("/a", hosts=A), Rule.token("/a"), Rule.token("/b", hosts="b")], id="a host is left"),
        pytest.param([Rule.token("/x"), Rule.token("/*", hosts=A, methods="GET")], id="a method is left by a host"),
        pytest.param([Rule.token("/X"), Rule.public("/x")], id="case keeps apart what is written"),
        pytest.param([Rule.token(f"/{n:02}*") for n in range(64)], id="as many partial wildcards as may be"),
        pytest.param([], id="no rules at all"),
    ],
)
def test_rules_that_can(rules: list[Rule]) -> None:
    assert table(*rules).rules == tuple(rules)


def test_an_audience_is_needed() -> None:
    with pytest.raises(ConfigurationError, match=r"^audience: "):
        RuleTable([], audience=frozenset())


PUBLIC, OPTIONAL, TOKEN = Access.PUBLIC, Access.OPTIONAL, Access.TOKEN
OPEN = Rule.public("/*", everything=True)


@pytest.mark.parametrize(
    ("rules", "path", "root", "access"),
    [
        pytest.param([], "/", "", TOKEN, id="the default is a token"),
        pytest.param([Rule.public("/static/*")], "/static/a b.png", "", PUBLIC, id="a space is honest"),
        pytest.param([Rule.public("/static/*")], "/static/100%.png", "", PUBLIC, id="so is a per cent sign"),
        pytest.param([Rule.public("/static/*")], "/static/Logo.PNG", "", PUBLIC, id="so is upper case"),
        pytest.param([Rule.public("/static/*")], "/static/a;v=1", "", PUBLIC, id="all readings are public"),
        pytest.param([Rule.public("/static/*")], "/static//a%2541", "", PUBLIC, id="all of many readings"),
        pytest.param([Rule.public("/static/*")], "/STATIC/x", "", TOKEN, id="folding opens nothing"),
        pytest.param([Rule.public("/static/*")], "//static/x", "", TOKEN, id="nor does collapsing"),
        pytest.param([Rule.public("/static/*")], "/%73tatic/x", "", TOKEN, id="nor does decoding"),
        pytest.param([Rule.public("/static/*")], "/static;/x", "", TOKEN, id="nor do parameters"),
        pytest.param([Rule.public("/static/*")], "/static%2Fx", "", TOKEN, id="nor does an encoded slash"),
        pytest.param([Rule.public("/static/*")], "/api/static/x", "/api", TOKEN, id="nor does a mount"),
        pytest.param([Rule.public("/api/static/*")], "/static/x", "/api", TOKEN, id="nor one that was cut off"),
        pytest.param([Rule.public("/healthz")], "/healthz;/admin", "", TOKEN, id="parameters hide a slash"),
        pytest.param([OPEN, Rule.token("/admin")], "/admin", "", TOKEN, id="protected as written"),
        pytest.param([OPEN, Rule.token("/admin")], "//admin", "", TOKEN, id="protected once collapsed"),
        pytest.param([OPEN, Rule.token("/admin")], "/admin;x", "", TOKEN, id="protected once parameters drop"),
        pytest.param([OPEN, Rule.token("/admin")], "/admin?x", "", TOKEN, id="protected once cut"),
        pytest.param([OPEN, Rule.token("/admin")], "/%61dmin", "", TOKEN, id="protected once decoded again"),
        pytest.param([OPEN, Rule.token("/admin")], "/%2541dmin%253Bx", "", TOKEN, id="decoded, folded, dropped"),
        pytest.param([OPEN, Rule.token("/admin")], "/ADMIN", "", TOKEN, id="protected once folded"),
        pytest.param([OPEN, Rule.token("/Admin")], "/admin", "", TOKEN, id="where the rule is folded"),
        pytest.param([OPEN, Rule.token("/adm\u00efn")], "/ADMI\u0308N", "", TOKEN, id="composed"),
        pytest.param([OPEN, Rule.token("/admin")], "/\uff41dmin", "", TOKEN, id="full-width"),
        pytest.param([OPEN, Rule.token("/stra\u00dfe")], "/STRASSE", "", TOKEN, id="sharp s"),
        pytest.param([OPEN, Rule.token("/\u017fecret")], "/secret", "", TOKEN, id="long s"),
        pytest.param([OPEN, Rule.token("/a\uff0a")], "/ab", "", PUBLIC, id="a full-width asterisk is no wildcard"),
        pytest.param([Rule.public("/x"), Rule.token("/X")], "/x", "", TOKEN, id="a folded tie protects"),
        pytest.param(
            [OPEN, Rule.token("/x/*"), Rule.public("/x/Y")], "/x/Y", "", PUBLIC, id="a folded public rule wins"
        ),
        pytest.param([Rule.optional("/x")], "/x", "", OPTIONAL, id="optional"),
        pytest.param([OPEN, Rule.optional("/x")], "/X", "", OPTIONAL, id="optional once folded"),
        pytest.param([Rule.optional("/x")], "/X", "", TOKEN, id="folding to optional opens nothing"),
        pytest.param([OPEN, Rule.optional("/x"), Rule.token("/x;a")], "/x;a", "", TOKEN, id="the strictest counts"),
        pytest.param([OPEN, Rule.token("/admin")], "/api/admin", "/api", TOKEN, id="the remainder is protected"),
        pytest.param([OPEN, Rule.token("/admin")], "/api/ADMIN", "/api", TOKEN, id="the remainder once folded"),
        pytest.param([OPEN, Rule.token("/admin")], "/api/admin", "/app", PUBLIC, id="another mount"),
        pytest.param([OPEN, Rule.token("/api/admin")], "/static/api/admin", "/api", TOKEN, id="Litestar's splice"),
        pytest.param([OPEN, Rule.token("/api/admin")], "/apiadmin", "/api", TOKEN, id="without a slash"),
        pytest.param([OPEN, Rule.token("/api/admin")], "/admin", "/api", TOKEN, id="a root_path that was cut off"),
        pytest.param(
            [OPEN, Rule.token("/a/*"), Rule.public("/a/b")], "/m/a/b", "/m", TOKEN, id="protecting rules only"
        ),
        pytest.param([Rule.public("/api/x")], "/api/x", "/api", PUBLIC, id="public under a mount"),
        pytest.param(
            [OPEN, Rule.token("/a/*"), Rule.public("/a/b", methods="GET")],
            "/m/a/b",
            "/m",
            TOKEN,
            id="protecting rules only, by method too",
        ),
        pytest.param([Rule.public("/ax*"), Rule.token("/A*x")], "/axx", "", TOKEN, id="a folded tie of wildcards"),
        pytest.param([Rule.token("/AX*"), Rule.public("/a*x")], "/axx", "", TOKEN, id="the same the other way round"),
    ],
)
def test_readings(rules: Iterable[Rule], path: str, root: str, access: Access) -> None:
    found = get(table(*rules), path, root=root)
    assert (found.refusal, found.access) == (None, access)


def test_a_raw_path_counts() -> None:
    rules = table(OPEN, Rule.token("/a%2Fb".replace("%2F", "*"), audience="x"), Rule.public("/a/b"))
    assert get(rules, "/a/b").access is PUBLIC
    assert audiences(rules.find("GET", "/a/b", b"/a%2Fb", "", None)) == {"x"}
    assert rules.find("GET", "/a/b", b"/a/c", "", None).refusal is AmbiguousPath


def test_every_audience_is_asked_for() -> None:
    rules = table(Rule.token("/x/*", audience="x"), Rule.token("/X/*", audience="big"), OPEN)
    assert get(rules, "/x/a").audiences == (frozenset({"x"}), frozenset({"big"}))


def test_public_audiences_count_among_themselves_only() -> None:
    rules = table(Rule.public("/p", audience="p"), Rule.public("/p;x", audience="q"), Rule.token("/P;y", audience="t"))
    assert audiences(get(rules, "/p;x")) == {"p", "q"}
    assert audiences(get(rules, "/p;y")) == {"t", "ours"}


def test_the_same_audience_is_asked_for_once() -> None:
    rules = table(Rule.token("/x"), Rule.token("/X"))
    assert get(rules, "/x").audiences == (OURS,)
    assert len(get(rules, "/x").rules) == 2


def test_refusals_are_met_by_nobody() -> None:
    found = get(table(OPEN), "/a/../b")
    assert (found.refusal, found.access, found.audiences) == (AmbiguousPath, TOKEN, (frozenset(),))


def test_the_same_rules_are_the_same_requirement() -> None:
    rules = table(Rule.token("/a/*"), Rule.token("/b"))
    assert get(rules, "/a/x") is get(rules, "/a/y/z")
    assert get(rules, "/a") is not get(rules, "/b")
    assert get(rules, "/elsewhere") is get(rules, "/elsewhere/too")
    assert get(rules, "/elsewhere").rules == ()


def test_what_makes_no_difference_takes_no_room() -> None:
    rules = table(Rule.token("/a"))
    for number in range(100):
        rules.find(f"M{number}", "/a", None, "", f"h{number}.example")
    assert rules.remembered == 1
    rules = table(Rule.token("/a", methods="PUT"), Rule.token("/b", hosts=A))
    for number in range(100):
        rules.find(f"M{number}", "/a", None, "", f"{A}:{number}")
        rules.find("N" + "O" * number, "/a", None, "", A)
        rules.find("PUT", "/a", None, "", f"h{number}.example")
    assert rules.remembered == 2  # one for methods that are not letters, one for those that no rule names


def test_refused_paths_take_no_room() -> None:
    rules = table()
    for number in range(100):
        rules.find("GET", f"/{number}/..", None, "", None)
    assert rules.remembered == 0


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([OPEN], id="no method, no host"),
        pytest.param([OPEN, Rule.token("/a", methods="PUT"), Rule.token("/b", hosts=A)], id="methods and hosts"),
    ],
)
@pytest.mark.parametrize("method", ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"])
def test_a_known_path_costs_two_calls(rules: list[Rule], method: str) -> None:
    found = table(*rules)
    found.find(method, "/a/b", b"/a/b", "/m", A)
    calls: list[str] = []
    sys.setprofile(lambda frame, event, _: calls.append(frame.f_code.co_name) if event == "call" else None)
    try:
        found.find(method, "/a/b", b"/a/b", "/m", A)
    finally:
        sys.setprofile(None)
    assert calls == ["find", "get"]


def test_the_number_of_rules_does_not_matter() -> None:
    """Counted in calls, which repeat exactly, for paths never seen before."""

    def calls_with(size: int) -> int:
        rules = table(
            *(Rule.token(f"/app/{number}/x/*") for number in range(size)),
            *(Rule.token(f"/tenant/*/{number}") for number in range(size)),
        )
        calls = 0

        def count(frame: object, event: str, _: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            for path in ("/app/7/x/y", "/tenant/acme/7", "/none/of/them"):
                rules.find("GET", path, None, "", None)
        finally:
            sys.setprofile(None)
        return calls

    assert calls_with(10) == calls_with(1_000)


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("A.b:1", "a.b"),
        ("[::0001]", "[::1]"),
        ("_x", "_x"),
        ("a b", None),
        (":80", None),
        ("a-1.b-2_c.d", "a-1.b-2_c.d"),
        ("10.0.0.1:65535", "10.0.0.1"),
        ("a.b.:65535", "a.b"),
        ("a.b:", "a.b"),
        ("a.b:123456", None),
        ("a.b/", None),
        ("a.b@", None),
        ("a.b,", None),
        ("a.b..", None),
        ("[2001:DB8::A]:65535", "[2001:db8::a]"),
        ("[64:ff9b::192.0.2.1]:", "[64:ff9b::c000:201]"),
        ("[::1]:123456", None),
        ("[]", None),
    ],
)
def test_canonical_host(value: str, host: str | None) -> None:
    assert canonical_host(value) == host


def test_where_two_segments_rank_equal_the_one_that_names_the_method_wins() -> None:
    rules = table(Rule.token("/a*", methods="GET", audience="get"), Rule.token("/*a", audience="any"))
    assert audiences(get(rules, "/aa")) == {"get"}
    assert audiences(get(rules, "/aa", method="POST")) == {"any"}


@pytest.mark.parametrize("path", ["/a", "/A"])
def test_where_case_is_not_minded_everything_that_protects_is_asked(path: str) -> None:
    rules = table(Rule.token("/a", audience="small"), Rule.token("/A", audience="capital"))
    assert audiences(get(rules, path)) == {"small", "capital"}


def test_a_method_that_may_be_taken_for_another_has_to_meet_what_each_would() -> None:
    rules = table(Rule.token("/a", methods="PUT", audience="put"), Rule.token("/a", audience="every"))
    assert audiences(get(rules, "/a", method="PUT")) == {"put"}
    assert audiences(get(rules, "/a", method="put")) == {"put", "every"}
    rules = table(Rule.token("/a/b", methods="PUT", audience="put"), Rule.token("/a/*", audience="below"))
    assert audiences(get(rules, "/a/b", method="put")) == {"put", "below"}


def test_a_rule_that_only_reports_says_so_and_what_refuses_beside_it_counts() -> None:
    trial = Rule.guarded("/t/*", [{"decision": "deny", "include": [{"everyone": {}}]}], report_only=True)
    rules = table(trial, Rule.token("/T/x"))
    assert get(rules, "/t/y").report_only is True
    assert get(rules, "/t/x").report_only is get(rules, "/else").report_only is False


@pytest.mark.parametrize(("decision", "opens"), [("bypass", True), ("allow", False)])
def test_default_policies_open_only_by_a_bypass(decision: str, opens: bool) -> None:
    [made] = Rule.guarded("/x", [{"decision": decision, "include": [{"ip": "192.0.2.0/24"}]}]).policies
    assert get(RuleTable([], audience=OURS, policies=[made]), "/").may_open is opens


def test_a_remembered_path_weighs_what_it_costs() -> None:
    rules = table(OPEN)
    requirement = rules.find("GET", "/m/x y", b"/m/x%20y", "/m", None)
    assert rules._paths._held == 320 + 4 * (len("/m/x y") + len("/m")) + len(b"/m/x%20y")
    assert [value for value, _ in rules._paths._young.values()] == [requirement]


def test_what_a_table_remembers_is_bounded() -> None:
    rules = table(OPEN)
    assert (2 * rules._paths._count, 2 * rules._paths._weight) == (16_384, 8 * 1024 * 1024)
    assert (2 * rules._requirements._count, 2 * rules._requirements._weight) == (16_384, 16_384)


def test_where_no_rule_names_a_method_it_takes_no_place_in_memory() -> None:
    rules = table(OPEN)
    for method in ("GET", "get", "PURGE", "!"):
        get(rules, "/x", method=method)
    assert rules.remembered == 1


def test_case_is_not_minded_among_the_rules_of_a_host_either() -> None:
    rules = table(Rule.token("/A", hosts="a.example", audience="host"))
    assert audiences(get(rules, "/a", host="a.example")) == {"host", *OURS}


def test_what_lies_below_the_mount_adds_only_what_protects_whatever_its_case() -> None:
    rules = table(Rule.public("/m/*"), Rule.optional("/Shy"), Rule.token("/Admin"))
    assert get(rules, "/m/shy", root="/m").access is Access.PUBLIC
    assert get(rules, "/m/admin", root="/m").access is Access.TOKEN


def test_the_longest_host_has_261_characters() -> None:
    assert canonical_host("a" * 261) == "a" * 261
    assert canonical_host("a" * 262) is None


def test_explain_says_what_was_asked_and_what_came_of_it() -> None:
    admin = Rule.token("/admin/*")
    rules = table(OPEN, admin)
    told = rules.explain("GET", "//ADMIN", root_path="/m")
    assert told.requirement is get(rules, "//ADMIN", root="/m")
    assert (told.ground, told.host, told.method, told.path) == (None, None, "GET", "//ADMIN")
    said = {(look.path, look.folded): look.rules for look in told.look_ups}
    assert said["//ADMIN", False] == (OPEN,)
    assert said["/admin", True] == (admin,)
    assert said["//admin", True] == ()
    assert {look.reading.steps for look in told.look_ups if look.path == "/admin"} == {("collapse-slashes",)}
    assert not any(look.default for look in told.look_ups)


def test_explain_names_the_default() -> None:
    [look] = table().explain("GET", "/x").look_ups
    assert (look.default, look.rules, look.folded) == (True, (), False)


@pytest.mark.parametrize(
    ("path", "host", "ground"),
    [
        pytest.param("/a/..", A, "dot-segment", id="path"),
        pytest.param("/a", "evil.example", "ambiguous-host", id="host"),
        pytest.param("/a", "A.example:80", None, id="neither"),
    ],
)
def test_explain_names_the_ground(path: str, host: str, ground: str | None) -> None:
    told = table(Rule.token("/a", hosts=A)).explain("GET", path, host=host)
    assert told.ground == ground
    assert bool(told.look_ups) == (ground is None)
    assert told.host == (None if ground == "ambiguous-host" else A)


def test_a_table_says_whether_hosts_matter() -> None:
    assert table(Rule.token("/a", hosts=A)).names_hosts is True
    assert table(Rule.token("/a")).names_hosts is False
    assert table(Rule.token("/a", methods=["PUT"])).names_methods is True
    assert table(Rule.token("/a")).names_methods is False


@pytest.mark.parametrize("turned", [False, True])
def test_a_more_specific_pattern_without_the_method_hides_nothing(turned: bool) -> None:
    rules = [Rule.token("/a*", methods="GET", audience="get"), Rule.token("/*bc", methods="PUT", audience="put")]
    assert audiences(get(table(*(reversed(rules) if turned else rules)), "/abc")) == {"get"}
