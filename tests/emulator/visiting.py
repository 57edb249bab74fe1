"""How does a program go through the login page?"""

from typing import Any

import httpx
import jwt

LOGIN = "/cdn-cgi/access/login/127.0.0.1"


def sign_in(client: httpx.Client, path: str = "/", **fields: str) -> httpx.Response:
    """Walk from the application to the login page and back, as a browser does."""
    login = client.get(path).headers["location"]
    authorized = client.post(login, data=fields or {"email": "alice@example.com"})
    assert authorized.status_code == 303
    return client.get(authorized.headers["location"])


def claims(client: httpx.Client) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(client.cookies["CF_Authorization"], options={"verify_signature": False})
    return decoded
