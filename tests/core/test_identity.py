"""Is an identity immutable, complete and silent?"""

import asyncio
import copy
import dataclasses
import pickle
from typing import Any

import pytest

from cfaccess_mw.core.errors import IdentityUnavailable, SessionEnded
from cfaccess_mw.core.identity import Identity, assertion_of
from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.core.profile import ENDED, Outcome, Profile, ProfileAnswer, found
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.emulator.issuer import Issuer
from tests.tokens import AUD, NOW, Held, good, verify


def identity_of(payload: bytes = b"{}", **changes: Any) -> Identity:
    """A user, with what a test changes."""
    values: dict[str, Any] = {
        "kind": "user",
        "id": "subject-1",
        "email": "user@example.com",
        "subject": "subject-1",
        "common_name": None,
        "country": "US",
        "issuer": "https://acme.cloudflareaccess.com",
        "audience": ("aud-1",),
        "issued_at": 1,
        "expires_at": 2,
        "nonce": "nonce-1",
        "key_thumbprint": "thumbprint-1",
    }
    return Identity(**{**values, **changes}, _payload=payload)


def test_the_claims_are_those_of_the_token(issuer: Issuer, snapshot: KeySnapshot) -> None:
    custom = {"groups": ["a", "b"], "nested": {"x": [1, None]}}
    identity = verify(issuer.user(audience=AUD, custom=custom, more=1.5), snapshot).identity
    assert identity.claims["custom"] == identity.custom == custom
    assert identity.claims["more"] == 1.5
    assert identity.claims["aud"] == [AUD]
    assert identity.claims["sub"] == identity.id


def test_nothing_about_an_identity_can_be_changed() -> None:
    identity = identity_of(b'{"custom":{"groups":["a"]}}')
    for field in dataclasses.fields(identity):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(identity, field.name, "other")
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError, AttributeError)):
        identity.anything = 1  # type: ignore[attr-defined]  # that it cannot is the test
    for mapping in (identity.claims, identity.custom):
        with pytest.raises(TypeError):
            mapping["x"] = 1  # type: ignore[index]  # that it cannot is the test
    identity.custom["groups"].append("admin")
    assert identity.custom["groups"] == identity.claims["custom"]["groups"] == ["a"]


@pytest.mark.parametrize(
    ("payload", "custom"),
    [
        pytest.param(b"{}", {}, id="absent"),
        pytest.param(b'{"custom":null}', {}, id="null"),
        pytest.param(b'{"custom":"admin"}', {}, id="text"),
        pytest.param(b'{"custom":["admin"]}', {}, id="list"),
        pytest.param(b'{"custom":true}', {}, id="true"),
        pytest.param(b'{"custom":{}}', {}, id="empty"),
        pytest.param(b'{"custom":{"role":"admin"}}', {"role": "admin"}, id="object"),
    ],
)
def test_custom_is_an_object_or_empty(payload: bytes, custom: dict[str, Any]) -> None:
    assert identity_of(payload).custom == custom


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        pytest.param({}, "user@example.com", id="user"),
        pytest.param({"kind": "service", "email": None, "common_name": "cn-1", "id": "cn-1"}, "cn-1", id="service"),
        pytest.param(
            {"kind": "certificate", "email": None, "common_name": "cn-2", "id": "cn=cn-2"}, "cn-2", id="certificate"
        ),
        pytest.param({"email": None}, "subject-1", id="only-an-id"),
    ],
)
def test_starlette_finds_what_it_expects_of_a_user(changes: dict[str, Any], name: str) -> None:
    identity = identity_of(**changes)
    assert identity.is_authenticated is True
    assert identity.display_name == name
    assert identity.identity == identity.id


def test_no_text_of_an_identity_tells_who_it_is() -> None:
    identity = identity_of(b'{"email":"user@example.com"}')
    for text in (repr(identity), str(identity), f"{identity}", repr([identity])):
        assert "<Identity user>" in text
        assert "example" not in text
        assert "subject-1" not in text


def test_identities_are_values() -> None:
    assert identity_of() == identity_of()
    assert hash(identity_of()) == hash(identity_of()) != hash(identity_of(id="other"))
    assert identity_of() != identity_of(id="other")
    assert identity_of() != identity_of(b'{"x":1}')
    assert copy.deepcopy(identity_of()) == pickle.loads(pickle.dumps(identity_of())) == identity_of()


@dataclasses.dataclass
class Team:
    """Looks people up, and says what a test wants."""

    answer: ProfileAnswer
    asked: list[tuple[str | bytes, Identity]] = dataclasses.field(default_factory=list)

    async def obtain(self, token: str | bytes, identity: Identity) -> ProfileAnswer:
        return self.obtain_blocking(token, identity)

    def obtain_blocking(self, token: str | bytes, identity: Identity) -> ProfileAnswer:
        self.asked.append((token, identity))
        return self.answer


