"""The pytest plugin: fixtures that mint tokens, a marker that signs a test's client in, the emulator.

It comes with the package (``-p no:cfaccess`` turns it off), imports nothing before a fixture is used, and changes
nothing for tests that use none of it.

**Fixtures**

=====================================  ================================================================================
``cfaccess``                           the :class:`~cfaccess_mw.testing.kit.AccessKit`; while the test runs, the
                                       environment configures applications for it. Whose tokens were minted, and which
                                       sessions were ended, is forgotten after the test
``cfaccess_kit``                       the same for fixtures of a wider scope; the environment is left alone
``cfaccess_headers``                   the header of whoever the marker names, for clients that are made with headers;
                                       empty for nobody
``cfaccess_user_token``                good tokens, each for the kit's audience ...
``cfaccess_service_token``
``cfaccess_rotated_token``             ... signed with the previous key, which is still published
``cfaccess_expired_token``             and bad ones, each for one reason
``cfaccess_not_yet_valid_token``
``cfaccess_wrong_audience_token``
``cfaccess_wrong_issuer_token``
``cfaccess_unknown_key_token``
``cfaccess_bad_signature_token``
``cfaccess_unsigned_token``
``cfaccess_organisation_token``
``cfaccess_metadata_token``
``cfaccess_emulator``                  ``cfaccess_emulator("http://127.0.0.1:8000")`` starts an
                                       :class:`~cfaccess_mw.emulator.server.Emulator` with the kit's keys before an
                                       application; it is closed after the test (extra ``emulator``)
=====================================  ================================================================================

A test that uses ``cfaccess``, through whatever fixture, has it before any other fixture is made: an application that is
made in a fixture finds the environment. One that is made when its module is imported finds it with
``cfaccess_environment = true``: it is then set for the whole run, before any ``conftest.py`` is imported.

**Marker**

``@pytest.mark.cfaccess(user="alice@example.com", groups=["admins"])`` signs in. When all fixtures of the test are
ready, and before the test itself runs, each of its fixtures that ``cfaccess_clients`` names (``client``,
``async_client``) is made to send the token, as :meth:`AccessKit.sign_in` does it; after the test it sends what it sent
before.

Instead of ``user`` there may be ``service=True`` or ``service=<Client ID>``, or ``anonymous=True``, which signs the
client out; with none of them it is some user. ``refused=<code>`` beside them mints what is refused with this code.
Further keywords are those of :meth:`AccessKit.user` and :meth:`AccessKit.service`. A function's marker wins over its
class's, and that over its module's. A marked test that has none of these fixtures, and not ``cfaccess_headers`` either,
is an error: it would not ask as whom it says.

**Options** in the configuration file

========================  =============================================================================================
``cfaccess_team``         the team (``acme``)
``cfaccess_audience``     the AUD tag, or several, of which the first is what tokens are minted for
``cfaccess_clients``      the names of the fixtures that the marker signs in (``client async_client``)
``cfaccess_environment``  whether the environment is set for the whole run (``false``)
========================  =============================================================================================

Workers of pytest-xdist have a kit each, with keys of their own.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cfaccess_mw.emulator.server import Emulator
    from cfaccess_mw.testing.kit import AccessKit

_MARKER = "cfaccess"
_HEADERS = "cfaccess_headers"
_SIGNED_IN = "_cfaccess_signed_in"
_KIT = pytest.StashKey["AccessKit"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the options of the configuration file."""
    parser.addini("cfaccess_team", "the Access team whose tokens tests mint", default="acme")
    parser.addini("cfaccess_audience", "the AUD tag of the application under test, or several", type="args", default=[])
    parser.addini(
        "cfaccess_clients",
        "the fixtures that the marker cfaccess signs in",
        type="args",
        default=["client", "async_client"],
    )
    parser.addini("cfaccess_environment", "set the CFACCESS_ variables for the whole run", type="bool", default=False)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Set the environment before anything of the user's is imported, where that is wanted."""
    if early_config.getini("cfaccess_environment"):
        held = ExitStack()
        held.enter_context(_kit_of(early_config).in_environment())
        early_config.add_cleanup(held.close)
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(user=, service=, refused=, anonymous=, **details): sign the test's client in to Cloudflare Access",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the kit before every other fixture, and sign in after all of them."""
    for item in items:
        names: list[str] | None = getattr(item, "fixturenames", None)
        if names is None:
            continue
        is_marked = item.get_closest_marker(_MARKER) is not None
        if is_marked or "cfaccess" in names:
            # a new list: the tests of one parametrised function share theirs
            rest = [name for name in names if name != "cfaccess"]
            item.fixturenames = ["cfaccess", *rest, *([_SIGNED_IN] if is_marked else [])]  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def cfaccess_kit(pytestconfig: pytest.Config) -> "AccessKit":
    """The kit, for fixtures of a wider scope than a test's: its options and its tokens."""
    return _kit_of(pytestconfig)


