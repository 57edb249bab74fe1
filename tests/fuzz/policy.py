"""Is whatever is written as policies, rules or a configuration read to the same meaning again, or refused by name?

An input is JSON; or, where it is none, TOML.
"""

import json
import tomllib
from typing import Any

from cfaccess_mw import ConfigurationError
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.policy_reading import policy_to_mapping, read_policies
from cfaccess_mw.core.rules import Rule


def document_of(data: bytes) -> Any:
    """What an input says, or None."""
    try:
        text = data.decode()
        try:
            return json.loads(text)
        except ValueError:
            return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def run(data: bytes) -> object:
    """Read one input in each way, and what it was read as once more."""
    document = document_of(data)
    if document is None:
        return None
    try:
        policies = read_policies(document)
    except ConfigurationError:
        policies = ()
    if policies:
        assert read_policies([policy_to_mapping(policy) for policy in policies]) == policies
    try:
        rule = Rule.from_mapping(document)
    except ConfigurationError:
        rule = None
    if rule is not None:
        assert Rule.from_mapping(rule.to_mapping()) == rule
    if isinstance(document, dict) and not document.keys() & {"keys", "refusal_template", "audit"}:  # these open files
        try:
            AccessConfig.from_mapping({"team": "acme", "audience": "a" * 64, **document})
        except ConfigurationError:
            return None  # by name: nothing else is raised
    return tuple(policy.decision for policy in policies)
