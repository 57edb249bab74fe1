"""What can be fuzzed, by name?"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tests.fuzz import headers, key_set, path, policy, token

TARGETS: Mapping[str, Callable[[bytes], object]] = MappingProxyType(
    {
        "headers": headers.run,
        "key-set": key_set.run,
        "path": path.run,
        "policy": policy.run,
        "token": token.run,
    }
)
"""Each takes an input, raises where something is wrong, and returns what came of it: unlike ones are kept."""
