"""Which one-time PINs are out? As at Cloudflare: six digits, good for ten minutes. The page shows what a mail would.

They are asked for so that a login looks as it will, not to keep anybody out: whoever reads the page knows the PIN.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

_LIFETIME: Final = 600.0  # seconds (Cloudflare: "One-time PIN login")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A PIN that was "sent".

    Attributes:
        challenge: Under which the form brings it back.
        email: To whom.
        digits: Six of them.
        expires_at: In seconds since the epoch.
    """

    challenge: str
    email: str
    digits: str = field(repr=False)
    expires_at: float

    def accepts(self, typed: str) -> bool:
        """Whether this is the PIN; spaces in it do not matter, the page shows one itself."""
        return hmac.compare_digest("".join(typed.split()).encode(), self.digits.encode())


class Pins:
    """The PINs of a team. All of it belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._pins: dict[str, Pin] = {}

    def send(self, email: str, *, now: float) -> Pin:
        """Make a PIN for an address, and forget those that are too old."""
        self._pins = {challenge: kept for challenge, kept in self._pins.items() if kept.expires_at > now}
        pin = Pin(
            challenge=secrets.token_urlsafe(16),
            email=email,
            digits=f"{secrets.randbelow(1_000_000):06}",
            expires_at=now + _LIFETIME,
        )
        self._pins[pin.challenge] = pin
        return pin

    def find(self, challenge: str, *, now: float) -> Pin | None:
        """The PIN of a challenge, unless it is used up or too old."""
        pin = self._pins.get(challenge)
        return pin if pin and now < pin.expires_at else None

    def use_up(self, pin: Pin) -> None:
        """A PIN is good once."""
        self._pins.pop(pin.challenge, None)
