"""What is in force in this project? ``manage.py cfaccess check``, ``rules`` or ``urls``."""

import re
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.contrib.admindocs.views import simplify_regex
from django.core.management.base import BaseCommand, CommandError
from django.urls import URLPattern, URLResolver, get_resolver

from cfaccess_mw.contrib.django import conf
from cfaccess_mw.core.errors import AccessError, ConfigurationError
from cfaccess_mw.core.rules import Rule
from cfaccess_mw.protection import Protection

_PLACEHOLDER = re.compile(r"<[^>]*>")


class Command(BaseCommand):
    """``manage.py cfaccess``."""

    help = "Shows what Cloudflare Access requires in this project."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The three things to be shown."""
        shown = parser.add_subparsers(dest="shown", required=True, metavar="check | rules | urls")
        shown.add_parser("check", help="the configuration, and whether the team's keys can be had")
        shown.add_parser("rules", help="what is required of which path")
        urls = shown.add_parser("urls", help="what is required of each URL pattern")
        urls.add_argument("--method", default="GET", help="for which method (GET)")
        urls.add_argument("--host", help="for which host, where rules name hosts")

    def handle(self, *_: object, shown: str, **options: Any) -> None:
        """Show it."""
        try:
            protection = conf.doors().wsgi.protection
        except ConfigurationError as mistake:
            raise CommandError(f"CFACCESS: {mistake}") from None
        lines = {"check": self._check, "rules": self._rules, "urls": self._urls}[shown](protection, options)
        for line in lines:
            self.stdout.write(line)

    def _check(self, protection: Protection, _: dict[str, Any]) -> Iterator[str]:
        config = protection.config
        yield f"teams      {', '.join(team.issuer for team in config.teams)}"
        yield f"audiences  {len(config.audiences)}"
        yield f"rules      {len(protection.rules.rules)}"
        if config.report_only:
            yield self.style.WARNING("report-only: nothing is refused")
        failure = None
        try:
            protection.hydrate()
        except AccessError as error:
            failure = error.code
        for issuer, health in protection.health().items():
            yield f"keys       {issuer}: {'ready' if health.ready else 'not to be had'}"
        if failure is not None:
            raise CommandError(f"the keys cannot be had ({failure}): is {config.teams[0].certs_url} to be reached?")

    def _rules(self, protection: Protection, _: dict[str, Any]) -> Iterator[str]:
        for rule in sorted(protection.rules.rules, key=lambda rule: rule.pattern):
            yield _described(rule)
        yield f"{'policies' if protection.config.default_policies else 'token':<10}everything else"

    def _urls(self, protection: Protection, options: dict[str, Any]) -> Iterator[str]:
        for route in _routes(get_resolver().url_patterns):
            path = _PLACEHOLDER.sub("x", route)
            requirement = protection.explain(options["method"], path, host=options["host"]).requirement
            if requirement.refusal is not None:
                yield f"{'refused':<10}{route}  ({requirement.refusal.code})"
            else:
                by = ", ".join(sorted(rule.pattern for rule in requirement.rules)) or "everything else"
                yield f"{requirement.access.value:<10}{route}  ({by})"


def _described(rule: Rule) -> str:
    said = rule.to_mapping()
    limits = [f"{name}={','.join(said[name])}" for name in ("methods", "hosts", "audience") if name in said]
    return "  ".join([f"{rule.effective.value:<10}{rule.pattern}", *limits])


def _routes(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield simplify_regex(route)
