"""Who is at the door of an application, and may they come in?

Bypass before anything else. Then a service by what it proves itself with, then whoever brings a token. With strict
service tokens, a request with credentials is a service's and nothing else: no cookie and no login can save it.
"""

from dataclasses import dataclass
from enum import Enum

from cfaccess_mw.core.policy import PolicyDecision, PolicyOutcome
from cfaccess_mw.emulator.applications import Application
from cfaccess_mw.emulator.credentials import Credentials, presented
from cfaccess_mw.emulator.team import UNKNOWN_COUNTRY, Headers, Team, Visitor
from cfaccess_mw.emulator.users import User, is_country, is_email


class Turn(Enum):
    """How somebody is turned away."""

    LOGIN = "login"
    """To the login page."""

    UNAUTHENTICATED = "unauthenticated"
    """It is not known who this is, and a login would not help."""

    FORBIDDEN = "forbidden"
    """It is known who this is, and the policies do not admit them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedAway:
    """Somebody who may not come in.

    Attributes:
        turn: How.
        who: Address or Client ID of whoever it is, if that is known.
        reasons: The codes of the conditions that stood in the way.
    """

    turn: Turn
    who: str = ""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Somebody who may come in.

    Attributes:
        visitor: Who; None where Access steps aside.
        address: Where the request comes from.
        country: Likewise.
    """

    visitor: Visitor | None
    address: str
    country: str


class Entrance:
    """Decides at the doors of a team's applications.

    Args:
        team: Whom it recognises.
    """

    def __init__(self, team: Team) -> None:
        self._team = team

    def judge(self, headers: Headers, method: str, ip: str, application: Application) -> Admitted | TurnedAway:
        """Decide over one request.

        Args:
            headers: ASGI headers, names in lower case.
            method: GET for a WebSocket.
            ip: The connection's address.
            application: To which it goes.
        """
        team = self._team
        nobody = team.admission(None, method=method, address=team.address(None, ip))
        if application.policies and nobody.decide(application.policies).outcome is PolicyOutcome.OPEN:
            return self.open(ip)
        given = presented(headers, application.service_token_header)
        if given is not None:
            judged = self._judge_service(given, method, ip, application)
            if isinstance(judged, Admitted) or team.strict:
                return judged
        visitor = team.recognise(headers, application)
        if visitor is not None:
            return self._judge(visitor, method, ip, application)
        helpless = given is not None or not _has(application, PolicyDecision.ALLOW)
        is_for_services = application.service_auth_401 and _has(application, PolicyDecision.SERVICE_AUTH) and helpless
        return TurnedAway(turn=Turn.UNAUTHENTICATED if is_for_services else Turn.LOGIN)

    def open(self, ip: str) -> Admitted:
        """Let in whoever it is."""
        return Admitted(visitor=None, address=self._team.address(None, ip), country=self._team.country)

    def _judge_service(
        self, given: Credentials | str, method: str, ip: str, application: Application
    ) -> Admitted | TurnedAway:
        team = self._team
        service = team.service(given) if isinstance(given, Credentials) else None
        if service is None:
            return TurnedAway(turn=Turn.UNAUTHENTICATED)
        visitor = team.serve(service, application)
        if team.strict:  # which gives no cookie back (Cloudflare: strict service token authentication)
            visitor = Visitor(token=visitor.token, claims=visitor.claims)
        return self._judge(visitor, method, ip, application)

    def _judge(self, visitor: Visitor, method: str, ip: str, application: Application) -> Admitted | TurnedAway:
        team = self._team
        user = self._user(visitor)
        address = team.address(user, ip)
        verdict = team.admission(visitor.claims, method=method, address=address).decide(application.policies)
        if verdict.outcome is PolicyOutcome.REFUSE:
            who = visitor.email or str(visitor.claims.get("common_name", ""))
            return TurnedAway(turn=Turn.FORBIDDEN, who=who, reasons=verdict.reasons)
        return Admitted(visitor=visitor, address=address, country=self._country(visitor))

    def _country(self, visitor: Visitor) -> str:
        """Where a request comes from: where everybody comes from, else where the visitor signed in."""
        said = visitor.claims.get("country")
        is_known = isinstance(said, str) and is_country(said)  # a test may have put anything at all into a token
        return str(said) if is_known and self._team.country == UNKNOWN_COUNTRY else self._team.country

    def _user(self, visitor: Visitor) -> User | None:
        return self._team.user_of(visitor.claims) if is_email(visitor.email or "") else None


def _has(application: Application, decision: PolicyDecision) -> bool:
    return not application.policies or any(policy.decision is decision for policy in application.policies)
