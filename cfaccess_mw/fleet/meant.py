"""Which fleet does a configuration mean? Applications that say the same share one in a process."""

import weakref
from typing import Any

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.sharing_options import FleetOptions
from cfaccess_mw.fleet.fleet import Fleet

_known: "weakref.WeakValueDictionary[FleetOptions, Fleet]" = weakref.WeakValueDictionary()


def fleet_for(value: Any) -> Fleet:
    """Return the fleet that stands in a validated configuration.

    Args:
        value: What describes it, or a :class:`Fleet`.

    Raises:
        ConfigurationError: It is something else.
    """
    if isinstance(value, Fleet):
        return value
    if not isinstance(value, FleetOptions):
        raise ConfigurationError(f"fleet: is {shape(value)}; give an address, a mapping with 'url', or a Fleet")
    # Without a lock, which a fork might leave held: of two that are made at once one is shared from then on.
    return _known.get(value) or _known.setdefault(value, Fleet(value))