@pytest.fixture
def cfaccess(cfaccess_kit: "AccessKit") -> "Iterator[AccessKit]":
    """The kit: configures the application, mints tokens, signs clients in. The environment is set during the test."""
    with cfaccess_kit.in_environment(), cfaccess_kit.isolated():
        yield cfaccess_kit


@pytest.fixture
def cfaccess_headers(request: pytest.FixtureRequest, cfaccess: "AccessKit") -> dict[str, str]:
    """The header of whoever the marker names; empty where there is no marker, or nobody in it."""
    from cfaccess_mw.testing.clients import ASSERTION  # noqa: PLC0415 - not before a fixture is used

    token = _token(request, cfaccess)
    return {} if token is None else {ASSERTION: token}


@pytest.fixture(name=_SIGNED_IN)
def _signed_in(request: pytest.FixtureRequest, cfaccess: "AccessKit") -> Iterator[None]:
    from cfaccess_mw.testing.clients import signed_in  # noqa: PLC0415 - not before a fixture is used

    wanted: list[str] = request.config.getini("cfaccess_clients")
    names = [name for name in wanted if name in request.fixturenames]
    if not names and _HEADERS not in request.fixturenames:
        pytest.fail(
            f"{_MARKER}: the test is marked, and has none of the fixtures {', '.join(wanted)};"
            f" name its client in cfaccess_clients, or use {_HEADERS}",
            pytrace=False,
        )
    with ExitStack() as stack:
        token = _token(request, cfaccess) if names else None
        for client in map(request.getfixturevalue, names):
            stack.enter_context(signed_in(client, token))
        yield


@pytest.fixture
def cfaccess_emulator(cfaccess: "AccessKit") -> "Iterator[Callable[..., Emulator]]":
    """Start the edge before an application: ``cfaccess_emulator("http://127.0.0.1:8000")``."""
    with ExitStack() as stack:

        def start(upstream: str, **settings: Any) -> "Emulator":
            return stack.enter_context(cfaccess.emulator(upstream, **settings))

        yield start


def _minted(name: str, what: str) -> Callable[..., str]:
    def mint(cfaccess: "AccessKit") -> str:
        token: str = getattr(cfaccess, name)()
        return token

    mint.__doc__ = what
    return pytest.fixture(mint, name=f"cfaccess_{name.removesuffix('_token')}_token")


cfaccess_user_token = _minted("user", "A good token of user@example.com.")
cfaccess_service_token = _minted("service", "A good token of a service.")
cfaccess_rotated_token = _minted("rotated", "A good token, signed with the previous key, which is still published.")
cfaccess_expired_token = _minted("expired", "A token that expired an hour ago.")
cfaccess_not_yet_valid_token = _minted("not_yet_valid", "A token that is good in an hour.")
cfaccess_wrong_audience_token = _minted("wrong_audience", "A token for another application.")
cfaccess_wrong_issuer_token = _minted("wrong_issuer", "A token of another team.")
cfaccess_unknown_key_token = _minted("unknown_key", "A token signed with a key that is not published.")
cfaccess_bad_signature_token = _minted("bad_signature", "A token whose signature does not verify.")
cfaccess_unsigned_token = _minted("unsigned", "A token that is not signed.")
cfaccess_organisation_token = _minted("organisation_token", "The global session's, which admits to no application.")
cfaccess_metadata_token = _minted("metadata_token", "What anybody is told who asks, which admits to nothing.")


def _kit_of(config: pytest.Config) -> "AccessKit":
    """The kit of this run, in this process."""
    kit = config.stash.get(_KIT, None)
    if kit is None:
        from cfaccess_mw.testing.kit import AccessKit  # noqa: PLC0415 - not before a fixture is used

        team, audience = config.getini("cfaccess_team"), config.getini("cfaccess_audience")
        kit = config.stash[_KIT] = AccessKit(team, audience) if audience else AccessKit(team)
        config.add_cleanup(kit.close)
    return kit


def _token(request: pytest.FixtureRequest, kit: "AccessKit") -> str | None:
    from cfaccess_mw.core.errors import ConfigurationError  # noqa: PLC0415 - not before a fixture is used
    from cfaccess_mw.testing.marking import token_of  # noqa: PLC0415 - not before a fixture is used

    marker = request.node.get_closest_marker(_MARKER)
    if marker is None:
        return None
    try:
        return token_of(kit, marker.args, marker.kwargs)
    except ConfigurationError as error:
        mistake = str(error)
    pytest.fail(mistake, pytrace=False)
