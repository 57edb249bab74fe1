"""What do many workers and machines share? Keys, lookups and revocations in Redis or Valkey: one :class:`Fleet`."""

from cfaccess_mw.core.sharing import Revocation
from cfaccess_mw.fleet.fleet import Fleet
from cfaccess_mw.fleet.state import FleetHealth

__all__ = ["Fleet", "FleetHealth", "Revocation"]
