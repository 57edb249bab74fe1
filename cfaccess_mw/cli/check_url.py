"""Is this signed link good? The command ``check-url``."""

import re
import sys
import time
from typing import Any, Final

import click

from cfaccess_mw.cli.link_options import link_options, links_of, read_url
from cfaccess_mw.cli.mistakes import REFUSED, told_as_mistakes
from cfaccess_mw.cli.options import json_option
from cfaccess_mw.cli.rendering import as_json_text, shown
from cfaccess_mw.cli.times import from_now, in_utc
from cfaccess_mw.edge.signed_urls_refusals import LinkRefused

_ORIGIN: Final = re.compile(r"https?://[^/?#]+")


@click.command("check-url", short_help="Say whether a signed link is good.")
@click.argument("url")
@link_options
@click.option("--at", type=click.IntRange(0), metavar="SECONDS", help="Seconds since the epoch.  [default: now]")
@json_option
def check_url(
    *, url: str, secret_file: str | None, bound: tuple[str, ...], at: int | None, as_json: bool, **options: Any
) -> None:
    """Check the signature of an address, and whether it has expired; - for standard input.

    The host is not looked at: it is not signed. Exits with 1 if the link is no good.
    """
    now = time.time() if at is None else at
    with told_as_mistakes():
        links = links_of(secret_file, **options)
        target = _ORIGIN.sub("", read_url(url, secret_file), count=1)
    try:
        link = links.check(target, bound=bound, now=now)
        refusal = None
    except LinkRefused as error:
        refusal = error
    if refusal is not None:
        if as_json:
            click.echo(as_json_text({"good": False, "code": refusal.code, "detail": refusal.detail}))
        else:
            click.echo(f"refused: {refusal.code}; {refusal.detail}", err=True)
        sys.exit(REFUSED)
    if as_json:
        data = {"good": True, "path": link.path, "query": link.query}
        click.echo(as_json_text({**data, "issued_at": link.issued_at, "expires_at": link.expires_at}))
    else:
        click.echo(f"good: {shown(link.path)}, until {in_utc(link.expires_at)} ({from_now(link.expires_at, now)})")
