"""A client of ``server.py`` that is a service: it proves itself to Cloudflare Access with a service token.

    CF_ACCESS_CLIENT_ID=… CF_ACCESS_CLIENT_SECRET=… python client.py https://mcp.example.com/mcp

The policies of the Access application have to let the service token in (Service Auth).
"""

import asyncio
import sys
from urllib.parse import urlsplit

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from cfaccess_mw.client import ServiceToken
from cfaccess_mw.client.httpx2 import AccessAuth


async def main(url: str) -> None:
    service = AccessAuth(ServiceToken(urlsplit(url).netloc))  # which sends the secret to this host and no other
    async with (
        httpx2.AsyncClient(auth=service) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        for tool in ("whoami", "restart"):
            result = await client.call_tool(tool, {})
            print(f"{tool}: {result.content[0].text}")


asyncio.run(main(sys.argv[1]))
