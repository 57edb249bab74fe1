"""How does one get a token for an application on a laptop? The command ``mint``."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from cfaccess_mw.cli.mint_key import development_key, publish
from cfaccess_mw.cli.mistakes import Mistake, told_as_mistakes
from cfaccess_mw.cli.options import config_option, configuration_of, examples, json_option
from cfaccess_mw.cli.rendering import as_json_text, shown
from cfaccess_mw.core.claims import read_email, read_principal
from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import ConfigurationError, InvalidToken
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.team import Team, read_team
from cfaccess_mw.core.token import MAX_TOKEN, parts_of
from cfaccess_mw.emulator.fields import ABSENT
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey

_HOUR: Final = 3_600
_YEAR: Final = 31_536_000
_LOUD: Final = (
    "DEVELOPMENT TOKEN: signed by a key of this machine, not by Cloudflare. It counts only where keys = {keys!r}."
)


@click.command(
    short_help="Sign a token for development.",
    epilog=examples(
        "cfaccess mint alice@example.com --team acme --audience $AUD",
        'curl -H "Cf-Access-Jwt-Assertion: $(cfaccess mint alice@example.com)" ...',
    ),
)
@click.argument("email", required=False)
@click.option("--service", metavar="CLIENT_ID", help="For a service token instead of a person.")
@config_option
@click.option("--team", metavar="NAME", help="The team that it says it is from.  [default: the configuration's]")
@click.option(
    "--audience", metavar="AUD", multiple=True, help="The application that it is for.  [default: the configuration's]"
)
@click.option(
    "--key",
    metavar="FILE",
    default="development-key.json",
    show_default=True,
    help="The private key; made if there is none. No other key than one that was made here signs.",
)
@click.option("--jwks", metavar="FILE", help="Where its public half goes.  [default: beside the key, as .jwks.json]")
@click.option(
    "--expires-in",
    type=click.IntRange(-_YEAR, _YEAR),
    default=_HOUR,
    show_default=True,
    help="Seconds; less than 0 is in the past.",
)
@click.option(
    "--claim",
    "claims",
    metavar="NAME=JSON",
    multiple=True,
    help="A claim to add or replace; NAME alone takes one away.",
)
@json_option
def mint(
    *,
    email: str | None,
    service: str | None,
    config: str | None,
    team: str | None,
    audience: tuple[str, ...],
    key: str,
    jwks: str | None,
    expires_in: int,
    claims: tuple[str, ...],
    as_json: bool,
) -> None:
    """Sign a token for development, with a key that no Cloudflare team has.

    An application takes it where its configuration gives the public half of that key as keys: no network is needed, and
    nothing is switched off. It is printed alone on standard output. Never give an application in production such keys.
    """
    if (email is None) is (service is None):
        raise click.UsageError("give an e-mail address, or --service with a Client ID")
    place = Path(key)
    published = place.parent / f"{place.stem}.jwks.json" if jwks is None else Path(jwks)
    with told_as_mistakes():
        _check_who(email, service)
        issuing, audiences, is_fetching = _for_whom(config, team, audience)
        changes = dict(map(_claim, claims))
        signing, is_new = development_key(place)
        publish(signing, published)
    who = email if service is None else service
    payload, minted = _mint(
        signing, issuing, audiences, str(who), is_service=service is not None, expires_in=expires_in, changes=changes
    )
    if len(minted) > MAX_TOKEN:
        raise Mistake(f"claim: the token would have more than {MAX_TOKEN:,} characters; leave some claims out")
    click.secho(_LOUD.format(keys=shown(str(published))), err=True, bold=True)
    if is_new:
        click.echo(f"note: {shown(key)} is new, and holds a private key; keep it out of version control", err=True)
    if is_fetching:
        click.echo("note: the configuration fetches its keys from Cloudflare, and refuses this token", err=True)
    data = {"development": True, "token": minted, "claims": payload, "key": key, "jwks": str(published)}
    click.echo(as_json_text(data) if as_json else minted)


def _check_who(email: str | None, service: str | None) -> None:
    is_good = False
    with suppress(InvalidToken):
        if service is None:
            is_good = read_email({"email": email}) is not None
        else:
            is_good = read_principal(None, None, service, certificates=False) == ("service", service)
    if not is_good and service is None:
        raise ConfigurationError(f"email: is {shape(email)}; give an address such as alice@example.com")
    if not is_good:
        raise ConfigurationError(
            f"service: is {shape(service)}; give a Client ID: 32 hexadecimal characters, and .access"
        )


def _for_whom(config: str | None, team: str | None, audience: tuple[str, ...]) -> tuple[Team, tuple[str, ...], bool]:
    """Whose token it is, for which applications, and whether a configuration was read that would not take it."""
    named = None if team is None else read_team(team, team_url=None, certs_url=None, issuer=None)
    if named is not None and audience:
        return named, audience, False
    settings = configuration_of(config)
    return named or settings.teams[0], audience or tuple(settings.audience)[:1], settings.keys is None


def _claim(text: str) -> tuple[str, object]:
    name, separator, value = text.partition("=")
    if not separator:
        return name, ABSENT
    with suppress(ValueError):
        document = decode_json_object(b'{"value": %b}' % value.encode())
        if document.keys() == {"value"}:
            return name, document["value"]
    raise ConfigurationError(f"claim: {name[:64]!r} is not followed by JSON; quote texts, such as country='\"DE\"'")


def _mint(
    key: SigningKey,
    team: Team,
    audience: tuple[str, ...],
    who: str,
    *,
    is_service: bool,
    expires_in: int,
    changes: Mapping[str, object],
) -> tuple[dict[str, Any], str]:
    label, _, rest = team.domain.partition(".")
    issuer = Issuer(label, current=key, previous=key, fedramp=rest.startswith("fed."))
    make = issuer.service if is_service else issuer.user
    usual = decode_json_object(parts_of(make(who, audience=audience, expires_in=expires_in)).decoded_payload())
    claims = {**usual, "iss": team.issuer, **changes}
    claims = {name: value for name, value in claims.items() if value is not ABSENT}
    return claims, issuer.sign(None, claims)
