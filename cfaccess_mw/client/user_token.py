"""How does a program call as the person who signed in on this machine? With the token that cloudflared keeps."""

import functools
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from cfaccess_mw.client.cloudflared import find_token
from cfaccess_mw.client.conversation import TOKEN_HEADER, Answer, Ask, Call, Conversation, Send
from cfaccess_mw.client.credentials import Secret
from cfaccess_mw.client.errors import AccessRefused, CredentialsRefused, LoginDemanded, NotAdmitted
from cfaccess_mw.client.hosts import NamedHosts, read_origin
from cfaccess_mw.client.refusals import Refusal, Wants, refusal_in
from cfaccess_mw.client.sign_in import check_token, login_hint, read_url
from cfaccess_mw.client.sources import Source
from cfaccess_mw.client.tokens import read_expiry
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape

_ADMISSION = "ask whoever runs the application for a policy that includes you"


class UserToken:
    """Calls as a person, with an application token in ``Cf-Access-Token`` as cloudflared does.

    One object is one person: the token is kept for whoever calls next. For whoever is asking an application there is
    :class:`~cfaccess_mw.client.forwarding.ForwardedIdentity`.

    Args:
        url: The application's address; the token goes to its host and to no other.
        token: Gives the token each time that one is needed; an asynchronous callable for asynchronous clients. Where
            there is none, :func:`~cfaccess_mw.client.cloudflared.find_token` does it, with the files of cloudflared.
        clock: Tells the time in seconds since the epoch.

    Raises:
        ConfigurationError: ``url`` is no address of an application.
    """

    keeps_people_apart = False

    def __init__(
        self,
        url: str,
        *,
        token: Callable[[], str | Awaitable[str]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = read_url(url)
        if token is not None and not callable(token):
            raise ConfigurationError(f"token: is {shape(token)}; give a callable, so that a new one can be had")
        self.hosts = NamedHosts([str(read_origin(url))])
        self._clock = clock
        find = functools.partial(find_token, url, clock=clock)
        self._source = Source(give=find if token is None else token, name="token", blocks=token is None)
        # One word, written whole by whoever has a new one: no lock is needed.
        self._held: Secret | None = None

    def __repr__(self) -> str:
        """For whom it is."""
        return f"{type(self).__name__}({self.hosts!r})"

    def converse(self, call: Call) -> Conversation:
        """Call; see :class:`~cfaccess_mw.client.conversation.Caller`."""
        held = self._held
        token = held if held is not None and read_expiry(held) > self._clock() else (yield from self._ask())
        refusal = yield from self._present(token)
        if refusal is not None and refusal.wants is not Wants.ADMISSION and call.repeatable:
            fresh = yield from self._ask()
            if fresh != token:  # somebody signed in again since
                refusal = yield from self._present(fresh)
        if refusal is not None:
            self._held = None
            raise self._error(refusal)

    def _ask(self) -> Generator[Ask, Any, Secret]:
        given = yield Ask(source=self._source)
        self._held = token = check_token(given, self._url, self._clock())
        return token

    def _present(self, token: Secret) -> Generator[Send, Any, Refusal | None]:
        answer: Answer = yield Send(headers=((TOKEN_HEADER, token),))
        return refusal_in(answer)

    def _error(self, refusal: Refusal) -> AccessRefused:
        error, said, mend = _SAID[refusal.wants]
        host = str(read_origin(self._url))
        return error(
            said.format(host=host),
            mend=mend or login_hint(self._url),
            host=host,
            status=refusal.status,
            ray=refusal.ray,
        )


_SAID: dict[Wants, tuple[type[AccessRefused], str, str]] = {
    Wants.LOGIN: (LoginDemanded, "Access in front of {host} does not take the token of this session any more", ""),
    Wants.CREDENTIALS: (CredentialsRefused, "Access in front of {host} does not take this token (401)", ""),
    Wants.ADMISSION: (
        NotAdmitted,
        "Access in front of {host} knows who you are, and no policy lets you in (403)",
        _ADMISSION,
    ),
}
