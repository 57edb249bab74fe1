"""Is every mistake of a configuration found at start, and told without showing a value?"""

import dataclasses
from collections.abc import Callable, Iterator
from string import ascii_lowercase, ascii_uppercase, digits
from types import MappingProxyType
from typing import Any

import pytest

from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.sharing_options import FleetOptions
from tests.tokens import AUD, OTHER_AUD

SECRET = "cfast_sup3rs3cr3t0000000000000000000000000"


def config(**given: Any) -> AccessConfig:
    """A configuration of what must be given, and what a test adds."""
    return AccessConfig(**{"team": "acme", "audience": AUD, **given})


def listener(event: object) -> None:
    """Listens."""


def test_the_defaults_are_those_of_the_manual() -> None:
    made = config()
    assert {
        field.name: getattr(made, field.name)
        for field in dataclasses.fields(made)
        if field.name not in ("teams", "peers", "table")
    } == {
        "team": ("acme",),
        "audience": (AUD,),
        "audiences": frozenset({AUD}),
        "team_url": None,
        "certs_url": None,
        "issuer": None,
        "keys": None,
        "fetcher": None,
        "cookie": False,
        "rules": (),
        "ruleset": (),
        "policies": (),
        "default_policies": (),
        "references": None,
        "trusted_peers": (),
        "certificate_headers": False,
        "report_only": False,
        "close_on_expiry": False,
        "host_routing": False,
        "leeway": 30,
        "max_age": None,
        "certificates": False,
        "cold_wait": 5,
        "hard_ttl": 86_400,
        "revalidate_every": None,
        "revoked": None,
        "fleet": None,
        "profile_fetcher": None,
        "profile_ttl": 60,
        "profile_hard_ttl": 300,
        "unauthenticated_status": 401,
        "login_redirect": False,
        "on_refusal": None,
        "refusal_template": None,
        "allow_preflight": False,
        "scrub": (),
        "remote_user": "id",
        "listeners": (),
        "audit": None,
        "recording": None,
    }
    assert [team.certs_url for team in made.teams] == ["https://acme.cloudflareaccess.com/cdn-cgi/access/certs"]


