"""Does any log record say who was asking, in one line, and nobody where nobody asks?"""

import io
import logging
import logging.config
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest

from cfaccess_mw import ConfigurationError, Identity
from cfaccess_mw.logs import IdentityFilter
from cfaccess_mw.wire.current import current

KEY = "correct horse battery staple"


@contextmanager
def asking(identity: Identity | None) -> Iterator[None]:
    """Somebody asks until the block ends."""
    before = current.set(identity)
    yield
    current.reset(before)


def record(name: str = "app") -> logging.LogRecord:
    """What somebody says."""
    return logging.makeLogRecord({"name": name, "msg": "hello"})


@pytest.mark.parametrize(
    ("given", "who", "said"),
    [
        pytest.param({}, {}, ("user", "7335d417-61da-459d-899c-0a01c76a2f94", "-"), id="no-address"),
        pytest.param({}, None, ("-", "-", "-"), id="nobody"),
        pytest.param({"email": "plain"}, {"id": "x"}, ("user", "x", "alice@example.com"), id="plain"),
        pytest.param(
            {"email": "plain"}, {"kind": "service", "id": "c.access", "email": None}, ("service", "c.access", "-"),
            id="a-service",
        ),
        pytest.param(
            {"email": "plain"},
            {"id": "a\r\nroot logged in\x1b[0m", "email": "b\u2028@\x00"},
            ("user", "a\\r\\nroot logged in\\x1b[0m", "b\\u2028@\\x00"),
            id="hostile",
        ),
        pytest.param({}, {"id": "x" * 1_000}, ("user", "x" * 256, "-"), id="long"),
        pytest.param({"name": "app.views"}, {"id": "x"}, ("-", "-", "-"), id="another-logger"),
        pytest.param({"name": "app"}, {"id": "x"}, ("user", "x", "-"), id="this-logger"),
    ],
)  # fmt: skip
def test_what_a_record_says(
    identity: Callable[..., Identity], given: dict[str, Any], who: dict[str, Any] | None, said: tuple[str, str, str]
) -> None:
    it = record()
    with asking(None if who is None else identity(**who)):
        assert IdentityFilter(**given).filter(it)
    assert (it.cfaccess_kind, it.cfaccess_id, it.cfaccess_email) == said  # type: ignore[attr-defined]


def test_an_address_is_hashed_as_in_the_audit(identity: Callable[..., Identity]) -> None:
    one, other = record(), record()
    with asking(identity(email="Alice@Example.com")):
        IdentityFilter(email="hashed", key=KEY).filter(one)
    with asking(identity(email="alice@example.com")):
        IdentityFilter(email="hashed", key=KEY).filter(other)
    assert one.cfaccess_email == other.cfaccess_email  # type: ignore[attr-defined]
    assert one.cfaccess_email.startswith("hmac-sha256:")  # type: ignore[attr-defined]
    assert len(one.cfaccess_email) == len("hmac-sha256:") + 64  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"email": "hashed"}, "key: is missing; give the key of the audit", id="hashed-without-a-key"),
        pytest.param({"email": "yes"}, "email: is text of 3 characters; give 'hashed', 'off' or 'plain'", id="no-word"),
    ],
)
def test_what_cannot_be_meant(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        IdentityFilter(**given)


def test_it_is_configured_as_the_manual_says(identity: Callable[..., Identity]) -> None:
    said = io.StringIO()
    configuration = {
        "version": 1,
        "filters": {"identity": {"()": "cfaccess_mw.logs.IdentityFilter", "email": "plain"}},
        "formatters": {"plain": {"format": "%(levelname)s %(cfaccess_kind)s %(cfaccess_email)s %(message)s"}},
    }
    made = logging.config.DictConfigurator(configuration)
    handler = logging.StreamHandler(said)
    handler.addFilter(made.configure_filter(configuration["filters"]["identity"]))  # type: ignore[index]
    handler.setFormatter(made.configure_formatter(configuration["formatters"]["plain"]))  # type: ignore[index]
    logger = logging.Logger("app")  # noqa: LOG001 - of our own: nothing else is configured
    logger.addHandler(handler)
    with asking(identity()):
        logger.warning("deleted %s", "a report")
    logger.warning("idle")
    assert said.getvalue().splitlines() == ["WARNING user alice@example.com deleted a report", "WARNING - - idle"]


@pytest.mark.anyio
async def test_each_task_has_its_own(identity: Callable[..., Identity]) -> None:
    said: dict[str, str] = {}
    both = anyio.Event()

    async def one(name: str) -> None:
        with asking(identity(id=name)):
            if said:
                both.set()
            said.setdefault(name, "")
            await both.wait()
            it = record()
            IdentityFilter().filter(it)
            said[name] = it.cfaccess_id  # type: ignore[attr-defined]

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, "one")
            tasks.start_soon(one, "other")
    assert said == {"one": "one", "other": "other"}
