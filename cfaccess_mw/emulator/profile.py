"""What does ``get-identity`` say about somebody?

The fields are those of Cloudflare's table and typings; everything there is optional, and what is not known on a laptop
has the value that Cloudflare shows for "nothing".
"""

import uuid
from collections.abc import Mapping
from typing import Any

from cfaccess_mw.emulator.users import User

# one identity provider, so that rules on the login method have something to hold on to
_ONE_TIME_PIN = str(uuid.uuid5(uuid.NAMESPACE_URL, "cfaccess-mw emulator/one-time pin"))
_NOTHING: Mapping[str, Any] = {
    "devicePosture": {},
    "auth_status": "NONE",
    "common_name": "",
    "service_token_id": "",
    "service_token_status": False,
    "is_warp": False,
    "is_gateway": False,
    "device_id": "",
    "device_sessions": {},
    "version": 2,
}


def user_profile(user: User, claims: Mapping[str, Any], *, account_id: str, ip: str) -> dict[str, Any]:
    """The profile of a user.

    Args:
        user: Who.
        claims: Of the application token that was shown.
        account_id: The team's.
        ip: From where the user signed in.
    """
    return {
        **_NOTHING,
        "id": claims["sub"],
        "name": user.name,
        "email": user.email,
        "groups": [group if isinstance(group, str) else dict(group) for group in user.groups],
        "amr": ["otp"],
        "idp": {"id": _ONE_TIME_PIN, "type": "onetimepin"},
        "geo": {"country": user.country},
        "user_uuid": claims["sub"],
        "account_id": account_id,
        "iat": claims["iat"],
        "ip": ip,
        **({"oidc_fields": dict(user.custom)} if user.custom else {}),
        **user.profile,
    }


def service_profile(claims: Mapping[str, Any], *, account_id: str, ip: str) -> dict[str, Any]:
    """The profile of a service; what Cloudflare answers here is not documented, and so it is kept short."""
    return {
        **_NOTHING,
        "account_id": account_id,
        "iat": claims["iat"],
        "ip": ip,
        "service_token_id": claims["common_name"],
        "service_token_status": True,
    }
