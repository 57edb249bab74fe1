"""What does the team say about somebody who is looked up?"""

import json
from collections.abc import Iterable

from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.identity_reply import Reply
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.profile import user_profile
from cfaccess_mw.emulator.users import User


class Directory:
    """A ``profile_fetcher``: people, and the groups that they are in.

    Args:
        team: Whose tokens are shown.
        groups: Of everybody; None where nobody answers.
        ended: Whether there is no session any more.
    """

    def __init__(self, team: Issuer, groups: Iterable[str] | None = (), *, ended: bool = False) -> None:
        self.team = team
        self.groups = groups
        self.ended = ended
        self.asked = 0

    async def __call__(self, url: str, token: str) -> Reply:
        self.asked += 1
        if self.groups is None:
            raise FetchError("unreachable")
        if self.ended:
            return Reply(status=404)
        claims = self.team.read(token)
        assert claims is not None
        user = User(email=claims["email"], groups=tuple(self.groups))
        document = user_profile(user, claims, account_id=self.team.account_id, ip="192.0.2.1")
        return Reply(status=200, body=json.dumps(document).encode())
