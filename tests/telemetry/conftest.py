"""What do the tests of telemetry share? A team of now, and both doors as ``tests.doors`` asks them."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from cfaccess_mw import Identity
from cfaccess_mw.emulator.issuer import Issuer
from tests.doors.conftest import ask
from tests.tokens import AUD, NOW

__all__ = ["ask"]  # a fixture


@pytest.fixture
def team(issuer: Issuer) -> Issuer:
    """The team of the session, but of now: the doors read the clock."""
    return Issuer("acme", current=issuer.current, previous=issuer.previous, clock=time.time)


@pytest.fixture(scope="session")
def identity() -> Callable[..., Identity]:
    """Make somebody, with what a test wants him to have."""
    made: dict[str, Any] = {
        "kind": "user",
        "id": "7335d417-61da-459d-899c-0a01c76a2f94",
        "email": "alice@example.com",
        "subject": "7335d417-61da-459d-899c-0a01c76a2f94",
        "common_name": None,
        "country": "GB",
        "issuer": "https://acme.cloudflareaccess.com",
        "audience": (AUD,),
        "issued_at": NOW,
        "expires_at": NOW + 3_600,
        "nonce": None,
        "key_thumbprint": "x",
        "_payload": b"{}",
    }
    return lambda **given: Identity(**{**made, **given})
