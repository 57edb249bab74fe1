"""Which Django user is somebody who came through Access, and whose is the session?"""

import asyncio
import time
from typing import Any

import pytest
from django.contrib.auth import aauthenticate, authenticate, get_user_model
from django.contrib.auth.models import Group
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.test import override_settings
from django.utils.decorators import async_only_middleware

from cfaccess_mw import ConfigurationError
from cfaccess_mw.contrib.django import conf
from cfaccess_mw.contrib.django.backends import AccessBackend
from cfaccess_mw.core.identity import Identity
from tests.contrib.django.asking import Client, session_of
from tests.contrib.django.conftest import ROBOT
from tests.contrib.django.lookups import Directory
from tests.contrib.django.settings import AUTHENTICATION, BACKEND, DOOR, MIDDLEWARE, SESSIONS, USERS
from tests.tokens import AUD

ALICE, BOB = "alice@example.com", "bob@example.com"
User: Any = get_user_model()
NOW = int(time.time())


@pytest.fixture
def alice(project: None) -> Any:
    """A user."""
    return User.objects.create_user("alice", ALICE)


@pytest.fixture
def bob(project: None) -> Any:
    """Another."""
    return User.objects.create_user("bob", BOB)


def users(**settings: Any) -> Any:
    """``CFACCESS_USERS`` for a block."""
    return override_settings(CFACCESS_USERS=settings)


def who(client: Client, email: str | None = ALICE, path: str = "/user", **options: Any) -> str:
    """The username that a page sees."""
    return str(client.page(path, email, **options).json["user"])


@pytest.mark.parametrize("path", ["/user", "/auser"])
def test_somebody_is_their_user(client: Client, alice: Any, path: str) -> None:
    assert who(client, path=path) == "alice"
    assert who(client, path=path) == "alice"
    assert Session.objects.count() == 1


@pytest.mark.parametrize(
    ("stored", "signed", "same"),
    [
        pytest.param("Alice@Example.com", "alice@EXAMPLE.com", True, id="case"),
        pytest.param("mike@example.com", "m\u0131ke@example.com", False, id="dotless-i"),
        pytest.param("kate@example.com", "\u212aate@example.com", False, id="kelvin-sign"),
        pytest.param("rene@example.com", "ren\u00e9@example.com", False, id="accent"),
        pytest.param("a_ice@example.com", "alice@example.com", False, id="no-wildcard"),
        pytest.param("", "alice@example.com", False, id="none"),
    ],
)
def test_an_address_is_compared_in_ascii(client: Client, stored: str, signed: str, same: bool) -> None:
    User.objects.create_user("somebody", stored)
    assert who(client, signed) == ("somebody" if same else "")


def test_two_users_of_one_address_are_nobody(client: Client, alice: Any) -> None:
    User.objects.create_user("other", "ALICE@example.com")
    assert who(client) == ""


def test_an_inactive_user_is_refused(client: Client, alice: Any) -> None:
    assert who(client) == "alice"
    User.objects.update(is_active=False)
    assert who(client) == ""
    client.cookies.clear()
    assert who(client) == ""


def test_nobody_is_made_a_user_unasked(client: Client) -> None:
    assert who(client) == ""
    assert not User.objects.exists()
    assert not Session.objects.exists()


@pytest.mark.parametrize("key", ["email", "id"])
def test_somebody_is_made_a_user(client: Client, key: str) -> None:
    with users(create=True, key=key):
        name = who(client, "Alice@Example.com")
    user = User.objects.get()
    assert name == user.username == (ALICE if key == "email" else client.team.subject("Alice@Example.com"))
    assert user.email == "Alice@Example.com"
    assert not user.has_usable_password()
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)


@pytest.mark.parametrize("email", [ALICE, "x" * 200 + "@example.com"], ids=["taken", "too-long"])
def test_a_new_user_takes_nothing_from_another(client: Client, email: str) -> None:
    User.objects.create_user(ALICE, is_staff=True)
    with users(create=True):
        assert who(client, email) == ""
    assert User.objects.count() == 1


def test_people_can_be_known_by_their_id(client: Client, alice: Any) -> None:
    User.objects.create_user(client.team.subject(ALICE))
    with users(key="id"):
        assert who(client) == client.team.subject(ALICE)


