"""How does one get a signed link from a shell? The command ``sign-url``."""

import time
from typing import Any

import click

from cfaccess_mw.cli.link_options import link_options, links_of, read_url
from cfaccess_mw.cli.mistakes import told_as_mistakes
from cfaccess_mw.cli.options import json_option
from cfaccess_mw.cli.rendering import as_json_text
from cfaccess_mw.cli.times import in_utc
from cfaccess_mw.edge.signed_urls import SignedURLs


@click.command("sign-url", short_help="Sign a link for Cloudflare's is_timed_hmac_valid_v0, and for SignedLinks.")
@click.argument("url")
@link_options
@click.option("--issued-at", type=click.IntRange(0), metavar="SECONDS", help="The timestamp.  [default: now]")
@click.option(
    "--expires-at", type=click.IntRange(0), metavar="SECONDS", help="When this link ends; --ttl ahead at most."
)
@json_option
def sign_url(
    *,
    url: str,
    secret_file: str | None,
    bound: tuple[str, ...],
    issued_at: int | None,
    expires_at: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Sign an address, so that it can be given to somebody for a while.

    URL is a path or an address, percent-encoded, - for standard input; the host is not signed. The link is printed
    alone on standard output. Times are seconds since the epoch.
    """
    with told_as_mistakes():
        links = links_of(secret_file, **options)
        signed = links.sign(read_url(url, secret_file), bound=bound, issued_at=issued_at, expires_at=expires_at)
    click.echo(as_json_text(_as_data(links, signed)) if as_json else signed)


def _as_data(links: SignedURLs, signed: str) -> dict[str, Any]:
    stamp = signed.rpartition(f"{links.parameter}=")[2]
    at = int(stamp.partition("-")[0])
    return {
        "url": signed,
        "issued_at": at,
        "expires_at": at + links.ttl,
        "expires": in_utc(at + links.ttl),
        "expired": at + links.ttl <= time.time(),
        "expression": links.expression(),
    }
