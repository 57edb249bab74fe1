"""What is required of a request for this path?

A path has readings (``paths.py``), each reading has a most specific rule (``trie.py``), and a request has to satisfy
the rules of all of them. It is public only where the path as the server gives it and every other reading are public.
Two more look-ups can add a requirement and never take one away: in a copy of the table that minds neither case nor
compatibility forms, and of the path as it looks from inside a mount.

Answers are remembered by path, in a bounded memory, so that the odd path pays for this once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cfaccess_mw.core.admission import NO_FACTS
from cfaccess_mw.core.conflicts import check_hosts, check_reachable, check_ties, named_methods
from cfaccess_mw.core.errors import AmbiguousHost, AmbiguousPath, ConfigurationError
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.hosts import canonical_host
from cfaccess_mw.core.memory import Memory
from cfaccess_mw.core.paths import Reading, read_path
from cfaccess_mw.core.patterns import Pattern, fold, parse_pattern
from cfaccess_mw.core.policy import Policy, PolicyDecision, decide_policies
from cfaccess_mw.core.requirement import Requirement, refused
from cfaccess_mw.core.rules import Access, Rule
from cfaccess_mw.core.trie import ANY_HOST, ODD, OTHER, Trie

if TYPE_CHECKING:
    from cfaccess_mw.core.explain import Explanation

DEFAULT: Final = -1
"""The number of what no rule matches, beside the rules' own, which count from 0."""

_PATHS: Final = 16_384  # remembered, at most
_PATH_BYTES: Final = 8 * 2**20  # that they may take, at most
_ENTRY_BYTES: Final = 320  # of a remembered path, its texts aside
_COMBINATIONS: Final = 16_384  # of rules, remembered at most; an attacker can bring about a new one by an odd path

# What a table with rules by method knows beforehand, at the price of one dictionary read.
_USUAL_METHODS: Final = ("CONNECT", "DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")

_AMBIGUOUS_PATH: Final = refused(AmbiguousPath)
_AMBIGUOUS_HOST: Final = refused(AmbiguousHost)


