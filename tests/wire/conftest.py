"""Identities as a verified token gives them."""

import pytest

from cfaccess_mw.core.identity import Identity, Kind


def identity(kind: Kind, name: str, email: str | None) -> Identity:
    return Identity(
        kind=kind,
        id=name,
        email=email,
        subject="" if email is None else name,
        common_name=name if email is None else None,
        country=None,
        issuer="https://acme.cloudflareaccess.com",
        audience=("aud",),
        issued_at=0,
        expires_at=1,
        nonce=None,
        key_thumbprint="",
        _payload=b"{}",
    )


@pytest.fixture
def person() -> Identity:
    return identity("user", "7335d417-61da-459d-899c-0a01c76a2f94", "alice@example.com")


@pytest.fixture
def foreigner() -> Identity:
    return identity("user", "zo\u00eb-\u4e2d", "zo\u00eb@\u4f8b.example")


@pytest.fixture
def machine() -> Identity:
    return identity("service", "e367826f93b8d71185e03fe518aff3b4.access", None)