def test_people_can_be_known_by_a_field(client: Client) -> None:
    User.objects.create_user(ALICE)
    with users(field="username"):
        assert who(client) == ALICE


def test_a_warm_request_asks_for_session_and_user_alone(client: Client, alice: Any, queries: list[str]) -> None:
    who(client)
    queries.clear()
    assert who(client) == "alice"
    assert queries == ["SELECT", "SELECT"]
    queries.clear()
    client.page("/whoami", ALICE)
    assert queries == ["SELECT"]


@pytest.mark.parametrize("create", [True, False])
def test_a_stranger_costs_one_query(client: Client, create: bool, queries: list[str]) -> None:
    client.get("/whoami", ALICE)
    queries.clear()
    client.page("/whoami", BOB)
    assert queries == ["SELECT"]


def test_a_program_begins_no_session(client: Client, alice: Any, queries: list[str]) -> None:
    client.get("/whoami", ALICE)
    queries.clear()
    assert client.get("/user", ALICE).json == {"user": "alice", "session": False}
    assert queries == ["SELECT"]
    assert not client.cookies
    assert not Session.objects.exists()


@pytest.mark.parametrize("path", ["/user", "/auser"])
def test_another_person_ends_the_session(client: Client, alice: Any, bob: Any, path: str) -> None:
    who(client)
    before = dict(client.cookies)
    assert who(client, BOB, path) == "bob"
    assert client.cookies["sessionid"] != before["sessionid"]
    client.cookies = before
    assert who(client, BOB) == "bob"
    assert Session.objects.count() == 2


@pytest.mark.parametrize("email", [BOB, None])
def test_a_stranger_ends_the_session(client: Client, alice: Any, email: str | None) -> None:
    who(client)
    kept = dict(client.cookies)
    assert who(client, email, "/public/user") == ""
    assert not Session.objects.exists()
    assert "sessionid" not in client.cookies
    client.cookies = kept
    assert client.page("/public/user").json["user"] == ""


def test_the_session_may_rest_on_public_pages(client: Client, alice: Any) -> None:
    with users(absence="ignore"):
        who(client)
        assert who(client, None, "/public/user") == ""
        assert Session.objects.count() == 1
        assert who(client) == "alice"


def test_a_service_with_a_users_session_ends_it(client: Client, alice: Any) -> None:
    who(client)
    token = client.team.service(ROBOT, audience=AUD)
    answer = client.send("GET", "/user", [("cf-access-jwt-assertion", token)])
    assert answer.json["user"] == ""
    assert not Session.objects.exists()


def test_a_session_with_a_password_is_bound_to_whoever_came(client: Client, bob: Any) -> None:
    client.cookies = {"sessionid": session_of(bob)}
    assert who(client, ALICE) == "bob"
    assert who(client, ALICE) == "bob"
    assert who(client, "carol@example.com") == ""
    assert not Session.objects.exists()


def test_a_session_with_a_password_gives_way_to_the_user_of_access(client: Client, alice: Any, bob: Any) -> None:
    client.cookies = {"sessionid": session_of(bob)}
    assert who(client, ALICE) == "alice"


def test_a_bound_session_outlives_a_token(client: Client, bob: Any) -> None:
    client.cookies = {"sessionid": session_of(bob)}
    for at in (0, 60):
        client.claims = {"issued_at": NOW - at}
        assert who(client, ALICE) == "bob"
        assert client.get("/api/", ALICE).json["user"] == "bob"


def test_a_new_token_has_its_owner_looked_up_again(client: Client, alice: Any, queries: list[str]) -> None:
    logins: list[object] = []

    def logged_in(**_: object) -> None:
        logins.append(1)

    user_logged_in.connect(logged_in)
    client.claims = {"issued_at": NOW - 60}
    who(client)
    csrf, session = client.cookies.get("csrftoken"), client.cookies["sessionid"]
    client.claims = {"issued_at": NOW}
    assert who(client) == "alice"
    assert (len(logins), client.cookies["sessionid"], client.cookies.get("csrftoken")) == (1, session, csrf)
    User.objects.update(email=BOB)
    client.claims = {"issued_at": NOW + 1}
    assert who(client) == ""
    assert not Session.objects.exists()
    user_logged_in.disconnect(logged_in)


