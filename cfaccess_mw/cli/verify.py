"""Is this token good here, and whose is it? The command ``verify``."""

import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from cfaccess_mw.cli.documents import read_token, warn_of_history
from cfaccess_mw.cli.mends import told_of
from cfaccess_mw.cli.mistakes import REFUSED, UNREACHABLE, told_as_mistakes
from cfaccess_mw.cli.options import config_option, configuration_of, examples, json_option
from cfaccess_mw.cli.rendering import as_json_text, columns, shown
from cfaccess_mw.cli.team_keys import keys_of
from cfaccess_mw.cli.times import from_now, in_utc
from cfaccess_mw.cli.verdict import Verdict, judge
from cfaccess_mw.core.identity import Identity

_NAMES = ("kind", "id", "email", "subject", "common_name", "country", "issuer", "audience", "key_thumbprint")
_TIMES = ("issued_at", "expires_at")


@click.command(
    short_help="Verify a token, and show whose it is.",
    epilog=examples("pbpaste | cfaccess verify --config access.toml"),
)
@click.argument("token", required=False, metavar="[TOKEN|-]")
@config_option
@click.option("--audience", metavar="AUD", help="The AUD tag that it has to name, instead of the configuration's.")
@json_option
def verify(*, token: str | None, config: str | None, audience: str | None, as_json: bool) -> None:
    """Verify a token against a configuration, and show whose it is.

    The token comes from standard input unless it is given. Everything is checked that a door checks; what a path asks
    for beyond that, `cfaccess explain` shows. Exits with 1 if it is refused, and with 3 if the keys cannot be had.
    """
    settings = configuration_of(config)
    with told_as_mistakes():
        warn_of_history(token)
        audiences = settings.audiences if audience is None else frozenset({audience})
        verdict = judge(read_token(token), settings, keys_of(settings), audiences)
    click.echo(as_json_text(_as_data(verdict)) if as_json else "\n".join(_lines(verdict)))
    if verdict.refusal is not None:
        sys.exit(UNREACHABLE if verdict.refusal.status == 503 else REFUSED)


def _as_data(verdict: Verdict) -> dict[str, Any]:
    identity, refusal = verdict.identity, verdict.refusal
    data: dict[str, Any] = {"verified": identity is not None}
    if identity is not None:
        data["identity"] = {name: getattr(identity, name) for name in (*_NAMES, *_TIMES)}
    if refusal is not None:
        data |= {"code": refusal.code, "detail": refusal.detail, "mend": verdict.mend, "remarks": [*_remarks(verdict)]}
    return data


def _lines(verdict: Verdict) -> Iterator[str]:
    if verdict.identity is not None:
        yield f"verified: {verdict.identity.kind} {shown(verdict.identity.display_name)}"
        yield from (f"  {line}" for line in columns(list(_rows(verdict.identity))))
    if verdict.refusal is not None:
        yield f"refused: {verdict.code}"
        yield f"  {verdict.refusal.detail}"
        yield from (f"  {shown(remark)}" for remark in _remarks(verdict))
        yield f"  mend: {verdict.mend}"


def _rows(identity: Identity) -> Iterator[tuple[str, str]]:
    now = time.time()
    for name in _NAMES:
        value = getattr(identity, name)
        if value:
            yield name, shown(", ".join(value) if isinstance(value, tuple) else value)
    for name in _TIMES:
        at = getattr(identity, name)
        yield name, f"{in_utc(at)}, {from_now(at, now)}"


def _remarks(verdict: Verdict) -> Iterator[str]:
    yield from verdict.remarks
    failure = None if verdict.keys is None else verdict.keys.failure
    if verdict.keys is not None and failure is not None:
        reason, mend = told_of(failure)
        yield f"{verdict.keys.where}: {reason}; {mend}"
