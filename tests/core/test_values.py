"""Do the values of the core stay as they were made, show nothing personal, and compare by what they mean?"""

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping
from enum import Enum
from typing import Any, cast

import pytest

import cfaccess_mw.core
from cfaccess_mw.core import criteria
from cfaccess_mw.core.conditions import Everyone
from cfaccess_mw.core.criteria import AccessGroup
from cfaccess_mw.core.facts import Certificate, Facts
from cfaccess_mw.core.freshness import Availability
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.core.policy import Policy, PolicyDecision, PolicyOutcome
from cfaccess_mw.core.profile import Outcome
from cfaccess_mw.core.rules import Access
from cfaccess_mw.core.states import State
from cfaccess_mw.core.truth import Truth


def values() -> Mapping[str, type]:
    """Every dataclass of the core, by its module and its name."""
    modules = [importlib.import_module(f"cfaccess_mw.core.{one.name}") for one in pkgutil.iter_modules(PLACE)]
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and "__dataclass_params__" in vars(value)
    }


PLACE = cfaccess_mw.core.__path__
VALUES = values()

# Filled in as they go, by one owner each; all others are shared, remembered, or both.
MUTABLE = {"decide.Refusal", "lookups.Lookup"}

# Not written out by a dataclass: they say themselves what may be told.
OWN_REPR = {"identity.Identity", "lookups.Lookup", "profile.Profile", "references.References", "sharing.Revocations"}

# Two of them are never the same, whatever stands in them.
BY_IDENTITY = {"decide.Refusal", "lookups.Lookup", "requirement.Requirement"}

# What no repr shows: secrets, tokens, what is known of people, whom a policy names, and what is long and says nothing.
HIDDEN: Mapping[str, set[str]] = {
    "admission.LackingProfile": {"token"},
    "conditions.OneOf": {"values"},
    "config.AccessConfig": {
        *("keys", "fetcher", "references", "revoked", "fleet", "profile_fetcher", "on_refusal", "listeners", "audit"),
        *("ruleset", "default_policies", "peers", "table", "recording"),
    },
    "criteria.Criteria": {"size", "depth"},
    "decide.Pass": {"token"},
    "facts.Certificate": {"common_name"},
    "facts.Facts": {"address", "certificate", "peer", "target", "mount", "profile"},
    "identity_reply.Reply": {"body"},
    "keys.Key": {"public_key"},
    "keys.KeySnapshot": {"keys"},
    "policy.Policy": {"size", "depth"},
    "profile_conditions.ProviderGroup": {"value"},
    "profile_conditions.Attribute": {"value"},
    "recording.Recording": {"key"},
    "request_conditions.Networks": {"values", "_by_size"},
    "request_conditions.IpList": {"values", "_by_size"},
    "sharing_options.FleetOptions": {"url", "secret"},
    "token_conditions.EmailList": {"values"},
    "token_conditions.ServiceTokens": {"values"},
    "token_conditions.CustomClaim": {"values", "_typed"},
}

# What follows from the other fields, so that comparing it would only cost time, or find differences that mean nothing.
NOT_COMPARED: Mapping[str, set[str]] = {
    "config.AccessConfig": {"peers", "table"},
    "criteria.Criteria": {"size", "depth"},
    "keys.Key": {"public_key"},
    "policy.Policy": {"size", "depth"},
    "request_conditions.Networks": {"_by_size"},
    "request_conditions.IpList": {"_by_size"},
    "token_conditions.CustomClaim": {"values"},  # 1 is True there; with their types they are compared beside it
}


def test_every_value_that_is_named_here_is_there() -> None:
    assert {*MUTABLE, *OWN_REPR, *BY_IDENTITY, *HIDDEN, *NOT_COMPARED} <= VALUES.keys()


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_frozen_shows_and_compares_as_it_may(name: str) -> None:
    value = cast("Any", VALUES[name])
    parameters, fields = value.__dataclass_params__, dataclasses.fields(value)
    assert parameters.frozen is (name not in MUTABLE)
    assert parameters.repr is (name not in OWN_REPR)
    assert parameters.eq is (name not in BY_IDENTITY)
    assert {field.name for field in fields if not field.repr} == HIDDEN.get(name, set())
    assert {field.name for field in fields if not field.compare} == NOT_COMPARED.get(name, set())


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        pytest.param(Reply(status=401), {"body": b""}, id="reply"),
        pytest.param(
            Certificate(), dict.fromkeys(("presented", "verified", "revoked", "common_name")), id="certificate"
        ),
        pytest.param(
            Facts(identity=None, method="GET"),
            {
                **dict.fromkeys(("identity", "address", "country", "certificate", "peer", "target", "profile")),
                "method": "GET",
                "mount": "",
                "looked_up": False,
            },
            id="facts",
        ),
        pytest.param(
            AccessGroup(criteria=criteria.Criteria(include=(Everyone(),))), {"id": None, "name": ""}, id="group"
        ),
        pytest.param(
            Policy(decision=PolicyDecision.DENY, include=(Everyone(),)), {"id": None, "name": ""}, id="policy"
        ),
    ],
)
def test_what_is_not_said_is_not_made_up(value: object, fields: Mapping[str, object]) -> None:
    assert {name: getattr(value, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        pytest.param(Access, "public optional token policies", id="access"),
        pytest.param(Availability, "present absent unavailable", id="availability"),
        pytest.param(Outcome, "found ended unavailable", id="lookup"),
        pytest.param(PolicyDecision, "allow deny service_auth bypass", id="decision"),
        pytest.param(PolicyOutcome, "admit refuse open waiting", id="outcome"),
        pytest.param(State, "cold fresh due stale expired static closed", id="state"),
        pytest.param(Truth, "true false unknown waiting", id="truth"),
    ],
)
def test_words_that_are_told_and_logged_are_kept(kind: type[Enum], words: str) -> None:
    assert [member.value for member in kind] == words.split()


def test_bounds_are_what_the_manual_says() -> None:
    assert (criteria.MAX_DEPTH, criteria.MAX_CONDITIONS) == (8, 10_000)
