"""What does a client get from each server: bodies that nobody read, streams, the next answer on a connection?"""

from collections.abc import Mapping

import pytest

from tests.servers.process import Running
from tests.servers.raw import Answer, get, request

MEGABYTE = bytes(1_000_000)


def assertion(token: str) -> str:
    return f"Cf-Access-Jwt-Assertion: {token}"


def ask(server: Running, data: bytes, *, to_head: bool = False) -> Answer:
    """One request on a connection of its own."""
    with server.connect() as conversation:
        conversation.send(data)
        return conversation.answer(to_head=to_head)


def test_head_has_no_body_and_the_connection_goes_on(server: Running) -> None:
    """What is not a body would be taken for the next response."""
    with server.connect() as conversation:
        conversation.send(request("/admin", method="HEAD", close=False))
        refused = conversation.answer(to_head=True)
        assert refused.status == 401
        conversation.send(get("/healthz"))
        assert conversation.answer().status == 200


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_that_nobody_reads(server: Running, framing: str) -> None:
    """The refusal arrives, and the connection either answers the next request or is closed; it never hangs, and no part
    of the body is taken for a request."""
    body = get("/static/smuggled") + MEGABYTE
    line, framed = {
        "length": (f"Content-Length: {len(body)}", body),
        "chunks": ("Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)),
    }[framing]
    with server.connect() as conversation:
        conversation.send(request("/admin", line, method="POST", close=False, body=framed))
        first = conversation.answer()
        conversation.send(get("/healthz"))
        second = conversation.answer()
        # 0 is a closed connection; of one that is closed early, the reset may overtake the answer (RFC 9112, 9.6)
        assert (first.status, second.status) in {(401, 200), (401, 0), (0, 0)}
        assert b"smuggled" not in second.body


def test_expecting_to_continue(server: Running) -> None:
    """A body that was never sent: the refusal comes without it."""
    with server.connect() as conversation:
        conversation.send(request("/admin", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        answer = conversation.answer()
        if answer.status == 100:  # sent by the server before it asks the application
            conversation.send(b"12345")
            answer = conversation.answer()
        assert answer.status == 401


def test_a_stream_passes_through_unbuffered(server: Running, tokens: Mapping[str, str]) -> None:
    """The second part is made only after the first has arrived; both know who is asking."""
    name = f"stream-{server.port}"
    with server.connect() as conversation:
        conversation.send(request(f"/stream?{name}", assertion(tokens["good"]), close=False))
        head = conversation.head()
        assert head.status == 200
        chunked = head.header("transfer-encoding") == "chunked"
        first = conversation.chunk() if chunked else conversation.line()
        assert first == b"SECRET first alice@example.com\n"
        release = "arelease" if server.pair.application == "django_asgi" else "release"
        assert ask(server, get(f"/static/{release}?{name}")).status == 200
        second = conversation.chunk() if chunked else conversation.line()
        assert second == b"SECRET second alice@example.com True\n"