def test_a_stranger_is_no_failed_login(client: Client) -> None:
    failed: list[object] = []

    def login_failed(**_: object) -> None:
        failed.append(1)

    user_login_failed.connect(login_failed)
    who(client)
    user_login_failed.disconnect(login_failed)
    assert not failed


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        pytest.param(["admins"], {"Editors", "Readers", "Own"}, id="several"),
        pytest.param(["staff"], {"Readers", "Own"}, id="one"),
        pytest.param(["Admins", "other"], {"Own"}, id="none"),
    ],
)
def test_groups_follow_those_of_access(
    client: Client,
    alice: Any,
    door: dict[str, Any],
    groups: list[str],
    expected: set[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("Editors", "Readers", "Own", "Unmanaged"):
        Group.objects.create(name=name)
    alice.groups.add(*Group.objects.filter(name__in=["Editors", "Own"]))
    directory = Directory(client.team, groups)
    mapped = {"admins": ["Editors", "Readers", "Missing"], "staff": "Readers"}
    with override_settings(CFACCESS={**door, "profile_fetcher": directory}), users(groups=mapped):
        for _ in range(3):
            who(client)
    assert set(alice.groups.values_list("name", flat=True)) == expected
    assert directory.asked == 1
    assert ("there are no such Django groups: Missing" in caplog.text) is (groups == ["admins"])


@pytest.mark.parametrize(
    ("settings", "staff", "superuser"),
    [
        pytest.param({"groups": {"admins": "Editors"}}, True, True, id="not-named"),
        pytest.param({"is_staff": "admins"}, True, True, id="staff-a-member"),
        pytest.param({"is_staff": ["others"]}, False, True, id="staff-no-member"),
        pytest.param({"is_superuser": ["others"]}, True, False, id="superuser-no-member"),
    ],
)
def test_rights_change_only_where_they_are_named(
    client: Client, alice: Any, door: dict[str, Any], settings: dict[str, Any], staff: bool, superuser: bool
) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    with override_settings(CFACCESS={**door, "profile_fetcher": Directory(client.team, ["admins"])}), users(**settings):
        who(client)
    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_superuser) == (staff, superuser)


def test_nothing_is_written_where_groups_stay(
    client: Client, alice: Any, door: dict[str, Any], queries: list[str]
) -> None:
    alice.groups.add(Group.objects.create(name="Editors"))
    directory = Directory(client.team, ["admins"])
    mapped = users(groups={"admins": "Editors"}, is_staff="others")
    with override_settings(CFACCESS={**door, "profile_fetcher": directory}), mapped:
        client.get("/whoami", ALICE)
        queries.clear()
        client.get("/whoami", ALICE)
    assert queries == ["SELECT", "SELECT"]


@pytest.mark.parametrize(
    ("groups", "ended", "status"),
    [
        pytest.param(None, False, 503, id="nobody-answers"),
        pytest.param([], True, 401, id="no-session-any-more"),
    ],
)
def test_unknown_groups_let_nobody_sign_in(
    client: Client, alice: Any, door: dict[str, Any], groups: Any, ended: bool, status: int
) -> None:
    directory = Directory(client.team, groups, ended=ended)
    with override_settings(CFACCESS={**door, "profile_fetcher": directory}), users(is_staff="admins"):
        answer = client.get("/user", ALICE)
    assert answer.status == status
    assert answer.header("content-type") == "application/problem+json"


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        pytest.param({ROBOT: "robot"}, "robot", id="named"),
        pytest.param({ROBOT: "ROBOT"}, "", id="another-case"),
        pytest.param({ROBOT: "nobody"}, "", id="no-user"),
        pytest.param({"f" + ROBOT[1:]: "robot"}, "", id="another-service"),
        pytest.param({}, "", id="none"),
    ],
)
def test_a_service_is_a_user_where_it_is_named(client: Client, services: dict[str, str], expected: str) -> None:
    User.objects.create_user("robot", "robot@example.com")
    token = client.team.service(ROBOT, audience=AUD)
    headers = [("cf-access-jwt-assertion", token), ("accept", "text/html")]
    with users(services=services, create=True):
        answer = client.send("GET", "/user", headers)
    assert answer.json == {"user": expected, "session": False}
    assert User.objects.count() == 1


