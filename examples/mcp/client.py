"""A client of ``server.py`` that is a service: it proves itself to Cloudflare Access with a service token.

    CF_ACCESS_CLIENT_ID=… CF_ACCESS_CLIENT_SECRET=… python client.py https://mcp.example.com/mcp

The policies of the Access application have to let the service token in (Service Auth).
"""

import asyncio
import os
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url: str) -> None:
    headers = {
        "CF-Access-Client-Id": os.environ["CF_ACCESS_CLIENT_ID"],
        "CF-Access-Client-Secret": os.environ["CF_ACCESS_CLIENT_SECRET"],
    }
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        for tool in ("whoami", "restart"):
            result = await client.call_tool(tool, {})
            print(f"{tool}: {result.content[0].text}")


asyncio.run(main(sys.argv[1]))
