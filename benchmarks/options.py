"""What does a run vary, and how long may it take?"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command was told.

    Attributes:
        seed: Of everything that is drawn.
        kind: Of the tokens.
        headers: Of a request.
        rules: Of the application.
        processes: In how many fresh ones a race is run, one after the other; 1: in this one.
        rounds: Of a race, in each process.
        repeats: Of what takes seconds each time.
        full: Whether the curves go to their ends.
        peers: Whether other packages are measured too.
        cache: Where peers with clashing dependencies are installed.
    """

    seed: int = 1
    kind: str = "user"
    headers: int = 25
    rules: int = 1_000
    processes: int = 5
    rounds: int = 30
    repeats: int = 5
    full: bool = False
    peers: bool = True
    cache: Path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cfaccess-benchmarks"

    def subject(self) -> Subject:
        """Who asks."""
        return Subject(seed=self.seed, kind=self.kind, headers=self.headers, rules=self.rules)

    def described(self, subject: Subject) -> str:
        """What a figure may depend on, in words."""
        token = f"{self.kind} tokens of {len(subject.token):,} bytes"
        goals = "" if self.kind != "large" else "; the goals were set for tokens of 1 KB"
        rounds = f"{self.rounds} rounds" + (f" in each of {self.processes} processes" if self.processes > 1 else "")
        return f"{token}, {self.headers} headers, {self.rules:,} rules, seed {self.seed}, {rounds}{goals}"

    def as_json(self) -> dict[str, object]:
        """What a figure may depend on; no paths."""
        told = ("seed", "kind", "headers", "rules", "processes", "rounds", "repeats", "full")
        return {name: getattr(self, name) for name in told}

    def passed_on(self) -> str:
        """All of them, for another process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def received(cls, text: str) -> "Options":
        """What :meth:`passed_on` said."""
        told = json.loads(text)
        return cls(**{**told, "cache": Path(told["cache"])})
