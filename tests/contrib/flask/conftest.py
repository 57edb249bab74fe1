"""Flask applications of every shape, with real keys and tokens of now."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

from cfaccess_mw.contrib.flask import CfAccess
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.telemetry.events import Event
from cfaccess_mw.wire.current import current
from tests.tokens import AUD

Headers = dict[str, str]


def with_token(token: str, **more: str) -> Headers:
    """The headers of a request that came through Access."""
    return {"Cf-Access-Jwt-Assertion": token, **more}


@dataclass
class Team:
    """A team whose keys are given, and who answers what its people are asked about."""

    issuer: Issuer
    groups: tuple[str, ...] = ("admins",)
    status: int = 200
    looked_up: int = 0
    events: list[Event] = field(default_factory=list)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "team": "acme",
            "audience": AUD,
            "keys": self.issuer.certs(),
            "profile_fetcher": self.look_up,
            "listeners": [self.events.append],
        }

    def token(self, email: str = "alice@example.com", **more: Any) -> str:
        return self.issuer.user(email, **{"audience": AUD, "issued_at": time.time(), **more})

    def service(self, **more: Any) -> str:
        return self.issuer.service(**{"audience": AUD, "issued_at": time.time(), **more})

    def look_up(self, url: str, token: str) -> Awaitable[Reply]:
        async def answer() -> Reply:
            self.looked_up += 1
            claims = self.issuer.read(token) or {}
            document = {"email": claims["email"], "user_uuid": claims["sub"], "groups": list(self.groups)}
            return Reply(status=self.status, body=json.dumps(document).encode())

        return answer()


@pytest.fixture(autouse=True)
def _nobody_before() -> None:
    """Begin with nobody: clients that do not close a response leave its person behind."""
    current.set(None)


@pytest.fixture
def team(issuer: Issuer) -> Team:
    return Team(Issuer("acme", current=issuer.current, previous=issuer.previous, clock=time.time))


@pytest.fixture
def alice(team: Team) -> Headers:
    return with_token(team.token())


@pytest.fixture
def bob(team: Team) -> Headers:
    return with_token(team.token("bob@example.com"))


Make = Callable[..., tuple[Flask, CfAccess]]


@pytest.fixture
def make(team: Team) -> Make:
    """A Flask application with the extension: ``make(protect_all=True, rules=…)``."""

    def made(**options: Any) -> tuple[Flask, CfAccess]:
        app = Flask("under_test", static_folder=None)
        app.secret_key = "for tests"
        return app, CfAccess(app, **{**team.options, **options})

    return made
