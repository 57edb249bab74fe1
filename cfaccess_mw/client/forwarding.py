"""How does an application call another for whoever is asking it? With the assertion of the request at hand.

Access in front of the other application takes it in ``Cf-Access-Token``, where a policy there with the action Service
Auth names this application (Cloudflare, "Linked App Token"), and hands the person's identity on.
"""

from collections.abc import Awaitable, Callable
from typing import TypeGuard

from cfaccess_mw.client.conversation import TOKEN_HEADER, Answer, Ask, Call, Conversation, Send
from cfaccess_mw.client.credentials import Secret
from cfaccess_mw.client.errors import AccessRefused, CredentialsRefused, LoginDemanded, NoIdentity, NotAdmitted
from cfaccess_mw.client.hosts import NamedHosts
from cfaccess_mw.client.reach import token_in_jar
from cfaccess_mw.client.refusals import Wants, refusal_in
from cfaccess_mw.client.sources import Source
from cfaccess_mw.client.tokens import read_payload
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.identity import assertion_of
from cfaccess_mw.core.shape import shape
from cfaccess_mw.wire.current import current_identity

_POLICY = (
    "that application needs a policy with the action 'Service Auth' and the rule 'Linked App Token' for this one, and"
    " the person's session here has to be good still"
)
_ERRORS: dict[Wants, type[AccessRefused]] = {
    Wants.LOGIN: LoginDemanded,
    Wants.CREDENTIALS: CredentialsRefused,
    Wants.ADMISSION: NotAdmitted,
}


class ForwardedIdentity:
    """Calls for whoever is asking this application.

    One client may serve everybody, as long as its cookie jar keeps no tokens: see
    :func:`~cfaccess_mw.client.jar.tokenless_cookies`.

    Args:
        *hosts: To whom the assertion may go: exact names, with a port where that is not the scheme's own.
        assertion: Gives the assertion of the request at hand, the value of ``Cf-Access-Jwt-Assertion``; an asynchronous
            callable for asynchronous clients. Where there is none, it is that of ``current_identity()``.

    Raises:
        ConfigurationError: A value has another form than it should.
    """

    keeps_people_apart = True

    def __init__(self, *hosts: str, assertion: Callable[[], str | Awaitable[str]] | None = None) -> None:
        self.hosts = NamedHosts(hosts)
        if assertion is not None and not callable(assertion):
            raise ConfigurationError(
                f"assertion: is {shape(assertion)}; give a callable, since each request has one of its own"
            )
        self._source = Source(give=_current_assertion if assertion is None else assertion, name="assertion")

    def __repr__(self) -> str:
        """For whom it is."""
        return f"{type(self).__name__}({self.hosts!r})"

    def converse(self, call: Call) -> Conversation:
        """Call; see :class:`~cfaccess_mw.client.conversation.Caller`."""
        host = str(call.origin)
        if call.has_token_cookie:
            # It would go out with the next redirect, which is sent without asking us, and speak for somebody else.
            raise token_in_jar(call.origin)
        given = yield Ask(source=self._source)
        if not _is_token(given):
            raise NoIdentity(
                f"there is no assertion to pass on to {host}",
                mend="call from within a request that Access let through",
                host=host,
            )
        answer: Answer = yield Send(headers=((TOKEN_HEADER, Secret(given)),))
        refusal = refusal_in(answer)
        if refusal is not None:
            raise _ERRORS[refusal.wants](
                f"Access in front of {host} does not take the identity that was passed on ({refusal.status})",
                mend=_POLICY,
                host=host,
                status=refusal.status,
                ray=refusal.ray,
            )


def _current_assertion() -> str | None:
    identity = current_identity()
    return None if identity is None else assertion_of(identity)


def _is_token(given: object) -> TypeGuard[str]:
    """Whether it can stand in a header, and is what Access takes there; whether it is good is for Access to say."""
    if not isinstance(given, str):
        return False
    try:
        read_payload(given)
    except ValueError:
        return False
    return True
