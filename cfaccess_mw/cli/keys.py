"""Which keys are there, and can they be used? The command ``keys``."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from cfaccess_mw.cli.key_list import ListedKey, list_keys
from cfaccess_mw.cli.mends import told_of
from cfaccess_mw.cli.mistakes import REFUSED, Mistake, NotSo, Unreachable, told_as_mistakes
from cfaccess_mw.cli.options import config_option, configuration_of, examples, json_option
from cfaccess_mw.cli.rendering import as_json_text, columns, shown
from cfaccess_mw.cli.team_keys import TeamKeys, is_outage, keys_of
from cfaccess_mw.cli.times import from_now
from cfaccess_mw.core.errors import ConfigurationError, FetchError, KeySetError
from cfaccess_mw.core.team import read_url

_SCHEMES = ("https://", "http://")


@click.command(
    short_help="Show a team's keys, and which are of no use.",
    epilog=examples("cfaccess keys https://acme.cloudflareaccess.com/cdn-cgi/access/certs"),
)
@click.argument("source", required=False, metavar="[URL|FILE|-]")
@config_option
@json_option
def keys(*, source: str | None, config: str | None, as_json: bool) -> None:
    """Show the keys of a team, and which of them cannot be used.

    They are those of the configuration, unless the URL or the file of a key set is given. Exits with 1 if none can be
    used, and with 3 if they cannot be had.
    """
    if source is not None and config is not None:
        raise click.UsageError("give a URL or a file, or --config, not both")
    with told_as_mistakes(config or ""):
        given = keys_of(configuration_of(config)).values() if source is None else [_named(source)]
    found = {each.where: _read(each) for each in given}
    if as_json:
        data = [{"source": where, "keys": list(map(asdict, listed))} for where, listed in found.items()]
        click.echo(as_json_text(data))
    else:
        click.echo("\n".join(line for where, listed in found.items() for line in _lines(where, listed)))
    if not all(any(not key.reason for key in listed) for listed in found.values()):
        sys.exit(REFUSED)


def _named(source: str) -> TeamKeys:
    if source.startswith(_SCHEMES):
        return TeamKeys(read_url("url", source), None)
    return TeamKeys("", source)


def _read(keys: TeamKeys) -> list[ListedKey]:
    failure: FetchError | KeySetError
    try:
        return list_keys(keys.document)
    except ConfigurationError as mistake:
        raise Mistake(str(mistake)) from None
    except (FetchError, KeySetError) as error:
        failure = error
    kind = Unreachable if is_outage(failure) else NotSo
    raise kind(f"{keys.where}: {'; '.join(told_of(failure))}")


def _lines(where: str, listed: Sequence[ListedKey]) -> Iterator[str]:
    now = time.time()
    used = sum(not key.reason for key in listed)
    yield f"{shown(where)}: {used} of {len(listed)} keys can be used"
    rows = [("KID", "BITS", "MADE", "THUMBPRINT", "")]
    rows += [
        (
            shown(key.kid) or "-",
            str(key.bits or "-"),
            "-" if key.made_at is None else from_now(key.made_at, now),
            key.thumbprint or "-",
            f"skipped: {key.reason}" if key.reason else "used",
        )
        for key in listed
    ]
    yield from columns(rows)
