"""Are the two lists of text fetched as Cloudflare publishes them, and both or none?"""

import pytest

from cfaccess_mw.core.errors import FetchError, KeysUnavailable
from cfaccess_mw.edge.ranges_peers import CloudflarePeers
from cfaccess_mw.edge.ranges_text import TextLists
from cfaccess_mw.refresh.fetchers import Document
from tests.edge.test_ranges import V4, V6, as_text
from tests.edge.test_ranges_peers import NEW, NEWS
from tests.refresh.servers import Script, says, serving

TEXT = "content-type: text/plain;charset=UTF-8"
IPV6 = says(TEXT, "cache-control: max-age=3600", body=as_text(*V6).rstrip())


@pytest.mark.parametrize(
    ("scripts", "trusted"),
    [
        pytest.param((says(TEXT, body=as_text(*V4, NEW).rstrip()), IPV6), True, id="as-published"),
        pytest.param((says("content-type: text/html", body=as_text(*V4, NEW)), IPV6), False, id="html"),
        pytest.param((says(TEXT, body=as_text(*V4, NEW)), says(TEXT, status="404 Not Found")), False, id="one-of-two"),
        pytest.param((says(TEXT, body=as_text(*V4, NEW)), says(TEXT, body=b"")), False, id="an-empty-one"),
    ],
)
def test_both_lists_are_fetched(scripts: tuple[Script, ...], trusted: bool) -> None:
    with serving(*scripts) as server:
        peers = CloudflarePeers(refresh=True, url=server.url, fetcher=TextLists())
        try:
            if trusted:
                peers.hydrate()
            else:
                with pytest.raises(KeysUnavailable):
                    peers.hydrate()
            assert peers.trust(NEWS) is trusted
        finally:
            peers.close()
        asked = [connection.request.split()[1] for connection in server.connections]
    assert asked[: len(asked)] == [b"/certs-v4", b"/certs-v6"][: len(asked)]


def test_a_list_is_fresh_as_long_as_both_are() -> None:
    class Fetcher:
        def fetch(self, url: str, *, etag: str | None) -> Document:
            assert etag is None
            return Document(body=url[-1:].encode(), max_age=60.0 if url.endswith("4") else 30.0)

    assert TextLists(Fetcher()).fetch("x", etag='"1"') == Document(body=b"4\n6", max_age=30.0)


def test_what_has_not_changed_since_nothing_is_no_list() -> None:
    class Fetcher:
        def fetch(self, url: str, *, etag: str | None) -> Document:
            return Document(body=None)

    with pytest.raises(FetchError, match="not-modified"):
        TextLists(Fetcher()).fetch("x", etag=None)
