"""Fixtures that every room's tests share."""

import logging
import sys
from pathlib import Path

import pytest

# Behind everything that is installed: the tests find each other, and the package that is tested is the installed one.
sys.path.append(str(Path(__file__).parents[1]))

from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from cfaccess_mw.wire.current import current
from tests.tokens import AUD, NOW, snapshot_of


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each asynchronous test on both event loops."""
    return str(request.param)


@pytest.fixture(autouse=True)
def _nobody() -> None:
    """Nobody is asking when a test begins: some leave a response unclosed in this thread, on purpose."""
    current.set(None)


@pytest.fixture(autouse=True)
def _heard() -> None:
    """Loggers are as a process finds them that configures none: servers and frameworks that run here set up theirs."""
    logging.disable(logging.NOTSET)
    logging.getLogger().setLevel(logging.WARNING)
    ours = logging.getLogger("cfaccess_mw")
    ours.disabled, ours.propagate = False, True
    ours.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder from which a process of its own can import the tests, and the package only where it is installed."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "tests").symlink_to(Path(__file__).parent, target_is_directory=True)
    return folder


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """A team that signs, at ``NOW`` and no other time; making its keys takes 0.2 s, so all tests share it."""
    return Issuer("acme", clock=lambda: NOW)


@pytest.fixture(scope="session")
def stranger() -> SigningKey:
    """A key that no team publishes."""
    return SigningKey.generate(now=NOW)


@pytest.fixture(scope="session")
def snapshot(issuer: Issuer) -> KeySnapshot:
    """What the team publishes."""
    return snapshot_of(issuer)


@pytest.fixture(scope="session")
def token(issuer: Issuer) -> str:
    """A good token of a user."""
    return issuer.user("user@example.com", audience=AUD, identity_nonce="6ei69kawdKzMIAPF")
