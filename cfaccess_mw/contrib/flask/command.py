"""``flask cfaccess``: which views are protected, and by what?"""

import click
from flask import current_app
from flask.cli import with_appcontext

from cfaccess_mw.contrib.flask.views import views_of


@click.command("cfaccess")
@click.option("--check", is_flag=True, help="Fail where a view is open.")
@click.option("--open", "may_be_open", multiple=True, metavar="ENDPOINT", help="With --check: this one may be open.")
@with_appcontext
def command(*, check: bool, may_be_open: tuple[str, ...]) -> None:
    """List every view, and by what Cloudflare Access protects it."""
    views = list(views_of(current_app))
    rows = [("Endpoint", "Methods", "Path", "Protection")]
    rows += [(view.endpoint, ", ".join(view.methods), view.path, view.protection) for view in views]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in (rows[0], tuple("-" * width for width in widths), *rows[1:]):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    left_open = {view.endpoint for view in views if view.is_open}
    unknown = sorted(set(may_be_open) - {view.endpoint for view in views})
    if unknown:
        raise click.BadParameter(f"there is no endpoint {unknown[0]!r}", param_hint="--open")
    if check and not left_open.issubset(may_be_open):
        raise click.ClickException(f"open: {', '.join(sorted(left_open.difference(may_be_open)))}")