class RuleTable:
    """The rules of one application; it does not change.

    Args:
        rules: The rules, in any order: the most specific wins.
        audience: The audience tags of the configuration, for what no rule matches and for rules without their own.
        host_routing: Whether the application itself serves different content by host, so that rules by host may open
            something, or ask for an audience of their own.
        policies: Who may pass where no rule matches; whoever has a valid token, where there are none.

    Raises:
        ConfigurationError: Two rules tie, a rule can never match, or rules by host need ``host_routing``.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        audience: frozenset[str],
        host_routing: bool = False,
        policies: Sequence[Policy] = (),
    ) -> None:
        self.rules = tuple(rules)
        for rule in self.rules:
            if not isinstance(rule, Rule):
                raise ConfigurationError(f"rules: a list of Rule, not of {type(rule).__name__}; see Rule.from_mapping")
        if not audience:
            raise ConfigurationError("audience: no audience tag is given; the application's overview shows it")
        if not host_routing:
            check_hosts(self.rules, policies=bool(policies))
        patterns = [parse_pattern(rule.pattern) for rule in self.rules]
        check_ties(self.rules, patterns)
        if any(policy.is_public for policy in policies):
            raise ConfigurationError(
                "policies: a bypass without conditions lets everybody in everywhere; to mean it, make it "
                "Rule.public('/*', everything=True)"
            )
        # The default comes last, where its number, -1, finds it.
        default = (Access.POLICIES if policies else Access.TOKEN, audience)
        self._terms = [*((rule.effective, rule.audience or audience) for rule in self.rules), default]
        self._policies = [*(rule.policies for rule in self.rules), tuple(policies)]
        self._public = frozenset(n for n, (access, _) in enumerate(self._terms) if access is Access.PUBLIC)
        bypassed = [n for n, rule in enumerate(self.rules) if rule.has_bypass]
        if any(policy.decision is PolicyDecision.BYPASS for policy in policies):
            bypassed.append(DEFAULT)
        self._bypassed = frozenset(bypassed)
        self._tries = self._plant(patterns)
        check_reachable(self.rules, patterns, lambda host, method, path: self._win(self._tries, host, method, path))
        folded = [pattern.folded() for pattern in patterns]
        self._folded_tries = self._tries if folded == patterns else self._plant(folded)

        self._hosts = {host: host for rule in self.rules for host in rule.hosts}
        named = {method: method for rule in self.rules for method in named_methods(rule) if method != OTHER}
        self._kinds: Mapping[str, str] = {}
        if named:
            usual = dict.fromkeys(_USUAL_METHODS, OTHER) | named
            self._kinds = usual | {"HEAD": usual["GET"]}
        self._paths: Memory[tuple[str, bytes | None, str, str, str], Requirement] = Memory(
            count=_PATHS, weight=_PATH_BYTES
        )
        self._requirements: Memory[tuple[int, ...], Requirement] = Memory(count=_COMBINATIONS, weight=_COMBINATIONS)

    @property
    def names_hosts(self) -> bool:
        """Whether some rule names a host, so that it matters which one a request is for."""
        return bool(self._hosts)

    @property
    def names_methods(self) -> bool:
        """Whether some rule names a method, so that it matters by which one a request is made."""
        return bool(self._kinds)

    def find(self, method: str, path: str, raw_path: bytes | None, root_path: str, host: str | None) -> Requirement:
        """Return what is required of a request; for a path seen before, this is one look-up in memory.

        Args:
            method: The method as sent; GET for a WebSocket handshake.
            path: The path, percent-decoded once: ASGI ``scope["path"]``, WSGI ``SCRIPT_NAME`` + ``PATH_INFO``.
            raw_path: The path as the client sent it, where the server says so.
            root_path: Where the application is mounted: ASGI ``root_path``, WSGI ``SCRIPT_NAME``.
            host: The value of the one ``Host`` header; None where there is none, or more than one.
        """
        # What makes no difference to this table is not part of the key, or anybody could fill the memory with it.
        kind = (self._kinds.get(method) or _kind(method)) if self._kinds else OTHER
        name = ANY_HOST
        if self._hosts:
            name = self._hosts.get(host or "") or self._listed(host)
            if not name:
                return _AMBIGUOUS_HOST
        key = (path, raw_path, root_path, kind, name)
        requirement = self._paths.get(key)
        if requirement is None:
            readings = read_path(path, raw_path, root_path)
            if readings.ground is not None:
                return _AMBIGUOUS_PATH  # not remembered: it says nothing worth a place
            entries = {entry for *_, found in self._look_up(readings.readings, name, kind) for entry in found}
            requirement = self._require(tuple(sorted(entries)))
            self._paths.put(key, requirement, _ENTRY_BYTES + 4 * (len(path) + len(root_path)) + len(raw_path or b""))
        return requirement

    def explain(
        self,
        method: str,
        path: str,
        raw_path: bytes | None = None,
        root_path: str = "",
        host: str | None = None,
        facts: Facts = NO_FACTS,
    ) -> "Explanation":
        """Return why a request gets what :meth:`find` says, and what becomes of it.

        The arguments are the same, and ``facts``: what policies look at; the identity is one whose token is good.
        """
        # Whoever serves requests explains none.
        from cfaccess_mw.core.explain import Explanation, LookUp, explain_outcome  # noqa: PLC0415
        from cfaccess_mw.core.policy_explanation import explain_policies  # noqa: PLC0415

        requirement = self.find(method, path, raw_path, root_path, host)
        name = self._listed(host)
        readings = read_path(path, raw_path, root_path)
        look_ups: tuple[LookUp, ...] = ()
        if requirement.refusal is None:
            kind = (self._kinds.get(method) or _kind(method)) if self._kinds else OTHER
            look_ups = tuple(
                LookUp(
                    reading=reading,
                    path=looked_up,
                    folded=folded,
                    rules=tuple(self.rules[entry] for entry in found if entry != DEFAULT),
                    default=DEFAULT in found,
                )
                for reading, looked_up, folded, found in self._look_up(readings.readings, name or ANY_HOST, kind)
            )
        verdicts = tuple(decide_policies(policies, facts) for policies in requirement.policies)
        outcome, code = explain_outcome(requirement, facts, verdicts)
        ground = "ambiguous-host" if requirement.refusal is AmbiguousHost else readings.ground
        return Explanation(
            method=method,
            path=path,
            host=name or None,
            ground=ground,
            look_ups=look_ups,
            requirement=requirement,
            policies=tuple(explain_policies(policies, facts) for policies in requirement.policies),
            verdicts=verdicts,
            outcome=outcome,
            code=code,
        )

    @property
    def remembered(self) -> int:
        """How many paths are remembered at the moment."""
        return len(self._paths)

    def _plant(self, patterns: Sequence[Pattern]) -> dict[str, Trie]:
        """Put the rules into one tree for each host and one for what is said of every host."""
        guards = frozenset(n for n, rule in enumerate(self.rules) if rule.effective in (Access.TOKEN, Access.POLICIES))
        tries: dict[str, Trie] = {}
        for number, (rule, pattern) in enumerate(zip(self.rules, patterns, strict=True)):
            for host in rule.hosts or (ANY_HOST,):
                tries.setdefault(host, Trie(guards)).add(pattern, named_methods(rule), number)
        return tries

    def _look_up(
        self, readings: Iterable[Reading], host: str, kind: str
    ) -> Iterator[tuple[Reading, str, bool, tuple[int, ...]]]:
        """Ask the table about each reading: as it is, and folded where that is another question."""
        # A method that is not upper-case letters may be taken for another one, or for one that a rule names.
        kinds = (OTHER, ODD) if kind == ODD else (kind,)
        for reading in readings:
            path, only_guards = reading.path, reading.adds_only
            found: list[int] = []
            for each in kinds:
                won = self._win(self._tries, host, each, path, only_guards=only_guards)
                found += won or (() if only_guards else (DEFAULT,))
            yield reading, path, False, tuple(dict.fromkeys(found))
            folded = fold(path)
            if folded != path or self._folded_tries is not self._tries:
                found = [
                    n
                    for each in kinds
                    for n in self._win(self._folded_tries, host, each, folded, only_guards=only_guards)
                ]
                yield reading, folded, True, tuple(dict.fromkeys(n for n in found if n not in self._public))

    def _win(
        self, tries: Mapping[str, Trie], host: str, kind: str, path: str, *, only_guards: bool = False
    ) -> tuple[int, ...]:
        """Return the rules that win a path; a rule that names the host beats one that does not."""
        for name in dict.fromkeys((host, ANY_HOST)):
            if name in tries:
                found = tries[name].find(path, kind, only_guards=only_guards)
                if found:
                    return found
        return ()

    def _require(self, entries: tuple[int, ...]) -> Requirement:
        """Return what some entries require together: the same object for the same entries, while remembered."""
        requirement = self._requirements.get(entries)
        if requirement is None:
            terms = [self._terms[entry] for entry in entries]
            strictest = max((access for access, _ in terms), key=lambda access: access.strictness)
            counting = [
                audience for access, audience in terms if access is not Access.PUBLIC or strictest is Access.PUBLIC
            ]
            requirement = Requirement(
                access=strictest,
                audiences=tuple(dict.fromkeys(counting)),
                rules=tuple(self.rules[entry] for entry in entries if entry != DEFAULT),
                policies=tuple(
                    dict.fromkeys(
                        self._policies[entry] for entry in entries if self._terms[entry][0] is Access.POLICIES
                    )
                ),
                may_open=all(entry in self._public or entry in self._bypassed for entry in entries),
                report_only=all(entry != DEFAULT and self.rules[entry].report_only for entry in entries),
            )
            self._requirements.put(entries, requirement, 1)
        return requirement

    def _listed(self, host: str | None) -> str:
        """Return the host in its one form if some rule names it, or nothing."""
        return self._hosts.get(canonical_host(host or "") or "", "")


def _kind(method: str) -> str:
    return OTHER if method.isascii() and method.isalpha() and method.isupper() else ODD
