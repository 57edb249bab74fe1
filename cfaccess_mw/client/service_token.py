"""How does a service call? With its credentials, and then with the cookie that they bought while that is good."""

import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, cast

from cfaccess_mw.client.conversation import Answer, Ask, Call, Conversation, Send
from cfaccess_mw.client.cookies import KeptCookies
from cfaccess_mw.client.credentials import ID_HEADER, SECRET_HEADER, Credentials, read_header_name
from cfaccess_mw.client.errors import (
    AccessRefused,
    CredentialsRefused,
    CredentialsUnusable,
    HeaderTaken,
    LoginDemanded,
    NotAdmitted,
)
from cfaccess_mw.client.hosts import NamedHosts, Origin
from cfaccess_mw.client.refusals import Refusal, Wants, refusal_in
from cfaccess_mw.client.sources import Source
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape

_ACTION = "the application needs a policy with the action 'Service Auth' that includes this token (not 'Allow')"
_WORN = "the secret may be wrong or the token expired, disabled or deleted (Zero Trust, Service credentials)"


class ServiceToken:
    """Calls as a service (Cloudflare, "Service tokens").

    One object is one service: the cookie that Access gives back is kept for whoever calls next. A client's own jar
    keeps it as well, and sends it along with redirects within the host, to other ports too: give the client
    :func:`~cfaccess_mw.client.jar.tokenless_cookies`.

    Args:
        *hosts: To whom the credentials may go: exact names, with a port where that is not the scheme's own. Over https
            only, except to this machine.
        credentials: What to prove oneself with, or a callable that gives it each time it is needed, so that it can be
            rotated; an asynchronous one for asynchronous clients. ``CF_ACCESS_CLIENT_ID`` and
            ``CF_ACCESS_CLIENT_SECRET`` of the environment where there is none.
        header: The one header in which the application reads both as JSON, if it is configured so
            (``read_service_tokens_from_header``), such as ``"Authorization"``.
        clock: Tells the time in seconds since the epoch.

    Raises:
        ConfigurationError: A value has another form than it should; the message says which.
    """

    keeps_people_apart = False

    def __init__(
        self,
        *hosts: str,
        credentials: Credentials | Callable[[], Credentials | Awaitable[Credentials]] | None = None,
        header: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.hosts = NamedHosts(hosts)
        self._header = None if header is None else read_header_name(header)
        self._source = _source(credentials)
        self._cookies = KeptCookies(clock)

    def __repr__(self) -> str:
        """For whom it is, and nothing of what it proves itself with."""
        return f"{type(self).__name__}({self.hosts!r})"

    def converse(self, call: Call) -> Conversation:
        """Call; see :class:`~cfaccess_mw.client.conversation.Caller`."""
        if self._header is not None and self._header.lower() in call.headers:
            raise HeaderTaken(
                f"the request already has the header {self._header}, in which the service token is to go",
                mend="leave that header out, or have the application read service tokens from another",
                host=str(call.origin),
            )
        # without a second try a cookie that is refused would be the end of it
        cookie = self._cookies.choose(call.origin, call.path) if call.repeatable else None
        if cookie is not None:
            answer: Answer = yield Send(cookie=cookie)
            if refusal_in(answer) is None:
                return
            self._cookies.was_refused(call.origin, cookie)
        credentials = yield from self._credentials()
        refusal = yield from self._present(call, credentials)
        if refusal is not None and call.repeatable:
            fresh = yield from self._credentials()
            if fresh != credentials:  # rotated while we were on our way
                refusal = yield from self._present(call, fresh)
        if refusal is not None:
            raise self._error(call.origin, refusal)

    def _credentials(self) -> Generator[Ask, Any, Credentials]:
        given = yield Ask(source=self._source)
        if not isinstance(given, Credentials):
            raise CredentialsUnusable(
                f"credentials: the callable gave {shape(given)}", mend="have it return client.Credentials"
            )
        return given

    def _present(self, call: Call, credentials: Credentials) -> Generator[Send, Any, Refusal | None]:
        answer: Answer = yield Send(headers=credentials.headers(self._header))
        refusal = refusal_in(answer)
        if refusal is None:
            self._cookies.learn(call.origin, call.path, answer)
        return refusal

    def _error(self, origin: Origin, refusal: Refusal) -> AccessRefused:
        sent = f"{ID_HEADER} and {SECRET_HEADER}" if self._header is None else f"{self._header} as JSON"
        other = (
            "or it reads service tokens from one header of its own (read_service_tokens_from_header): give header="
            if self._header is None
            else f"or it does not read service tokens from {self._header} (read_service_tokens_from_header)"
        )
        error, said, mend = _SAID[refusal.wants]
        if refusal.is_service_known:
            mend = f"it knows the token, but {_ACTION}"
        return error(
            said.format(host=origin, sent=sent),
            mend=mend.format(other=other),
            host=str(origin),
            status=refusal.status,
            ray=refusal.ray,
        )


_SAID: dict[Wants, tuple[type[AccessRefused], str, str]] = {
    Wants.LOGIN: (
        LoginDemanded,
        "Access in front of {host} wants somebody to sign in, although it was sent {sent}",
        f"{_ACTION}; else {_WORN}, {{other}}",
    ),
    Wants.CREDENTIALS: (
        CredentialsRefused,
        "Access in front of {host} does not know the service token that it was sent in {sent} (401)",
        f"{_WORN}, {{other}}",
    ),
    Wants.ADMISSION: (
        NotAdmitted,
        "Access in front of {host} knows the service token, and no policy admits it (403)",
        f"{_ACTION}, and whatever else that policy requires (addresses, countries) has to hold",
    ),
}


def _source(credentials: object) -> Source:
    if credentials is None:
        credentials = Credentials.from_environment()
    if isinstance(credentials, Credentials):
        given = credentials
        return Source(give=lambda: given, name="credentials")
    if callable(credentials):
        return Source(give=cast("Callable[[], object]", credentials), name="credentials")
    raise ConfigurationError(
        f"credentials: is {shape(credentials)}; give Credentials(client_id=..., client_secret=...) or a callable"
    )