def test_an_inactive_service_is_refused(client: Client) -> None:
    User.objects.create_user("robot", is_active=False)
    with users(services={ROBOT: "robot"}):
        token = client.team.service(ROBOT, audience=AUD)
        assert client.send("GET", "/user", [("cf-access-jwt-assertion", token)]).json["user"] == ""


class Particular(AccessBackend):
    """A backend with hooks of the project's."""

    def verify_claims(self, claims: Any) -> bool:
        if claims["email"] == "denied@example.com":
            raise PermissionDenied
        return bool(claims["email"] != BOB)

    def filter_users_by_claims(self, claims: Any) -> Any:
        return User.objects.filter(first_name=claims["email"])

    def get_username(self, claims: Any) -> str:
        return f"made-{self.identity.kind}"

    def update_user(self, user: Any, claims: Any) -> Any:
        user.last_name = claims["sub"]
        user.save()
        return user


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        pytest.param("known@example.com", "known", id="found-by-the-hook"),
        pytest.param(ALICE, "made-user", id="named-by-the-hook"),
        pytest.param(BOB, "", id="not-verified"),
        pytest.param("denied@example.com", "", id="denied-outright"),
    ],
)
def test_hooks_are_asked(client: Client, email: str, expected: str) -> None:
    User.objects.create_user("known", first_name="known@example.com")
    User.objects.create_user("bob", BOB, first_name=BOB)
    User.objects.create_user("denied", "denied@example.com")
    backends = [f"{__name__}.Particular", BACKEND] if email.startswith("denied") else [f"{__name__}.Particular"]
    with override_settings(AUTHENTICATION_BACKENDS=backends), users(create=True):
        assert who(client, email) == expected
    if expected == "known":
        assert User.objects.get(username="known").last_name == client.team.subject(email)


@pytest.mark.parametrize("access", [None, ALICE, {"email": ALICE}], ids=["none", "text", "mapping"])
def test_only_an_identity_authenticates(alice: Any, access: Any) -> None:
    assert authenticate(None, access=access) is None
    assert AccessBackend().authenticate(None, access=access) is None
    assert authenticate(None, username="alice", password="") is None


def test_a_login_that_is_not_required_changes_nothing_of_the_rules(client: Client, alice: Any) -> None:
    required = [*MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    with override_settings(MIDDLEWARE=required):
        client = Client(client.team, client.way)
    assert client.page("/strangers").status == 401
    assert client.page("/strangers", BOB).body == b"in"
    assert client.page("/whoami", BOB).status == 302
    assert client.page("/whoami", ALICE).status == 200


@pytest.mark.parametrize(
    "middleware",
    [
        pytest.param([DOOR, USERS], id="no-session"),
        pytest.param([DOOR, SESSIONS, USERS, AUTHENTICATION], id="too-early"),
        pytest.param([SESSIONS, AUTHENTICATION, USERS], id="no-door"),
    ],
)
def test_a_wrong_order_lets_nobody_in(project: None, team: Any, way: str, middleware: list[str]) -> None:
    with override_settings(MIDDLEWARE=middleware):
        assert Client(team, way).get("/whoami", ALICE).status == 500


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(3, "CFACCESS_USERS: is a number", id="no-mapping"),
        pytest.param({"keys": "id"}, "keys: is not a key of CFACCESS_USERS; did you mean 'key'?", id="unknown"),
        pytest.param({"key": "sub"}, "key: is text of 3 characters; give 'email' or 'id'", id="key"),
        pytest.param({"create": 1}, "create: is a number; give True or False", id="create"),
        pytest.param({"absence": None}, "absence: is None; give 'end' or 'ignore'", id="absence"),
        pytest.param({"field": ""}, "field: is empty text", id="field"),
        pytest.param({"groups": ["admins"]}, "groups: is a list of 1; give a mapping", id="groups"),
        pytest.param({"groups": {"admins": 3}}, "groups: is a number; give the name", id="group"),
        pytest.param({"groups": {3: "Editors"}}, "groups: a name: is a number", id="access-group"),
        pytest.param({"is_staff": {"admins": True}}, "is_staff: is a dict; give the name", id="staff"),
        pytest.param({"is_superuser": [""]}, "is_superuser: a name: is empty text", id="superuser"),
        pytest.param({"services": {ROBOT: 3}}, "services: the value of", id="service"),
        pytest.param({"services": ROBOT}, "services: is text of 39 characters; give a mapping", id="services"),
    ],
)
def test_a_mistake_stops_the_process(project: None, team: Any, settings: Any, message: str) -> None:
    with override_settings(CFACCESS_USERS=settings), pytest.raises(ConfigurationError) as raised:
        Client(team, "wsgi")
    assert str(raised.value).startswith(message)


