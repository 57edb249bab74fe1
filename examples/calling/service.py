"""Calls a protected application as a service, with a service token from the environment.

    CF_ACCESS_CLIENT_ID=… CF_ACCESS_CLIENT_SECRET=… python service.py https://app.example.com/whoami

A policy of the Access application with the action Service Auth has to include the service token.
"""

import sys
from urllib.parse import urlsplit

import httpx

from cfaccess_mw.client import CallError, ServiceToken
from cfaccess_mw.client.httpx import AccessAuth


def main(url: str) -> None:
    service = ServiceToken(urlsplit(url).netloc)
    with httpx.Client(auth=AccessAuth(service)) as client:
        print(client.get(url).text)


try:
    main(sys.argv[1])
except CallError as error:
    sys.exit(f"{error.code}: {error}")
