"""Who is asking, for code that is handed neither scope nor environ?"""

from contextvars import ContextVar

from cfaccess_mw.core.identity import Identity

current: ContextVar[Identity | None] = ContextVar("cfaccess.identity", default=None)


def current_identity() -> Identity | None:
    """The identity of the request that is being handled, or None where it has none.

    The doors set it on every request, public and anonymous ones too, so that a reused thread never shows the last
    person.
    """
    return current.get()
