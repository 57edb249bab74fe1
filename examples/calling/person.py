"""Calls a protected application as whoever signed in to it on this machine with cloudflared.

cloudflared access login https://app.example.com
python person.py https://app.example.com/whoami
"""

import sys

import httpx

from cfaccess_mw.client import CallError, UserToken
from cfaccess_mw.client.httpx import AccessAuth


def main(url: str) -> None:
    with httpx.Client(auth=AccessAuth(UserToken(url))) as client:
        print(client.get(url).text)


try:
    main(sys.argv[1])
except CallError as error:
    sys.exit(f"{error.code}: {error}")
