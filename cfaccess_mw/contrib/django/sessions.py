"""Whose is Django's session?

It belongs to the person in whose name it was begun: who it was stands in it, with the time of their token. A request of
somebody else's ends it, however it was begun, and a new token has its owner looked up again, so that groups and
verdicts are at most as old as that. Nothing is asked of the database while both stay the same, but for the session.

A session is begun only with a page that is made for a person. Services and programs are users for one request at a
time: few of them keep cookies, and the others would begin a session with each request.
"""

import logging
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from cfaccess_mw.contrib.django import conf
from cfaccess_mw.contrib.django.backends import AccessBackend
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.wire.prefers import is_for_a_person

SESSION_KEY: Final = "_cfaccess"
"""Under which the session says whose it is."""

_log = logging.getLogger("cfaccess_mw")


def bind(request: HttpRequest, identity: Identity | None) -> None:
    """Make the session of a request, and its user, those of whoever is asking.

    Args:
        request: A request with a session.
        identity: Who is asking.

    Raises:
        IdentityUnavailable: Their groups are needed, and cannot be had at the moment.
        SessionEnded: Their session with Access has ended.
    """
    request.access_bound = True
    owner = request.session.get(SESSION_KEY)
    if identity is None:
        if owner is not None:
            _lose(request)
        return
    here = _owner(identity)
    if owner == here and auth.SESSION_KEY in request.session:
        return
    if owner is not None and owner[0] != here[0]:
        _end(request)
        owner = None
    user = sign_in(request, identity)
    if owner is not None or auth.SESSION_KEY in request.session or _begins_session(request, identity):
        _keep(request, user, here)
    elif user is not None:
        _become(request, user)


async def abind(request: HttpRequest, identity: Identity | None) -> None:
    """Do the same on an event loop; the database is asked in a thread."""
    owner = await request.session.aget(SESSION_KEY)
    if owner is not None and identity is not None and owner == _owner(identity) and auth.SESSION_KEY in request.session:
        request.access_bound = True
        return
    await sync_to_async(bind)(request, identity)


def claim(request: HttpRequest, identity: Identity | None) -> None:
    """Make a session that a view has begun, or logged somebody in to, that of whoever was asking.

    It holds for those too who are no Django user: what was kept for one person is never shown to the next.

    Args:
        request: A request that was answered.
        identity: Who was asking.
    """
    session = request.session
    if identity is None or identity.kind != "user" or not session.modified:
        return
    if not session.is_empty() and SESSION_KEY not in session:
        session[SESSION_KEY] = _owner(identity)


def sign_in(request: HttpRequest, identity: Identity) -> Any | None:
    """Find the Django user that somebody is, or None for nobody; the session stays as it is.

    Not by ``django.contrib.auth.authenticate``, which announces a failed login, as of somebody who guesses passwords:
    who is no user comes with every request.

    Args:
        request: The request.
        identity: Who is asking.

    Raises:
        IdentityUnavailable: Their groups are needed, and cannot be had at the moment.
        SessionEnded: Their session with Access has ended.
    """
    for path in settings.AUTHENTICATION_BACKENDS:
        backend = auth.load_backend(path)
        if not isinstance(backend, AccessBackend):
            continue
        try:
            user = backend.authenticate(request, access=identity)
        except PermissionDenied:
            return None
        if user is not None:
            user.backend = path
            return user
    return None


def _begins_session(request: HttpRequest, identity: Identity) -> bool:
    headers = request.headers
    return identity.kind == "user" and is_for_a_person(headers.get("Sec-Fetch-Mode", ""), headers.get("Accept", ""))


def _keep(request: HttpRequest, user: Any | None, here: list[object]) -> None:
    session = request.session
    if user is not None:
        same = session.get(auth.SESSION_KEY) == user._meta.pk.value_to_string(user)
        if not (same and session.get(auth.BACKEND_SESSION_KEY) == user.backend):
            auth.login(request, user, backend=user.backend)
        session[SESSION_KEY] = here
        _become(request, user)
    elif _was_ours(session):
        _end(request)
    elif auth.SESSION_KEY in session:  # begun with a password, say
        session[SESSION_KEY] = here


def _was_ours(session: Any) -> bool:
    path = session.get(auth.BACKEND_SESSION_KEY, "")
    return path in settings.AUTHENTICATION_BACKENDS and isinstance(auth.load_backend(path), AccessBackend)


def _lose(request: HttpRequest) -> None:
    if conf.users().absence == "end":
        _end(request)
    else:
        _become(request, AnonymousUser())


def _end(request: HttpRequest) -> None:
    _log.info("a session ended: its owner is not asking any more")
    auth.logout(request)
    _become(request, AnonymousUser())  # ``auser`` too, which may have been asked before us


def _become(request: HttpRequest, user: Any) -> None:
    async def auser() -> Any:
        return user

    request.user, request.auser = user, auser


def _owner(identity: Identity) -> list[object]:
    """Who somebody is, and of when their token is; as JSON gives it back."""
    return [f"{identity.issuer} {identity.kind} {identity.id}", identity.issued_at]
