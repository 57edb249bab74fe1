"""Is what an id stands for found, and what is wrong with a reference named? More stands in ``test_policy_reading``."""

from typing import Any

import pytest

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.references import References


@pytest.mark.parametrize("name", ["service_tokens", "identity_providers", "posture_rules"])
def test_what_a_text_stands_for_may_be_in_an_object(name: str) -> None:
    text = "client_id" if name == "service_tokens" else "name"
    sections = ({"a": "x"}, {"a": {text: "x", "other": "y"}}, [{"id": "a", text: "x"}], {"result": {"a": "x"}})
    for section in sections:
        assert References.from_mapping({name: section}).find(name, "a") == "x"


@pytest.mark.parametrize(
    ("references", "message"),
    [
        pytest.param([1], "references: is a list of 1; give a mapping of groups, lists, service_tokens", id="a-list"),
        pytest.param({"x" * 65: {}}, f"references: '{'x' * 64}' is not known; known are groups", id="long-section"),
        pytest.param(
            {"groups": {"g" * 65: 7}},
            f"references: groups: '{'g' * 64}': is a number; give a mapping with 'include'",
            id="long-id",
        ),
        pytest.param(
            {"lists": [{"id": "l" * 65, "items": []}] * 2},
            f"references: lists: has '{'l' * 64}' twice; leave one of them",
            id="long-id-twice",
        ),
        *(
            pytest.param(
                {"service_tokens": {"t": entry}},
                "references: service_tokens: 't': has no client_id; give it as a text, or an object with 'client_id'",
                id=f"no-text-but-{type(entry).__name__}",
            )
            for entry in (None, 7, {}, {"name": "x"}, {"client_id": 7}, {"client_id": ""}, ["x"])
        ),
        pytest.param(
            {"identity_providers": {"i": {"client_id": "x"}}},
            "references: identity_providers: 'i': has no name; give it as a text, or an object with 'name'",
            id="no-name",
        ),
    ],
)
def test_a_reference_that_is_not_understood_is_named_with_its_mend(references: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        References.from_mapping(references)
    assert str(refused.value).startswith(message)


def test_references_show_nothing_personal() -> None:
    assert "user@" not in repr(References.from_mapping({"lists": {"l": ["user@example.com"]}}))


def test_an_id_that_stands_for_nothing_is_named() -> None:
    with pytest.raises(ConfigurationError) as refused:
        References.from_mapping({"lists": {"l": []}}).find("lists", "l" * 65)
    assert str(refused.value) == (
        f"'{'l' * 64}' is not among the lists of references; add it, from the export the policy is of"
    )
