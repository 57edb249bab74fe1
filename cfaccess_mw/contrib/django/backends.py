"""Which Django user is somebody who came through Access?

The hooks have the names that packages for OpenID Connect use; ``claims`` is what the verified token says, and
``self.identity`` who it is. Whatever a hook finds, an inactive user is refused.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group
from django.core.exceptions import FieldDoesNotExist
from django.db import IntegrityError, router, transaction
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from cfaccess_mw.contrib.django import conf
from cfaccess_mw.core.identity import Identity

Claims = Mapping[str, Any]

_MANY = 2  # users of one key are one too many
_log = logging.getLogger("cfaccess_mw")


class AccessBackend(ModelBackend):
    """Finds the user, as ``CFACCESS_USERS`` says; permissions are those of Django's ``ModelBackend``.

    Attributes:
        request: The request that is being handled, or None.
        identity: Who is asking.
        users: What ``CFACCESS_USERS`` says.
    """

    request: HttpRequest | None
    identity: Identity

    def __init__(self) -> None:
        self.users = conf.users()
        self.UserModel = get_user_model()

    @sensitive_variables()
    def authenticate(self, request: HttpRequest | None, access: Identity | None = None) -> Any | None:
        """The user that somebody is, or None for nobody.

        Args:
            request: The request.
            access: Who came through the door, ``request.access``.

        Raises:
            IdentityUnavailable: Their groups are needed, and cannot be had at the moment.
            SessionEnded: Their session with Access has ended.
        """
        if not isinstance(access, Identity):
            return None
        self.request, self.identity = request, access
        claims = access.claims
        if not self.verify_claims(claims):
            return None
        if access.kind == "service":
            user = self.get_service_user(access.id)
        else:
            user = self.get_or_create_user(claims) if access.kind == "user" else None
        if user is None or not self.user_can_authenticate(user):
            return None
        if access.kind == "user" and self.users.reads_groups:
            self.sync_groups(user, frozenset(self.get_groups(claims)))
        return user

    async def aauthenticate(self, request: HttpRequest | None, access: Identity | None = None) -> Any | None:
        """Do the same on an event loop; the database is asked in a thread."""
        return await sync_to_async(self.authenticate)(request, access=access)

    # Hooks

    def verify_claims(self, claims: Claims) -> bool:
        """Whether whoever has these claims may be a user at all; the token itself has been verified."""
        return True

    def get_key(self, claims: Claims) -> str:
        """By what a person is known: the address or the id."""
        return self.identity.id if self.users.key == "id" else str(self.identity.email)

    def get_username(self, claims: Claims) -> str:
        """The username of a new user: the key, an address in lower case."""
        return _plain(self.get_key(claims)) if self.users.key == "email" else self.get_key(claims)

    @sensitive_variables()
    def filter_users_by_claims(self, claims: Claims) -> Sequence[Any]:
        """The users that somebody with these claims could be: one, unless something is wrong."""
        key, field = self.get_key(claims), self.key_field
        lookup, same = ("exact", str) if self.users.key == "id" else ("iexact", _plain)
        found = self.UserModel._default_manager.filter(**{f"{field}__{lookup}": key})
        # Databases compare by their own lights, and some take "é" for "e".
        return [user for user in found if same(getattr(user, field)) == same(key)]

    @sensitive_variables()
    def create_user(self, claims: Claims) -> Any | None:
        """Make the user of somebody who is none yet: active, without a password, without any right."""
        model = self.UserModel
        values = {self.key_field: self.get_key(claims), model.USERNAME_FIELD: self.get_username(claims)}
        email = model.get_email_field_name()
        if email not in values and _has_field(model, email):
            values[email] = str(self.identity.email)
        for name, value in values.items():
            longest = model._meta.get_field(name).max_length
            if longest is not None and len(value) > longest:
                _log.warning("nobody was made a user: their %s is too long for it", name)
                return None
        user = model(**values)
        user.set_unusable_password()
        with transaction.atomic(using=router.db_for_write(model)):
            user.save(force_insert=True)
        return user

    def update_user(self, user: Any, claims: Claims) -> Any:
        """Bring a user up to date, who is there already; nothing is changed unless this is overridden."""
        return user

    def get_groups(self, claims: Claims) -> Iterable[str]:
        """The Access groups of a person, looked up at Cloudflare; asked only where the settings name groups.

        Raises:
            IdentityUnavailable: They cannot be had at the moment.
            SessionEnded: Their session with Access has ended.
        """
        return self.identity.profile_blocking().groups

    # What the hooks are for

    @property
    def key_field(self) -> str:
        """In which field of the user model the key stands."""
        model = self.UserModel
        default = model.USERNAME_FIELD if self.users.key == "id" else model.get_email_field_name()
        return str(self.users.field or default)

    @sensitive_variables()
    def get_or_create_user(self, claims: Claims) -> Any | None:
        """The user of a person; None where there is none, or more than one."""
        found = self.filter_users_by_claims(claims)
        if not found and self.users.create:
            try:
                return self.create_user(claims)
            except IntegrityError:  # another request was faster, or somebody else has that username
                found = self.filter_users_by_claims(claims)
        if len(found) >= _MANY:
            _log.warning("somebody was refused: %d users have the same %s", len(found), self.key_field)
        return self.update_user(found[0], claims) if len(found) == 1 else None

    def get_service_user(self, client_id: str) -> Any | None:
        """The user that a service was given in the settings."""
        username = self.users.services.get(client_id)
        if username is None:
            return None
        user = self.UserModel._default_manager.filter(**{self.UserModel.USERNAME_FIELD: username}).first()
        return user if user is not None and user.get_username() == username else None

    def sync_groups(self, user: Any, access_groups: frozenset[str]) -> None:
        """Make a user a member of the Django groups that the settings name for their Access groups, and of no other of
        those; what the settings do not name stays as it is. Nothing is written where nothing changes."""
        mapped = self.users.django_groups
        wanted = frozenset().union(*(names for access, names in mapped.items() if access in access_groups))
        managed = frozenset().union(*mapped.values())
        if managed:
            present = {group.name: group for group in user.groups.filter(name__in=managed)}
            if missing := wanted.difference(present):
                added = list(Group.objects.filter(name__in=missing))
                user.groups.add(*added)
                if unknown := missing.difference(group.name for group in added):
                    _log.warning("there are no such Django groups: %s", ", ".join(sorted(unknown)))
            if surplus := [group for name, group in present.items() if name not in wanted]:
                user.groups.remove(*surplus)
        flags = {name: not access_groups.isdisjoint(who) for name, who in self.users.flags.items()}
        if changed := [name for name, value in flags.items() if getattr(user, name) != value]:
            for name in changed:
                setattr(user, name, flags[name])
            user.save(update_fields=changed)


def _plain(text: str) -> str:
    """Text with the ASCII letters in lower case, and all others as they are."""
    return str(text).encode().lower().decode()


def _has_field(model: Any, name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True
