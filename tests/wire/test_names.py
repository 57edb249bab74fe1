"""Which headers are ours, and which could pass for somebody."""

import pytest

from cfaccess_mw.wire.names import LONGEST, REMEMBERED, Kind, Names


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(b"cf-access-jwt-assertion", Kind.ASSERTION, id="assertion"),
        pytest.param(b"Cf-Access-Jwt-Assertion", Kind.ASSERTION, id="assertion-any-case"),
        pytest.param(b"cf_access_jwt_assertion", Kind.SPOOFABLE, id="assertion-underscores-is-not-the-header"),
        pytest.param(b"cf-access_jwt-assertion", Kind.SPOOFABLE, id="assertion-mixed"),
        pytest.param(b"cf-access-authenticated-user-email", Kind.SPOOFABLE, id="email"),
        pytest.param(b"cf-access-", Kind.SPOOFABLE, id="prefix-alone"),
        pytest.param(b"cf-access-client-secret", Kind.SPOOFABLE, id="service-token"),
        pytest.param(b"cf_access_anything", Kind.SPOOFABLE, id="underscores"),
        pytest.param(b"cf-acce\xdf-authenticated-user-email", Kind.SPOOFABLE, id="sharp-s-is-SS-in-capitals"),
        pytest.param(b"cf-acce\xdf-jwt-assertion", Kind.SPOOFABLE, id="sharp-s-is-not-the-header"),
        pytest.param(b"remote-user", Kind.SPOOFABLE, id="remote-user"),
        pytest.param(b"Remote_User", Kind.SPOOFABLE, id="remote-user-underscore"),
        pytest.param(b"x-user", Kind.SPOOFABLE, id="named-by-the-operator"),
        pytest.param(b"X_User", Kind.SPOOFABLE, id="named-by-the-operator-underscore"),
        pytest.param(b"x_team", Kind.SPOOFABLE, id="named-with-underscore"),
        pytest.param(b"x-team", Kind.SPOOFABLE, id="named-with-underscore-sent-with-dash"),
        pytest.param(b"cf-accession", Kind.OTHER, id="only-looks-alike"),
        pytest.param(b"cf-access", Kind.OTHER, id="prefix-without-dash"),
        pytest.param(b"x-cf-access-jwt-assertion", Kind.OTHER, id="not-at-the-beginning"),
        pytest.param(b"authorization", Kind.OTHER, id="authorization-stays"),
        pytest.param(b"cf-ray", Kind.OTHER, id="ray-stays"),
        pytest.param(b"cf-connecting-ip", Kind.OTHER, id="address-stays"),
        pytest.param(b"cookie", Kind.OTHER, id="cookie-does-not-count-here"),
        pytest.param(b"host", Kind.OTHER, id="host-does-not-count-here"),
        pytest.param(b"\xc3\xa9", Kind.OTHER, id="not-ascii"),
        pytest.param(b"", Kind.OTHER, id="empty"),
    ],
)
def test_a_name_is_classified(name: bytes, kind: Kind) -> None:
    names = Names(["x-user", "x_team"], cookie=False, host=False)
    assert names[name] is kind
    assert names[name] is kind, "and the same when it is remembered"


def test_cookie_and_host_are_marked_where_they_count() -> None:
    names = Names([], cookie=True, host=True)
    assert (names[b"cookie"], names[b"host"]) == (Kind.COOKIE, Kind.HOST)


def test_new_names_are_not_remembered_without_end() -> None:
    names = Names([], cookie=False, host=False)
    for number in range(5_000):
        assert names[b"x-%d" % number] is Kind.OTHER
        assert len(names) <= REMEMBERED
    assert names[b"cf-access-late"] is Kind.SPOOFABLE
    assert b"cf-access-late" in names, "what comes later is learned as well"


def test_long_names_are_not_remembered() -> None:
    names = Names([], cookie=False, host=False)
    assert names[b"cf-access-" + b"x" * 60_000] is Kind.SPOOFABLE
    assert names[b"x" * LONGEST] is names[b"x" * (LONGEST + 1)] is Kind.OTHER
    assert list(names) == [b"x" * LONGEST]