PROFILE = Profile(fetched_at=1.0, version=1, _body=b'{"groups":["admins"]}')


@pytest.mark.parametrize("how", ["async", "blocking"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(found(PROFILE), PROFILE, id="found"),
        pytest.param(ENDED, SessionEnded, id="ended"),
        pytest.param(ProfileAnswer(outcome=Outcome.UNAVAILABLE, retry_after=7.0), IdentityUnavailable, id="down"),
        pytest.param(None, IdentityUnavailable, id="nobody-to-ask"),
    ],
)
def test_the_profile_is_looked_up_with_the_token(how: str, answer: ProfileAnswer | None, expected: object) -> None:
    team = None if answer is None else Team(answer)
    identity = identity_of(_token="t.o.k", _lookup=team)
    ask = identity.profile_blocking if how == "blocking" else lambda: asyncio.run(identity.profile())
    if isinstance(expected, Profile):
        assert ask() is expected
    else:
        with pytest.raises(expected) as refused:  # type: ignore[call-overload]  # a class of the table
            ask()
        if answer is not None:
            assert refused.value.retry_after == (answer.retry_after or None)
    if team is not None:
        assert team.asked == [("t.o.k", identity)]


def test_neither_the_token_nor_the_way_to_look_up_is_part_of_who_somebody_is() -> None:
    identity = identity_of(_token="t.o.k", _lookup=Team(ENDED))
    assert identity == identity_of()
    assert hash(identity) == hash(identity_of())
    assert "t.o.k" not in repr(identity)
    assert b"t.o.k" not in pickle.dumps(identity)
    assert pickle.loads(pickle.dumps(identity)) == identity
    with pytest.raises(IdentityUnavailable):
        pickle.loads(pickle.dumps(identity)).profile_blocking()
    assert copy.deepcopy([identity])[0] is copy.copy(identity) is identity


def test_a_verified_identity_is_looked_up_at_its_own_team(issuer: Issuer, snapshot: KeySnapshot) -> None:
    team, other = Team(ENDED), Team(ENDED)
    sources = {issuer.iss: Held(snapshot)}
    lookups = {issuer.iss: team, "https://other.cloudflareaccess.com": other}
    verifier = Verifier(sources, leeway=30, max_age=None, certificates=False, lookups=lookups)
    token = issuer.user(audience=AUD)
    candidate = good(verifier.read(token, (frozenset({AUD}),), NOW))
    identity, *_ = good(verifier.prove(candidate, snapshot.keys[candidate.kid], NOW))
    with pytest.raises(SessionEnded):
        identity.profile_blocking()
    assert (team.asked, other.asked) == ([(token, identity)], [])
    assert assertion_of(identity) == token


@pytest.mark.parametrize(
    ("document", "names"),
    [
        pytest.param('{"groups":["a","b"]}', ("a", "b"), id="texts"),
        pytest.param('{"groups":[{"id":"1","name":"a","email":"a@x"}]}', ("a",), id="name"),
        pytest.param('{"groups":[{"id":"1","name":"","email":"a@x"}]}', ("1",), id="id"),
        pytest.param('{"groups":[{"email":"a@x"}]}', ("a@x",), id="address"),
        pytest.param('{"groups":[1,null,[],{},"",{"name":1},"a"]}', ("a",), id="odd"),
        pytest.param('{"groups":"admins"}', (), id="text"),
        pytest.param('{"groups":{"admins":1}}', (), id="object"),
        pytest.param('{"groups":null}', (), id="null"),
        pytest.param("{}", (), id="none"),
    ],
)
def test_groups_are_named(document: str, names: tuple[str, ...]) -> None:
    assert Profile(fetched_at=1.0, version=1, _body=document.encode()).groups == names


def test_a_dictionary_of_an_identity_holds_no_token() -> None:
    identity = identity_of(b'{"secret":"sup3rs3cr3t"}', _token="t.o.k", _lookup=Team(ENDED))
    said = repr(dataclasses.asdict(identity))
    assert "user@example.com" in said
    for secret in ("t.o.k", "sup3rs3cr3t", "Team"):
        assert secret not in said


@pytest.mark.parametrize("token", [pytest.param(b"t.o.k", id="bytes"), pytest.param("t.o.k", id="text")])
def test_the_token_can_be_passed_on_by_whoever_asks_for_it(token: str | bytes) -> None:
    identity = identity_of(_token=token)
    assert assertion_of(identity) == "t.o.k"
    assert assertion_of(pickle.loads(pickle.dumps(identity))) == ""