@pytest.fixture
def identity(project: None, team: Any) -> Identity:
    """Somebody who is nobody's user yet."""
    return conf.doors().wsgi.protection.verify(team.user(ALICE, audience=AUD))


@pytest.mark.parametrize(
    ("model", "key", "named"),
    [
        pytest.param("accounts.Account", "email", ALICE, id="address"),
        pytest.param("accounts.Badge", "id", None, id="number"),
    ],
)
def test_a_model_of_ones_own_gets_its_users(identity: Identity, model: str, key: str, named: str | None) -> None:
    with override_settings(AUTH_USER_MODEL=model), users(create=True, key=key):
        made = asyncio.run(aauthenticate(None, access=identity))
        found = AccessBackend().authenticate(None, access=identity)
    assert made == found
    assert made.get_username() == (named or identity.id)


@pytest.mark.parametrize("number", ["id", "ID"])
def test_a_database_that_takes_one_for_another_is_not_believed(identity: Identity, number: str) -> None:
    stored = identity.id if number == "id" else identity.id.upper()
    with override_settings(AUTH_USER_MODEL="accounts.Badge"), users(key="id"):
        get_user_model().objects.create(number=stored)
        found = AccessBackend().authenticate(None, access=identity)
    assert (found is not None) is (number == "id")


@pytest.mark.parametrize("number", ["robot", "ROBOT"])
def test_nor_where_a_service_is_meant(identity: Identity, team: Any, number: str) -> None:
    service = conf.doors().wsgi.protection.verify(team.service(ROBOT, audience=AUD))
    with override_settings(AUTH_USER_MODEL="accounts.Badge"), users(key="id", services={ROBOT: "robot"}):
        get_user_model().objects.create(number=number)
        found = AccessBackend().authenticate(None, access=service)
    assert (found is not None) is (number == "robot")


def test_two_first_requests_at_once_make_one_user(identity: Identity) -> None:
    class Slow(AccessBackend):
        """Is overtaken between looking and making."""

        def create_user(self, claims: Any) -> Any:
            AccessBackend().authenticate(None, access=self.identity)
            return super().create_user(claims)

    with users(create=True):
        user = Slow().authenticate(None, access=identity)
    assert user == User.objects.get()


@async_only_middleware
def asking_early(get_response: Any) -> Any:
    """A middleware between Django's and ours that wants to know the user."""

    async def middleware(request: Any) -> Any:
        await request.auser()
        return await get_response(request)

    return middleware


@pytest.mark.parametrize("way", ["asgi", "wsgi-on-loop"], indirect=True)
def test_nobody_is_the_user_of_an_ended_session(project: None, team: Any, way: str, alice: Any) -> None:
    early = [*MIDDLEWARE[: MIDDLEWARE.index(USERS)], f"{__name__}.asking_early", *MIDDLEWARE[MIDDLEWARE.index(USERS) :]]
    with override_settings(MIDDLEWARE=early):
        client = Client(team, way)
    assert who(client, ALICE, "/auser") == "alice"
    assert who(client, "stranger@example.com", "/auser") == ""


def test_what_was_kept_for_somebody_is_not_shown_to_the_next(client: Client) -> None:
    assert client.page("/keep", ALICE).json["kept"] is None
    assert client.page("/keep", ALICE).json["kept"] == ALICE
    assert client.page("/keep", BOB).json["kept"] is None
