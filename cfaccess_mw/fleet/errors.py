"""What can go wrong between an operator and the fleet?"""

from cfaccess_mw.core.errors import AccessError


class FleetError(AccessError):
    """Redis or Valkey did not do what was asked; nothing is known of what became of it.

    Args:
        reason: A stable kebab-case name, or the class of what the library ``redis`` raised; never what it said.
    """

    code = "fleet-unreachable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Redis did not do what was asked ({reason})")
        self.reason = reason
