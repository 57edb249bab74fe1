"""How is the list of Cloudflare's networks fetched as text? From two addresses, of which both have to answer.

::

    FromCloudflare(app, refresh=True, url=TEXT_URL, fetcher=TextLists())
"""

from typing import Final

from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.refresh.fetchers import Document, Fetcher
from cfaccess_mw.refresh.http import HttpxFetcher

TEXT_URL: Final = "https://www.cloudflare.com/ips"

_ENDINGS: Final = ("-v4", "-v6")


class TextLists:
    """Fetches a list of each kind of address, and puts them one below the other.

    Args:
        fetcher: Who fetches each.
    """

    def __init__(self, fetcher: Fetcher | None = None) -> None:
        self._fetcher = HttpxFetcher(media="text/plain", total=2.4) if fetcher is None else fetcher

    def fetch(self, url: str, *, etag: str | None) -> Document:
        """Fetch both lists.

        Args:
            url: What both addresses begin with.
            etag: Not used: two lists have two.

        Raises:
            FetchError: One of them cannot be had.
        """
        del etag
        lists = [self._fetcher.fetch(url + ending, etag=None) for ending in _ENDINGS]
        bodies = [document.body for document in lists]
        if any(body is None for body in bodies):
            raise FetchError("not-modified")
        ages = [document.max_age for document in lists if document.max_age is not None]
        return Document(body=b"\n".join(body or b"" for body in bodies), max_age=min(ages, default=None))
