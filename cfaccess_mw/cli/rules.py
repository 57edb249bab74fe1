"""Which rules are there, and do they come to what they should? The command ``rules``."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from cfaccess_mw.cli.expectations import Result, check_expectations, read_expectations
from cfaccess_mw.cli.mistakes import REFUSED, told_as_mistakes
from cfaccess_mw.cli.options import config_option, configuration_of, examples, json_option
from cfaccess_mw.cli.rendering import ANYTHING_ELSE, as_json_text, columns, policies_in_short, required, shown
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.patterns import ANY, parse_pattern
from cfaccess_mw.core.policy_reading import policy_to_mapping
from cfaccess_mw.core.rules import Access, Rule


@click.command(
    short_help="Show the rules, or test what they come to.",
    epilog=examples(
        "cfaccess rules --config access.toml", "cfaccess rules --config access.toml --check expectations.toml"
    ),
)
@config_option
@click.option(
    "--order",
    type=click.Choice(("specific", "written")),
    default="specific",
    show_default=True,
    help="The most specific first, or as they are written; which rule a request gets does not depend on that.",
)
@click.option("--check", metavar="FILE", help="Try what this .toml or .json file expects; exit with 1 if some fail.")
@json_option
def rules(*, config: str | None, order: str, check: str | None, as_json: bool) -> None:
    """Show what is required of which path, or try a file of expectations."""
    settings = configuration_of(config)
    if check is not None:
        with told_as_mistakes(check):
            results = check_expectations(settings, read_expectations(check))
        _show_results(results, as_json=as_json)
        sys.exit(0 if all(result.holds for result in results) else REFUSED)
    written = settings.table.rules
    ordered = written if order == "written" else tuple(sorted(written, key=specificity))
    if as_json:
        click.echo(as_json_text(_as_data(ordered, settings)))
    else:
        click.echo("\n".join(columns(_as_rows(ordered, settings))))


def specificity(rule: Rule) -> tuple[Any, ...]:
    """Return a key by which the rule that wins comes before those that it wins over (specification, section 3)."""
    pattern = parse_pattern(rule.pattern)
    # A literal beats a partial wildcard beats "*", which beats a "/*" that ends there; a pattern that ends beats all.
    ranks = [0 if len(segment) == 1 else 2 if segment == ANY else 1 for segment in pattern.segments]
    return (not rule.hosts, [*ranks, 3 if pattern.below else -1], -pattern.literals, not rule.methods, rule.pattern)


def _as_data(ordered: Sequence[Rule], config: AccessConfig) -> dict[str, Any]:
    return {
        "rules": [rule.to_mapping() for rule in ordered],
        "default": {
            "access": (Access.POLICIES if config.default_policies else Access.TOKEN).value,
            "audience": sorted(config.audiences),
            "policies": [policy_to_mapping(policy) for policy in config.default_policies],
        },
        "report_only": config.report_only,
    }


def _as_rows(ordered: Sequence[Rule], config: AccessConfig) -> list[tuple[str, ...]]:
    default = config.default_policies
    rows = [("PATTERN", "METHODS", "HOSTS", "REQUIRED", "POLICIES")]
    rows += [
        (
            shown(rule.pattern),
            " ".join(sorted(rule.methods)) or "any",
            " ".join(sorted(rule.hosts)) or "any",
            required(rule.access)
            + (" of its own audience" if rule.audience else "")
            + (" (only told)" if rule.report_only else ""),
            policies_in_short(rule.policies),
        )
        for rule in ordered
    ]
    access = Access.POLICIES if default else Access.TOKEN
    return [*rows, (ANYTHING_ELSE, "any", "any", required(access), policies_in_short(default))]


def _show_results(results: Sequence[Result], *, as_json: bool) -> None:
    if as_json:
        click.echo(as_json_text([result.as_data() for result in results]))
        return
    for result in results:
        mark = click.style("ok  ", fg="green") if result.holds else click.style("FAIL", fg="red", bold=True)
        click.echo(f"{mark} {result.what}: {result.seen}" + (f"; {result.unmet}" if result.unmet else ""))
        for note in result.notes:
            click.echo(f"     note: {note}")
    click.echo(f"{sum(result.holds for result in results)} of {len(results)} hold.")
