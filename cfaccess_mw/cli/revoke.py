"""How does one end sessions everywhere, from a shell? The command ``revoke``."""

import datetime as dt
import math
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import click

from cfaccess_mw.cli.mistakes import Mistake, NotSo, Unreachable, needing, told_as_mistakes
from cfaccess_mw.cli.options import examples, json_option
from cfaccess_mw.cli.rendering import as_json_text, columns, shown
from cfaccess_mw.cli.times import from_now, in_utc
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.sharing import SUBJECTS, Revocation, read_value
from cfaccess_mw.core.sharing_options import read_fleet_options
from cfaccess_mw.core.team import read_team
from cfaccess_mw.settings import from_environment, from_file

if TYPE_CHECKING:
    from cfaccess_mw.fleet import Fleet

_VARIABLE: Final = "CFACCESS_FLEET"
_DURATION: Final = re.compile(r"(?=\d)(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s?)?")
_UNITS: Final = (86_400, 3_600, 60, 1)
_WHOM: Final = "--user, --email, --service, --nonce, --everybody or --all-before"


def _seconds(_: click.Context, __: click.Parameter, text: str) -> int:
    found = _DURATION.fullmatch(text)
    if not found:
        raise click.BadParameter("write it as 31d, 24h, 2h45m or 90s")
    return sum(int(count or 0) * unit for count, unit in zip(found.groups(), _UNITS, strict=True))


def _patience(_: click.Context, __: click.Parameter, seconds: float) -> float:
    if math.isnan(seconds):
        raise click.BadParameter("write seconds, such as 3 or 0.5")
    return seconds


def _moment(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 12:
        return float(text)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter("write seconds since the epoch, or a time with its zone such as 2026-11-22T09:30:00Z")
    return moment.timestamp()


@click.command(
    short_help="End sessions in every worker of a fleet.",
    epilog=examples(
        "cfaccess revoke --email alice@example.com",
        "cfaccess revoke --service e367826f93b8d71185e03fe518aff3b4.access --for 400d",
        "cfaccess revoke --all-before 2026-11-22T09:30:00Z",
        "cfaccess revoke --list",
        "cfaccess revoke --undo --email alice@example.com",
    ),
)
@click.option("--user", metavar="SUB", help="A person, by the sub of the token.")
@click.option("--email", metavar="ADDRESS", help="A person, by address; upper and lower case are the same.")
@click.option("--service", metavar="CLIENT_ID", help="A service token; it is shut out for the whole time.")
@click.option("--nonce", metavar="NONCE", help="One session, by its identity_nonce.")
@click.option("--everybody", is_flag=True, help="All sessions up to now.")
@click.option("--all-before", metavar="TIME", callback=_moment, help="All sessions that began before.")
@click.option("--team", metavar="NAME", help="Only those of this team, with --everybody or --all-before.")
@click.option(
    "--for",
    "lasts",
    metavar="DURATION",
    default="31d",
    show_default=True,
    callback=_seconds,
    help="How long it holds: no less than the longest session there can be, since who has an old token is let in then.",
)
@click.option("--block", is_flag=True, help="Shut out sessions that begin later, too, for the whole time.")
@click.option("--list", "show", is_flag=True, help="Show what is revoked.")
@click.option("--undo", is_flag=True, help="Take back what is revoked for whom is named, or by --id.")
@click.option("--id", "name", metavar="ID", help="One revocation, with --undo.")
@click.option("--fleet", metavar="URL", help=f"Where Redis or Valkey is.  [default: {_VARIABLE}, or the configuration]")
@click.option(
    "--wait",
    "within",
    metavar="SECONDS",
    type=click.FloatRange(0, 60),
    callback=_patience,
    default=3,
    show_default=True,
    help="How long a worker may take to confirm; 0 where none runs.",
)
@click.option("--namespace", metavar="NAME", help="Of the fleet.  [default: as configured, or cfaccess]")
@click.option("--config", metavar="FILE", type=click.Path(), help="A .toml file with the fleet.")
@json_option
def revoke(
    *,
    all_before: float | None,
    everybody: bool,
    team: str | None,
    lasts: int,
    block: bool,
    show: bool,
    undo: bool,
    name: str | None,
    fleet: str | None,
    within: float,
    namespace: str | None,
    config: str | None,
    as_json: bool,
    **named: str | None,
) -> None:
    """End sessions in every worker of a fleet, within a second, and see that a worker has taken it.

    Cloudflare knows nothing of it: end the session there first, or whoever is still signed in there is given another
    token at once. By default only sessions up to now (and half a minute, for clocks that differ) are ended.

    An address with a password or a secret belongs into CFACCESS_FLEET or a file: everybody on this machine can read
    the arguments of a command.
    """
    whom = _whom(named, everybody=everybody, all_before=all_before, team=team)
    if sum((show, undo)) > 1 or (show and (whom or name)) or (name and not undo) or (name and whom):
        raise click.UsageError("--list stands alone, --undo beside whom it is about, or --id")
    if not (show or whom or name):
        raise click.UsageError(f"name whom: {_WHOM}; or --list")
    with told_as_mistakes():
        found = _fleet(fleet, namespace, config)
    with told_as_mistakes(), _told_unreachable():
        if show:
            _show(found.revocations(), as_json=as_json)
            return
        if undo:
            undone = _undo(found, whom, name)
            last, tell = undone[-1], partial(_show_undone, undone, as_json=as_json)
        else:
            subject, value = whom or ("", "")
            who: dict[str, Any] = {_ARGUMENTS[subject]: value or True}
            last = found.revoke(**who, lasts=lasts, block=block, issued_before=all_before)
            tell = partial(_show_made, last, as_json=as_json)
        said = None
        try:
            said = found.confirm(last, undone=undo, within=within) if within else None
        finally:  # for whoever does not want to wait any longer, too: it was written
            tell(is_confirmed=said == "confirmed")
    mistake = _mistake(said, within)
    if mistake is not None:
        raise mistake


def _mistake(said: str | None, within: float) -> Mistake | None:
    """What is to be said where no worker has taken what was written, and one was waited for."""
    if said == "another-secret":
        return NotSo(
            "fleet: secret: is not the one that the workers of this fleet use, and none is known to have taken what "
            "was written; give theirs, in their order, and say it again"
        )
    if said == "unconfirmed":
        return Unreachable(
            f"fleet: no worker has taken what was written within {within:g} seconds: none runs in this "
            "namespace, or none knows the secret that signs here, the first one; see cfaccess doctor, or give --wait 0 "
            "where none is to run"
        )
    return None


# By what a revocation names whom, and what the argument of Fleet.revoke is called.
_ARGUMENTS: Final = {subject: "everybody" if subject == "all" else subject for subject in SUBJECTS}


def _whom(
    named: dict[str, str | None], *, everybody: bool, all_before: float | None, team: str | None
) -> tuple[str, str] | None:
    given = [(subject, value) for subject, value in named.items() if value is not None]
    is_all = everybody or all_before is not None
    if len(given) + is_all > 1 or (everybody and all_before is not None):
        raise click.UsageError(f"name one: {_WHOM}")
    if team is not None and not is_all:
        raise click.UsageError("--team goes with --everybody or --all-before")
    with told_as_mistakes():
        if is_all:
            issuer = "" if team is None else read_team(team, team_url=None, certs_url=None, issuer=None).issuer
            return "all", issuer
        return (given[0][0], read_value(*given[0])) if given else None


def _fleet(url: str | None, namespace: str | None, config: str | None) -> "Fleet":
    """The fleet that is meant; neither a team nor an audience has to be configured for it."""
    if url is not None:
        _check_argument(url)
        value: object = url
    elif config is not None:
        value = from_file(config).get("fleet")
    else:
        value = from_environment().get("fleet")
        file = os.environ.get("CFACCESS_CONFIG")
        if value is None and file:
            value = from_file(file).get("fleet")
    if value is None:
        raise ConfigurationError(f"fleet: is said nowhere; set {_VARIABLE}, or name a file with it by --config")
    options = read_fleet_options(value)
    if namespace is not None:
        options = replace(options, namespace=namespace)
    with needing("revoke", "redis"):
        from cfaccess_mw.fleet import Fleet  # noqa: PLC0415 - an extra
    return Fleet(options)


def _check_argument(url: str) -> None:
    try:
        has_password = "@" in urlsplit(url).netloc
    except ValueError:
        has_password = False  # whoever reads it as a fleet's address says what is wrong with it
    # Taken apart as it will be read: names may be percent-encoded.
    names = [name.lower() for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True)]
    if has_password or any("secret" in name or "password" in name for name in names):
        raise ConfigurationError(
            f"fleet: is {shape(url)} with a password, which everybody here could read; put it into {_VARIABLE}"
        )