def one_by_one(*values: str) -> Iterator[str]:
    """What can be read only once."""
    yield from values


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        pytest.param({"team": ["acme"]}, {"team": ("acme",)}, id="one-team-in-a-list"),
        pytest.param({"team": ["acme", "acme"]}, {"team": ("acme",)}, id="the-same-text-twice"),
        pytest.param({"team": one_by_one("acme", "other")}, {"team": ("acme", "other")}, id="teams-from-an-iterator"),
        pytest.param(
            {"audience": one_by_one(AUD, OTHER_AUD)}, {"audience": (AUD, OTHER_AUD)}, id="audiences-from-an-iterator"
        ),
        pytest.param({"audience": {AUD}}, {"audience": (AUD,), "audiences": frozenset({AUD})}, id="audience-in-a-set"),
        pytest.param({"audience": "any-text"}, {"audience": ("any-text",)}, id="audience-of-an-emulator"),
        pytest.param({"leeway": 0}, {"leeway": 0}, id="no-leeway"),
        pytest.param({"leeway": 300}, {"leeway": 300}, id="most-leeway"),
        pytest.param({"leeway": 0.5}, {"leeway": 0.5}, id="half-a-second"),
        pytest.param({"max_age": 1}, {"max_age": 1}, id="least-max-age"),
        pytest.param({"max_age": 31_536_000}, {"max_age": 31_536_000}, id="most-max-age"),
        pytest.param({"cold_wait": 0.001}, {"cold_wait": 0.001}, id="least-cold-wait"),
        pytest.param({"cold_wait": 60}, {"cold_wait": 60}, id="most-cold-wait"),
        pytest.param({"revalidate_every": 10}, {"revalidate_every": 10}, id="least-revalidate-every"),
        pytest.param({"revalidate_every": 86_400}, {"revalidate_every": 86_400}, id="most-revalidate-every"),
        pytest.param({"profile_ttl": 1}, {"profile_ttl": 1}, id="least-profile-ttl"),
        pytest.param({"profile_ttl": 3_600}, {"profile_ttl": 3_600}, id="most-profile-ttl"),
        pytest.param({"profile_hard_ttl": 0}, {"profile_hard_ttl": 0}, id="least-profile-hard-ttl"),
        pytest.param({"profile_hard_ttl": 86_400}, {"profile_hard_ttl": 86_400}, id="most-profile-hard-ttl"),
        pytest.param({"hard_ttl": 300}, {"hard_ttl": 300}, id="least-hard-ttl"),
        pytest.param({"hard_ttl": 604_800}, {"hard_ttl": 604_800}, id="most-hard-ttl"),
        pytest.param({"unauthenticated_status": 403}, {"unauthenticated_status": 403}, id="403"),
        pytest.param({"remote_user": "email"}, {"remote_user": "email"}, id="remote-user"),
        pytest.param({"scrub": "X-User"}, {"scrub": ("x-user",)}, id="one-header"),
        pytest.param({"scrub": ["X-User", "x_y"]}, {"scrub": ("x-user", "x_y")}, id="headers"),
        pytest.param({"scrub": "Az09!#$%&'*+-.^_`|~"}, {"scrub": ("az09!#$%&'*+-.^_`|~",)}, id="any-token"),
        pytest.param(
            {"scrub": ascii_uppercase + digits}, {"scrub": (ascii_lowercase + digits,)}, id="letters-and-digits"
        ),
        pytest.param({"scrub": []}, {"scrub": ()}, id="no-headers"),
        pytest.param({"rules": []}, {"rules": ()}, id="no-rules"),
        pytest.param({"rules": [Rule.public("/healthz")]}, {"rules": (Rule.public("/healthz"),)}, id="a-rule"),
        pytest.param(
            {"rules": [{"pattern": "/healthz", "access": "public"}]},
            {"rules": (Rule.public("/healthz"),)},
            id="a-rule-as-mapping",
        ),
        pytest.param({"listeners": [listener]}, {"listeners": (listener,)}, id="a-listener"),
        pytest.param({"trusted_peers": "unix"}, {"trusted_peers": ("unix",)}, id="a-trusted-peer"),
        pytest.param({"fleet": "redis://h"}, {"fleet": FleetOptions(url="redis://h")}, id="a-fleet"),
        pytest.param({"keys": {"keys": []}}, {"keys": {"keys": []}}, id="keys-as-mapping"),
        pytest.param({"revoked": bool}, {"revoked": bool}, id="revoked"),
        pytest.param({"profile_fetcher": bool}, {"profile_fetcher": bool}, id="profile-fetcher"),
        pytest.param({"keys": "/etc/keys.json"}, {"keys": "/etc/keys.json"}, id="keys-as-path"),
    ],
)
def test_what_may_be_given_is_brought_into_one_form(given: dict[str, Any], normal: dict[str, Any]) -> None:
    made = config(**given)
    assert {name: getattr(made, name) for name in normal} == normal


def test_during_a_rename_each_team_has_its_own_addresses() -> None:
    made = config(team=["acme", "acme-corp.cloudflareaccess.com", "gov.fed"])
    assert [team.issuer for team in made.teams] == [
        "https://acme.cloudflareaccess.com",
        "https://acme-corp.cloudflareaccess.com",
        "https://gov.fed.cloudflareaccess.com",
    ]


async def _asks_slowly(identity: Identity) -> bool:
    return False


NO_TEXT = [None, 1, True, b"acme", {"a": 1}, object()]

