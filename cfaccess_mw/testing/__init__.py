"""Tests of an application behind Cloudflare Access: real signatures, the production code, and no network.

A kit is a team of its own: it has keys, and mints the tokens that the edge would send::

    from cfaccess_mw.testing import AccessKit

    kit = AccessKit()
    app = AccessMiddleware(app, **kit.options())

    client = kit.sign_in(TestClient(app), "alice@example.com", groups=["admins"])
    assert client.get("/admin").status_code == 200
    kit.sign_in(client, kit.expired("alice@example.com"))
    assert client.get("/admin").json()["code"] == "expired"

Nothing is mocked and nothing is switched off: the middleware verifies these tokens as it verifies Cloudflare's. What
the kit gives it is configuration that everybody may give, ``keys=`` and ``profile_fetcher=``.

**It cannot be left on in production by accident.** Nothing outside of this package knows of it, and there is no
variable and no request that turns it on. Its private keys are made anew in each process and never leave it: a token of
today's tests opens nothing tomorrow, and an application that is left with a kit's variables does not start, for want of
the file with the keys. All the same, an application that is configured with a kit believes whoever holds the kit. Make
kits in tests, and nowhere else.

Configuring the application
===========================

``kit.options(...)`` gives keywords for a door, ``kit.config(...)`` a ready ``AccessConfig``; both take more options::

    app = create_app(AccessMiddleware, kit.options(rules=[Rule.public("/healthz")]))

An application that reads its configuration from the environment is made within a ``with`` block (or after
``self.enterContext(AccessKit())`` in a ``unittest.TestCase``)::

    with AccessKit(audience="4714c1358e65fe4b408ad6d432a5f878f081…") as kit:
        app = create_app()

There ``CFACCESS_TEAM``, ``CFACCESS_AUDIENCE`` and ``CFACCESS_KEYS`` are set, and ``CFACCESS_TEAM_URL`` names a server
on loopback that answers ``get-identity``. An application that names its team in code, and takes no options, cannot be
tested without network: let it read the environment, or take the options as an argument.

Tokens by name
==============

=============================================  =========================================================================
``user(email, groups=, custom=, …)``           somebody who signed in
``service(client_id)``                         a service token
``rotated(who)``                               signed with the previous key, still published: as good as any other
``expired(who)``, ``not_yet_valid(who)``       an hour past, an hour ahead
``wrong_audience(who)``, ``wrong_issuer(who)`` for another application, by another team
``unknown_key(who)``                           signed with a key that is not published
``bad_signature(who)``, ``unsigned(who)``      forged
``organisation_token(who)``                    the global session's: same keys, and good for no application
``metadata_token()``                           what anybody is told who asks: same keys, and good for nothing
``refused(code, who)``                         refused with this code; ``kit.refusals`` names them all
=============================================  =========================================================================

``who`` is an e-mail address or a Client ID. ``groups``, ``profile`` (more fields of ``get-identity``) and
``end_session()`` are what a policy finds when it looks somebody up. Applications remember what they found for
``profile_ttl`` seconds, in tests too: end a session before the first request that looks it up, or configure less.

Every minting takes ``expires_in`` and ``age`` in seconds, ``audience``, and ``claims`` that win (``ABSENT`` takes one
away). Time is ``time.time()``: under time-machine or freezegun, kit and application agree on it.

Signing in
==========

``sign_in(client, who)`` adds the header to every request of a client, ``sign_out(client)`` takes it away,
``with signed_in(client, who):`` does both and restores what was before. They know Starlette's, FastAPI's and Litestar's
``TestClient``, clients of httpx, httpx2, requests and aiohttp, the test clients of Flask, Werkzeug, Django (``Client``,
``AsyncClient``, ``RequestFactory``, Django REST framework's), Quart, Falcon and WebTest. For any other, send
``kit.headers(who)``. ``cfaccess_mw.testing.sign_in(client, token)`` does the same without a kit.

With pytest
===========

The plugin comes with the package: fixtures and the marker are there, see :mod:`cfaccess_mw.testing.plugin`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cfaccess_mw.emulator.fields import ABSENT
    from cfaccess_mw.testing.clients import sign_in, sign_out, signed_in
    from cfaccess_mw.testing.kit import AccessKit

__all__ = ["ABSENT", "AccessKit", "sign_in", "sign_out", "signed_in"]

_HOMES = {
    "ABSENT": "cfaccess_mw.emulator.fields",
    "AccessKit": "cfaccess_mw.testing.kit",
    "sign_in": "cfaccess_mw.testing.clients",
    "sign_out": "cfaccess_mw.testing.clients",
    "signed_in": "cfaccess_mw.testing.clients",
}


def __getattr__(name: str) -> Any:
    # Found when they are asked for: the plugin lives here, and pytest imports that into everybody's runs.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - as above

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
