"""What becomes of this request, and why? The command ``explain``."""

import sys
from typing import Any

import click

from cfaccess_mw.cli.documents import PIPE, read_object, read_token, warn_of_history
from cfaccess_mw.cli.explanation import as_data, as_lines, outcome_of
from cfaccess_mw.cli.mistakes import REFUSED, told_as_mistakes
from cfaccess_mw.cli.options import config_option, configuration_of, examples, json_option
from cfaccess_mw.cli.question import OUTCOMES, Answer, Question, ask
from cfaccess_mw.cli.rendering import as_json_text

_NOT_VERIFIED = (
    "WARNING: the token is NOT verified; anybody can write one like it. This shows what a good one would get."
)


@click.command(
    short_help="Say what a request gets, and why.",
    epilog=examples(
        "cfaccess explain --config access.toml GET /admin/users --expect refused",
        "cfaccess explain --config access.toml POST /hooks/x --claims robot.json",
    ),
)
@click.argument("request", nargs=-1, required=True, metavar="[METHOD] PATH")
@config_option
@click.option("--claims", metavar="FILE", help="Claims of whoever asks, a JSON object; - for standard input.")
@click.option("--token", help="A token of whoever asks, which is NOT verified; - for standard input.")
@click.option("--profile", metavar="FILE", help="What get-identity says of whoever asks, a JSON object.")
@click.option("--address", metavar="IP", help="The client's address, as a trusted peer tells it.")
@click.option("--country", metavar="XX", help="The client's country, likewise.")
@click.option("--certificate", metavar="NAME", help="The common name in the client's certificate, likewise.")
@click.option("--host", help="The Host header.")
@click.option("--raw-path", metavar="PATH", help="The path as the client sent it, percent-encoded.")
@click.option("--root-path", default="", metavar="PATH", help="Where the application is mounted.")
@json_option
@click.option("--expect", type=click.Choice(OUTCOMES), help="Exit with 1 if the outcome is another.")
@click.option("--expect-code", metavar="CODE", help="Exit with 1 if the code of the refusal is another.")
def explain(
    *,
    request: tuple[str, ...],
    config: str | None,
    claims: str | None,
    token: str | None,
    profile: str | None,
    as_json: bool,
    expect: str | None,
    expect_code: str | None,
    **rest: Any,
) -> None:
    """Say what a request gets, and why: GET PATH by default, asked by nobody.

    PATH is written as the application gets it, percent-decoded once. Nothing is fetched and no token is verified: a
    token counts as good here. The outcome is open (nobody is asked who they are), admitted, refused, or lookup, where
    it depends on what get-identity says.
    """
    if len(request) > 2:
        raise click.UsageError("give a method and a path, or a path alone")
    method, path = request if len(request) == 2 else ("GET", request[0])
    if len(request) == 1 and not path.startswith("/"):
        raise click.UsageError("give a path; it begins with '/'")
    if [claims, token, profile].count(PIPE) > 1:
        raise click.UsageError("standard input can be read once; name files for the others")
    settings = configuration_of(config)
    with told_as_mistakes():
        question = Question(
            method=method,
            path=path,
            claims=None if claims is None else read_object("claims", claims),
            token=None if token is None else read_token(token),
            profile=None if profile is None else read_object("profile", profile),
            **rest,
        )
        answer = ask(settings, question)
    click.echo(as_json_text(as_data(answer)) if as_json else "\n".join(as_lines(answer)))
    if token is not None:
        click.secho(_NOT_VERIFIED, err=True, bold=True)
    warn_of_history(token)
    if claims is not None:
        click.echo("note: the claims are taken as they are written; no token is verified", err=True)
    for note in answer.notes:
        click.echo(f"note: {note}", err=True)
    unmet = unmet_expectation(answer, expect, expect_code)
    if unmet:
        click.echo(unmet, err=True)
        sys.exit(REFUSED)


def unmet_expectation(answer: Answer, expect: str | None, code: str | None) -> str:
    """Say what is not as it was expected to be; nothing where everything is."""
    explanation = answer.explanation
    is_met = expect in (None, explanation.outcome) and code in (None, explanation.code)
    if is_met:
        return ""
    wanted = f"{expect or explanation.outcome} ({code})" if code else expect
    return f"expected {wanted}, and it is {outcome_of(explanation)}"
