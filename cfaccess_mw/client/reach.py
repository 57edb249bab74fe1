"""Is a request one that the credentials are for, and what if it is not, and Access answers?"""

from cfaccess_mw.client.conversation import Answer, Caller
from cfaccess_mw.client.errors import HostNotNamed, InsecureCall, TokenInCookieJar
from cfaccess_mw.client.hosts import Origin
from cfaccess_mw.client.refusals import refusal_in


def concerns(caller: Caller, origin: Origin) -> bool:
    """Whether a request goes to a host that was named; others pass through as they are.

    Raises:
        InsecureCall: It does, over plain http.
    """
    if origin not in caller.hosts:
        return False
    if origin.is_safe:
        return True
    raise InsecureCall(
        f"the call to {origin} would go out over plain http, where anybody on the way reads along",
        mend="call https://",
        host=str(origin),
    )


def token_in_jar(origin: Origin) -> TokenInCookieJar:
    """The error where the client's cookie jar has a token, and so would speak for somebody else."""
    return TokenInCookieJar(
        f"the request for {origin} has a CF_Authorization cookie beside the identity that is passed on",
        mend="make the client with a cookie jar that keeps none: client.tokenless_cookies()",
        host=str(origin),
    )


def check_unnamed(origin: Origin, answer: Answer) -> None:
    """Say so where a host got no credentials, and should perhaps have been named.

    Raises:
        HostNotNamed: It was Access that answered.
    """
    refusal = refusal_in(answer)
    if refusal is not None:
        raise HostNotNamed(
            f"Access protects {origin}, which is not among the hosts that get credentials, and let nobody in",
            mend=f"name '{origin}' if it may have them; plain http never gets any",
            host=str(origin),
            status=refusal.status,
            ray=refusal.ray,
        )