# Each key, wrong in each of its ways.
WRONG: dict[str, list[Any]] = {
    "team": [*NO_TEXT, "", [], (), [""], ["acme", ""], ["acme", None], ["acme", 1], [b"acme"], [["acme"]], "a b",
             "evil.example", ["acme", "ACME"], ["acme", "acme.cloudflareaccess.com"], SECRET],
    "audience": [*NO_TEXT, "", [], (), set(), [""], [None], [1], [AUD, None], [AUD, ""], "a b", "a,b", "a\n", "é",
                 "\x7f", [AUD + " "], SECRET + " "],
    "team_url": [*NO_TEXT[1:], "", "acme", "http://team.example", "https://team.example/path", "https://a@team.example",
                 f"https://u:{SECRET}@team.example", SECRET],
    "certs_url": [*NO_TEXT[1:], "", "certs", "http://team.example", "https://team.example?", "file:///etc/passwd",
                  f"https://u:{SECRET}@team.example", f"https://team.example/?{SECRET}", SECRET],
    "issuer": [*NO_TEXT[1:], "", "a b", "é", "a\n", SECRET + " "],
    "keys": [1, True, b"{}", [], [{"kty": "RSA"}], (), "", {}, object(), b"" + SECRET.encode()],
    "cookie": [None, 0, 1, "true", "yes", [], SECRET],
    "rules": [None, 1, "x", "/healthz", b"x", {"pattern": "/a", "access": "public"}, [1], ["/healthz"], [None],
              [("/a", "public")], [SECRET]],
    "policies": [None, 1, "x", b"x", [1], [None], [{}], [SECRET], [{"decision": "allow"}], [{"decision": "x"}], SECRET],
    "references": [1, "x", b"x", [1], {"grups": {}}, {"groups": 1}, SECRET],
    "trusted_peers": [None, 1, b"unix", "", [""], [None], ["unix", 1], "localhost", "Loopback", "10.0.0.1/8",
                      SECRET],
    "certificate_headers": [None, 0, 1, "true", SECRET],
    "report_only": [None, 0, 1, "true", SECRET],
    "close_on_expiry": [None, 0, 1, "true", SECRET],
    "host_routing": [None, 0, 1, "true", SECRET],
    "leeway": [None, -1, -0.1, 300.1, 301, True, False, "30", float("nan"), float("inf"), 10**400, [], 1j, SECRET],
    "max_age": [0, 0.5, -1, 31_536_001, True, "60", float("nan"), float("inf"), [], SECRET],
    "certificates": [None, 0, 1, "true", SECRET],
    "cold_wait": [None, 0, -1, 60.1, True, "5", float("nan"), SECRET],
    "revalidate_every": [0, 9, 86_401, True, "60", float("nan"), float("inf"), [], SECRET],
    "revoked": [1, True, [], {}, SECRET, _asks_slowly],
    "fleet": ["", 1, True, b"x", [], {}, object(), "localhost", {"namespace": "a"}, {"url": 1}, {"url": "http://a"},
              {"url": "redis://a", "secret": "short"}, SECRET],
    "profile_fetcher": [1, True, [], {}, SECRET],
    "profile_ttl": [None, 0, 0.9, 3_601, True, "60", float("nan"), float("inf"), SECRET],
    "profile_hard_ttl": [None, -1, 86_401, True, "60", float("nan"), float("inf"), SECRET],
    "hard_ttl": [None, 0, 299, 604_801, True, "86400", float("nan"), float("inf"), SECRET],
    "unauthenticated_status": [None, 200, 302, 400, 404, "401", 401.0, 403.0, True, [401], SECRET],
    "login_redirect": [None, 0, 1, "true", SECRET],
    "allow_preflight": [None, 0, 1, "true", SECRET],
    "scrub": [None, 1, b"x", {"x": 1}, "", [""], [None], ["a", 1], "a b", "a:b", "a\n", "é", "X-\u212aey", "x\x00",
              "Host", ["Cookie"], "content-length", "Content-Type", "transfer-encoding", SECRET + " "],
    "remote_user": [None, "", "ID", "sub", "name", 1, True, ["id"], SECRET],
    "listeners": [None, 1, "x", b"x", {}, listener, [None], ["x"], [1], [listener, "x"], [SECRET],
                  [_asks_slowly]],
    "audit": [0, 1, b"x", [], ["stdout"], object(), "", "a\0b", {"to": ""}, {"to": None}, {"to": 1}, {"email": None},
              {"email": True}, {"email": SECRET}, {"key": 1}, {"key": b"k" * 32}, {"key": SECRET[:15]}, {"path": "x"},
              {"key": SECRET, "email": "off"}, {"key": SECRET, "email": "plain"}, {"keys": SECRET}, {1: 2}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(key, value, id=f"{key}-{number}-{type(value).__name__}")
        for key, values in WRONG.items()
        for number, value in enumerate(values)
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_key_with_a_mend_and_unseen(key: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        config(**{key: value})
    message = str(refused.value)
    assert message.startswith(f"{key}: ")
    assert any(
        mend in message
        for mend in (
            "give ",
            "did you mean ",
            "it is one of ",
            "name at least ",
            "leave ",
            "name each",
            "that is ",
            "with ",
        )
    ), message
    assert "sup3rs3cr3t" not in message
    for error in (refused.value, refused.value.__cause__, refused.value.__context__):
        assert "sup3rs3cr3t" not in repr(error)
    if isinstance(value, bytes | list | float) and value:
        assert repr(value) not in message


def test_every_key_that_can_be_wrong_is_in_the_table() -> None:
    names = {field.name for field in dataclasses.fields(AccessConfig) if field.init}
    # the refresher knows what a fetcher is, and who shows refusals what can show them
    assert names - {"fetcher", "on_refusal", "refusal_template"} == WRONG.keys()


@pytest.mark.parametrize(
    "beside",
    [
        {"team_url": "https://t.example"},
        {"certs_url": "https://t.example/certs"},
        {"issuer": "https://t.example"},
        {"keys": {"keys": [{}]}},
    ],
    ids=lambda beside: next(iter(beside)),
)
def test_several_teams_go_with_their_own_addresses_only(beside: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^team: several"):
        config(team=["acme", "other"], **beside)
    assert len(config(team=["acme"], **beside).teams) == 1


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        pytest.param({}, "team: is missing in .*; give the name of your Access organisation", id="empty"),
        pytest.param({"audience": AUD}, "team: is missing", id="no-team"),
        pytest.param({"team": "acme"}, "audience: is missing in .*; give the Application Audience", id="no-audience"),
        pytest.param({"tema": "acme"}, "tema: is not a key of .*; did you mean 'team'", id="near-team"),
        pytest.param({"team": "acme", "audiance": AUD}, "audiance: .* did you mean 'audience'", id="near-audience"),
        pytest.param({"team": "acme", "audience": AUD, "Leeway": 1}, "Leeway: .* did you mean 'leeway'", id="upper"),
        pytest.param({"team": "acme", "audience": AUD, "teams": ()}, "teams: .* did you mean 'team'", id="derived"),
        pytest.param(
            {"team": "acme", "audience": AUD, "audiences": ()}, "audiences: .* did you mean 'audience'", id="derived-2"
        ),
        pytest.param(
            {"team": "acme", "audience": AUD, "verify": False},
            "verify: .* known are team, audience",
            id="no-verify-off",
        ),
        pytest.param({"team": "acme", "audience": AUD, 5: 1}, "5: is not a key", id="not-a-text"),
        pytest.param({"team": "acme", "audience": AUD, None: 1}, "None: is not a key", id="none"),
        pytest.param({"team": None, "audience": AUD}, "team: is None", id="null-team"),
        pytest.param([("team", "acme")], "the settings: is a list of 1; give a mapping", id="pairs"),
        pytest.param(None, "the settings: is None; give a mapping", id="nothing"),
        pytest.param("team=acme", "the settings: is text of 9 characters; give a mapping", id="text"),
    ],
)
def test_a_mapping_is_refused_by_name(mapping: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        AccessConfig.from_mapping(mapping, source="the settings")


def test_the_nearest_name_is_told_without_the_value() -> None:
    with pytest.raises(
        ConfigurationError, match=r"kees: is not a key of the configuration; did you mean 'keys'"
    ) as refused:
        AccessConfig.from_mapping({"team": "acme", "audience": AUD, "kees": SECRET})
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("kind", [dict, MappingProxyType], ids=["dict", "read-only"])
def test_a_mapping_says_the_same_as_keyword_arguments(kind: Callable[[dict[str, Any]], Any]) -> None:
    given: dict[str, Any] = {
        "team": "acme",
        "audience": [AUD],
        "leeway": 5,
        "rules": [{"pattern": "/healthz", "access": "public"}],
    }
    assert AccessConfig.from_mapping(kind(given)) == AccessConfig(**given)


def test_a_configuration_can_be_varied_but_not_changed() -> None:
    made = config(scrub=["X-User"], rules=[Rule.public("/healthz")])
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.leeway = 300  # type: ignore[misc]  # that it cannot is the test
    varied = dataclasses.replace(made, team="other", leeway=5)
    assert (varied.teams[0].domain, varied.leeway, varied.scrub) == ("other.cloudflareaccess.com", 5, ("x-user",))
    assert dataclasses.replace(made) == made
    with pytest.raises(ConfigurationError, match=r"^leeway"):
        dataclasses.replace(made, leeway=1_000)


def test_rules_from_an_iterator_are_still_there_when_a_configuration_is_varied() -> None:
    made = config(rules=iter([Rule.public("/healthz")]))
    assert made.rules == made.ruleset == dataclasses.replace(made, leeway=5).ruleset == (Rule.public("/healthz"),)


class Telltale:
    """Whatever may be given ready-made, and shows more of itself than it should."""

    def __call__(self, *_: object) -> None:
        """Does nothing."""

    def join(self) -> None:
        """What makes it a fleet."""

    def __repr__(self) -> str:
        return SECRET


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("keys", {"keys": [{"d": SECRET}]}, id="keys"),
        pytest.param("references", {"service_tokens": {"t": SECRET}}, id="references"),
        pytest.param("listeners", [Telltale()], id="listeners"),
        pytest.param("audit", {"key": SECRET}, id="audit"),
        pytest.param("fleet", f"redis://user:{SECRET}@h", id="fleet-by-its-address"),
        *(
            pytest.param(key, Telltale(), id=key)
            for key in ("fetcher", "revoked", "profile_fetcher", "on_refusal", "fleet")
        ),
    ],
)
def test_a_configuration_shows_nothing_that_is_to_be_kept(key: str, value: object) -> None:
    shown = repr(config(**{key: value}))
    assert "acme" in shown
    assert SECRET not in shown


def test_a_configuration_shows_nothing_twice() -> None:
    shown = repr(config(rules=[Rule.public("/healthz")], audit="/var/log/access.jsonl"))
    assert shown.count("/healthz") == 1
    assert "/var/log" not in shown


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            {"team": 1}, "team: is a number; give the name of your Access organisation, such as 'acme'", id="team"
        ),
        pytest.param({"audience": ()}, "audience: is empty; give the AUD tag of the Access application", id="audience"),
        pytest.param(
            {"audience": "a b"},
            "audience: text of 3 characters is not an AUD tag; that is 64 hexadecimal characters",
            id="aud-tag",
        ),
        pytest.param({"rules": 1}, "rules: is a number; give a list of rules", id="rules"),
        pytest.param({"rules": [1]}, "rules: holds a number; give rules, such as Rule.public('/healthz')", id="rule"),
        pytest.param(
            {"trusted_peers": [1]},
            "trusted_peers: holds a number; give addresses, networks, 'loopback' or 'unix'",
            id="trusted-peers",
        ),
        pytest.param({"scrub": 1}, "scrub: is a number; give names of headers", id="scrub"),
        pytest.param(
            {"scrub": "a b"}, "scrub: holds text of 3 characters; give names of headers, such as 'X-User'", id="header"
        ),
        pytest.param({"listeners": 1}, "listeners: is a number; give a list of callables", id="listeners"),
        pytest.param(
            {"listeners": [1]}, "listeners: a number cannot be called; give a list of callables", id="listener"
        ),
        pytest.param(
            {"keys": 1},
            "keys: is a number; give a JWKS as a mapping, or the path of a file with one as text",
            id="keys",
        ),
        pytest.param(
            {"keys": {"keys": []}, "certs_url": "https://certs.example/keys"},
            "certs_url: stands beside keys, which are never fetched; leave one of them out",
            id="keys-and-where-to-fetch-them",
        ),
        pytest.param(
            {"certificate_headers": True},
            "certificate_headers: counts for nothing without trusted peers; give trusted_peers, such as 'loopback', "
            "whose word about the client counts",
            id="nobody-to-trust",
        ),
        pytest.param({"cookie": 1}, "cookie: is a number; give true or false", id="flag"),
        pytest.param(
            {"remote_user": "name"}, "remote_user: is text of 4 characters; give 'id' or 'email'", id="choice"
        ),
        pytest.param({"revoked": 1}, "revoked: is a number; give a callable", id="callable"),
        pytest.param(
            {"cold_wait": "5"}, "cold_wait: is text of 1 characters; give seconds from 0.001 to 60", id="range"
        ),
    ],
)
def test_a_message_names_the_key_the_shape_and_the_mend(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        config(**given)
    assert str(refused.value) == message


def test_rules_and_policies_are_read_with_the_references() -> None:
    policies = [{"decision": "allow", "include": [{"group": {"id": "g"}}]}]
    references = {"groups": {"g": {"include": [{"method": "PUT"}]}}}
    made = config(rules=[{"pattern": "/a", "policies": policies}], policies=policies, references=references)
    meant = Rule.guarded("/a", policies, references=references)
    assert made.rules == made.ruleset == made.table.rules == (meant,)
    assert made.policies == made.default_policies == meant.policies
    assert made.table.find("GET", "/b", None, "", None).access is Access.POLICIES


def test_rules_may_open_by_host_where_the_application_routes_by_host() -> None:
    rules = [Rule.public("/a", hosts="a.example")]
    with pytest.raises(ConfigurationError, match="host_routing=True"):
        config(rules=rules)
    assert config(rules=rules, host_routing=True).table.find("GET", "/a", None, "", "a.example").access is Access.PUBLIC


@pytest.mark.parametrize("missing", ["team", "audience"])
def test_there_is_no_configuration_without_team_and_audience(missing: str) -> None:
    given: dict[str, Any] = {"team": "acme", "audience": AUD}
    del given[missing]
    with pytest.raises(ConfigurationError, match=f"^{missing}: is empty; give "):
        AccessConfig(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            {"rules": [Rule.allow("/a", ips="192.0.2.0/24")]}, "trusted_peers: is empty, and a policy asks", id="rule"
        ),
        pytest.param(
            {"policies": [{"decision": "allow", "include": [{"ip": "192.0.2.0/24"}]}]},
            "trusted_peers: is empty, and a policy asks",
            id="default-policies",
        ),
        pytest.param({"certificate_headers": True}, "certificate_headers: counts for nothing", id="certificates"),
    ],
)
def test_what_headers_say_needs_somebody_to_trust(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        config(**given)
    assert config(**given, trusted_peers=["loopback"]).peers.trust("127.0.0.1")
