"""Are the requests that are measured those that a server would hand on, and different ones by every option?"""

import pytest

from benchmarks.ours import Core, expect
from benchmarks.subject import KINDS, Subject
from benchmarks.traffic import environs, headers_of, scopes
from cfaccess_mw.core.table import RuleTable


@pytest.fixture(scope="module", params=KINDS)
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(kind=request.param)


def test_the_seed_says_who_and_what() -> None:
    one, same, other = Subject(seed=3), Subject(seed=3), Subject(seed=4)
    assert one.audience == same.audience != other.audience
    assert one.table(50) == same.table(50) != other.table(50)
    assert one.paths(one.table(50), 3) == same.paths(same.table(50), 3)


@pytest.mark.parametrize("count", [10, 25, 60])
def test_a_request_has_so_many_headers(count: int) -> None:
    subject = Subject(headers=count)
    headers = dict(headers_of(subject, subject.token))
    assert len(headers) == count
    assert headers["cf-access-jwt-assertion"] == subject.token
    assert 3_800 <= len(headers["cookie"]) <= 4_096


def test_a_service_sends_no_email() -> None:
    subject = Subject(kind="service")
    assert "cf-access-authenticated-user-email" not in dict(headers_of(subject, subject.token))


def test_no_text_of_a_request_was_used_before() -> None:
    subject = Subject()
    for supply, texts in (
        (scopes, lambda scope: [scope["path"], *(text for header in scope["headers"] for text in header)]),
        (environs, lambda environ: [value for value in environ.values() if isinstance(value, str) and len(value) > 20]),
    ):
        one, other = supply(subject, subject.token, "/some/path")(2)
        for text, again in zip(texts(one), texts(other), strict=True):
            assert text == again
            assert text is not again


def test_doors_and_peers_get_the_same_request() -> None:
    subject = Subject()
    scope, environ = scopes(subject, subject.token, "/p")(1)[0], environs(subject, subject.token, "/p")(1)[0]
    for name, value in scope["headers"]:
        assert environ["HTTP_" + name.decode().upper().replace("-", "_")] == value.decode()
    assert environ["PATH_INFO"] == scope["path"] == "/p"


@pytest.mark.parametrize("size", [1, 10, 1_000])
def test_each_path_has_a_rule_that_wants_a_token(size: int) -> None:
    subject = Subject()
    rules = subject.table(size)
    table = RuleTable(rules, audience=frozenset({subject.audience}))
    for path in subject.paths(rules, 20):
        found = table.find("GET", path, None, "", None)
        assert [rule.pattern for rule in found.rules] == [path.rpartition("/items/")[0] + "/*"]


def test_good_tokens_are_different_and_good(subject: Subject) -> None:
    core = Core(subject)
    tokens = subject.pool(5)
    assert len(set(tokens)) == len(tokens) >= 5
    for token in tokens:
        expect(core.gate.decide(core.requirement, token, subject.issuer.read(token.decode())["iat"] + 1), passes=True)  # type: ignore[index]  # it is good


def test_bad_tokens_are_refused(subject: Subject) -> None:
    core = Core(subject)
    for token in subject.forged.values():
        expect(core.gate.decide(core.requirement, token, subject.issuer.read(subject.token)["iat"]), passes=False)  # type: ignore[index]  # it is good


def test_unsigned_tokens_pass_only_where_no_signature_is_computed(subject: Subject) -> None:
    now = subject.issuer.read(subject.token)["iat"]  # type: ignore[index]  # it is good
    core, lenient = Core(subject), Core(subject, signatures=False)
    one, other = core.unsigned(1), core.unsigned(2)
    assert one != other
    assert abs(len(one) - len(subject.token)) < 60
    expect(core.gate.decide(core.requirement, one, now), passes=False)
    expect(lenient.gate.decide(core.requirement, one, now), passes=True)


@pytest.mark.parametrize("passes", [True, False])
def test_what_is_not_as_it_should_be_is_not_measured(passes: bool, subject: Subject) -> None:
    core = Core(subject)
    token = subject.forged["expired"] if passes else subject.token.encode()
    decision = core.gate.decide(core.requirement, token, subject.issuer.read(subject.token)["iat"])  # type: ignore[index]  # it is good
    with pytest.raises(RuntimeError, match="token led to"):
        expect(decision, passes=passes)
