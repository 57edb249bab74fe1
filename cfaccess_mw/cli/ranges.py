"""From which addresses does Cloudflare come, and how does nginx, Caddy or a firewall write that? The command
``ranges``."""

import click

from cfaccess_mw.cli.mistakes import NotSo, Unreachable, told_as_mistakes
from cfaccess_mw.cli.options import examples, json_option
from cfaccess_mw.core.errors import FetchError
from cfaccess_mw.core.team import read_url
from cfaccess_mw.edge.ranges import Ranges, RangesError, read_ranges, shipped
from cfaccess_mw.edge.ranges_formats import FORMATS, PORTS, written
from cfaccess_mw.edge.ranges_peers import API_URL
from cfaccess_mw.refresh.http import HttpxFetcher


@click.command(
    short_help="Print Cloudflare's networks, for nginx, Caddy, ufw or nftables.",
    epilog=examples("cfaccess ranges --format nginx"),
)
@click.option("--format", "form", type=click.Choice(tuple(FORMATS)), default="text", show_default=True)
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    default=PORTS,
    show_default=True,
    help="Which port a firewall guards; may be repeated.",
)
@click.option("--fetch", is_flag=True, help="Ask Cloudflare, instead of printing the list that ships.")
@click.option("--url", default=API_URL, show_default=True, help="Where to ask.")
@json_option
def ranges(*, form: str, ports: tuple[int, ...], fetch: bool, url: str, as_json: bool) -> None:
    """Print the networks from which Cloudflare reaches an origin.

    What is fetched and cannot be Cloudflare's is refused: too few networks, too wide ones, private ones. The command
    exits with 1 then, and with 3 if nobody answers; nothing is printed.
    """
    click.echo(written(_fetched(url) if fetch else shipped(), "json" if as_json else form, ports=ports))


def _fetched(url: str) -> Ranges:
    with told_as_mistakes():
        checked = read_url("url", url)
    try:
        return read_ranges(HttpxFetcher().fetch(checked, etag=None).body or b"")
    except FetchError as error:
        mistake: NotSo | Unreachable = Unreachable(f"{checked}: gives no list ({error.reason})")
    except RangesError as error:
        mistake = NotSo(f"{checked}: {error}; the list that ships is the safer one")
    raise mistake