@contextmanager
def _told_unreachable() -> Iterator[None]:
    from cfaccess_mw.fleet.errors import FleetError  # noqa: PLC0415 - it is there by now

    try:
        yield
    except FleetError as error:
        reason = error.reason
    else:
        return
    raise Unreachable(f"fleet: Redis did not do what was asked ({reason}); see whether it is up, and who may write")


def _undo(fleet: "Fleet", whom: tuple[str, str] | None, name: str | None) -> list[Revocation]:
    undone = fleet.undo(revocation=name) if whom is None else fleet.undo(subject=whom[0], value=whom[1])
    if not undone:
        raise NotSo("revoke: nothing of that is revoked; see --list")
    return undone


def _show(revocations: Sequence[Revocation], *, as_json: bool) -> None:
    if as_json:
        click.echo(as_json_text([_as_data(one) for one in revocations]))
    elif not revocations:
        click.echo("nothing is revoked")
    else:
        now = time.time()
        rows = [("ID", "BY", "WHOM", "SESSIONS", "MADE", "ENDS")]
        rows += [
            (one.id, one.subject, _name(one), _which(one), from_now(one.made_at, now), from_now(one.until, now))
            for one in revocations
        ]
        click.echo("\n".join(columns(rows)))


def _show_made(made: Revocation, *, as_json: bool, is_confirmed: bool) -> None:
    said = "revoked" if is_confirmed else "written"
    click.echo(as_json_text(_as_data(made)) if as_json else f"{said}: {_in_words(made)}")


def _show_undone(undone: Sequence[Revocation], *, as_json: bool, is_confirmed: bool) -> None:
    if as_json:
        click.echo(as_json_text([_as_data(one) for one in undone]))
        return
    said = "undone" if is_confirmed else "undoing written"
    for one in undone:
        click.echo(f"{said}: {_in_words(one)}")


def _name(one: Revocation) -> str:
    return shown(one.value) or "everybody"


def _which(one: Revocation) -> str:
    return "all" if one.issued_before is None else f"before {in_utc(one.issued_before)}"


def _in_words(one: Revocation) -> str:
    by = "" if one.subject == "all" else f"{one.subject} "
    began = "all sessions" if one.issued_before is None else f"sessions begun before {in_utc(one.issued_before)}"
    return f"{began} of {by}{_name(one)}, until {in_utc(one.until)} (id {one.id})"


def _as_data(one: Revocation) -> dict[str, Any]:
    names = ("id", "subject", "value", "issued_before", "made_at", "until")
    return {name: getattr(one, name) for name in names}
