"""Is anything secret shown where things go wrong: in an error, in its traceback with all local names, in a log line?"""

import logging
import socket
import traceback

import pytest

from cfaccess_mw.client import CallError, ServiceToken, UserToken
from cfaccess_mw.emulator.applications import DEFAULT_AUDIENCE
from cfaccess_mw.emulator.issuer import Issuer
from tests.client.calling import Open, every_client
from tests.client.conftest import GOOD, ROBOT, Clock, Serve
from tests.client.site import Says


def told(error: BaseException) -> str:
    """All that can be shown of an error, but for the test's own frame, and that which has the bytes to be sent."""
    assert error.__traceback__ is not None
    shown = traceback.TracebackException(type(error), error, error.__traceback__.tb_next, capture_locals=True)
    one: traceback.TracebackException | None = shown
    while one is not None:
        one.stack[:] = [frame for frame in one.stack if not frame.filename.endswith("http/client.py")]
        one = one.__cause__ or one.__context__
    return "".join(shown.format()) + repr(vars(error))


@every_client
@pytest.mark.parametrize("header", [None, "X-Service", "Authorization"])
def test_a_refused_service(client: Open, serve: Serve, header: str | None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    site = serve(lambda _: Says(403, (("cf-access-error", "x"),)))
    caller = ServiceToken(site.host, credentials=lambda: GOOD, header=header)
    with client(caller) as call, pytest.raises(CallError) as raised:
        call(f"{site.url}/a")
    assert site.asked[0].brought or site.asked[0].all("authorization")
    assert ROBOT.client_secret not in told(raised.value) + repr(raised.value) + repr(caller) + caplog.text


@every_client
def test_a_refused_person(
    client: Open, serve: Serve, clock: Clock, team: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    alice = team.user("alice@example.com", audience=DEFAULT_AUDIENCE)
    site = serve(lambda _: Says(403, (("cf-access-error", "x"),)))
    with client(UserToken(site.url, token=lambda: alice, clock=clock)) as call, pytest.raises(CallError) as raised:
        call(f"{site.url}/a")
    assert alice not in told(raised.value) + repr(raised.value) + caplog.text


@every_client
def test_a_host_that_does_not_answer(client: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with (
        client(ServiceToken(f"127.0.0.1:{port}", credentials=GOOD)) as call,
        pytest.raises(Exception, match=r"(?i)connect|refused") as raised,
    ):
        call(f"http://127.0.0.1:{port}/a")
    assert ROBOT.client_secret not in told(raised.value) + caplog.text


@every_client
def test_a_request_and_its_headers_do_not_show_them_afterwards(client: Open, serve: Serve) -> None:
    site = serve()
    with client(ServiceToken(site.host, credentials=GOOD)) as call:
        reply = call(f"{site.url}/a")
    sent = reply.request_headers
    assert ROBOT.client_secret not in repr(sent) + repr(dict(sent)) + repr(getattr(sent, "raw", ""))
    assert reply.response.request.headers is sent
