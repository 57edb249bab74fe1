"""Who asks, with what token, and by which rules? Everything that a figure must not depend on, to be varied.

The same seed gives the same people, claims, paths, rules and headers; keys and signatures are new in each run.
"""

import json
import random
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from cfaccess_mw import Rule
from cfaccess_mw.core.keys import Key, KeySnapshot, parse_jwks
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey, base64url

TEAM = "acme"
KINDS = ("user", "service", "large")

_SEGMENTS = (100, 316, 256)  # bytes of a token's three, as Access makes them

_WORDS = ("api", "admin", "assets", "billing", "board", "docs", "files", "jobs", "metrics", "orders", "people", "wiki")


class Subject:
    """One team, one application, and its requests.

    Args:
        seed: Of everything that is drawn.
        kind: Of the tokens: a ``user``, a ``service``, or a user with ``large`` custom claims.
        headers: How many headers a request has.
        rules: How many rules the application has.
    """

    def __init__(self, *, seed: int = 1, kind: str = "user", headers: int = 25, rules: int = 1_000) -> None:
        self.seed = seed
        self.kind = kind
        self.headers = headers
        self.rules = rules
        self._random = random.Random(seed)
        self.audience = f"{self._random.getrandbits(256):064x}"
        self.other_audience = f"{self._random.getrandbits(256):064x}"
        self.issuer = Issuer(TEAM)
        self._pool: list[bytes] = []

    @cached_property
    def token(self) -> str:
        """A good token."""
        return self.mint(0)

    @cached_property
    def certs(self) -> dict[str, Any]:
        """What the team publishes."""
        return self.issuer.certs()

    @cached_property
    def keys(self) -> dict[str, Any]:
        """The JWKS alone."""
        return {"keys": self.certs["keys"]}

    @cached_property
    def snapshot(self) -> KeySnapshot:
        """The keys, imported."""
        return parse_jwks(json.dumps(self.keys).encode())

    @property
    def key(self) -> Key:
        """The key that signs, imported."""
        return self.snapshot.keys[self.issuer.current.kid]

    @cached_property
    def options(self) -> dict[str, Any]:
        """The configuration of a door whose keys are given."""
        return {"team": TEAM, "audience": self.audience, "keys": self.keys}

    def mint(self, number: int, *, key: SigningKey | None = None, **claims: object) -> str:
        """A token of this kind; each number is another person or machine.

        Args:
            number: Whose.
            key: Who signs, where it is not the team.
            claims: What is to be different.
        """
        drawn = random.Random(f"{self.seed} {number}")
        options: dict[str, Any] = {"audience": self.audience, "key": key or "current", **claims}
        if self.kind == "service":
            return self.issuer.service(f"{drawn.getrandbits(128):032x}.access", **options)
        if self.kind == "large":
            groups = [f"{drawn.choice(_WORDS)}-{drawn.getrandbits(64):016x}" for _ in range(80)]
            options["custom"] = {"groups": groups, "department": "Engineering", "manager": {"name": "Zoë", "level": 4}}
        name = f"{drawn.choice(_WORDS)}.{drawn.getrandbits(32):08x}"
        return self.issuer.user(f"{name}@example.com", **options)

    def pool(self, size: int) -> list[bytes]:
        """At least so many good tokens, all different; to sign one takes half a millisecond and more."""
        while len(self._pool) < size:
            self._pool.append(self.mint(len(self._pool) + 1).encode())
        return self._pool

    @cached_property
    def forged(self) -> Mapping[str, bytes]:
        """Tokens that are refused, by what is wrong with them."""
        now = time.time()
        stranger = SigningKey.generate(now=now)
        noise = self._random.randbytes(1_200).hex()
        return {
            "garbage: no token at all": noise[:1_000].encode(),
            "garbage: three parts of noise": ".".join((noise[:130], noise[130:560], noise[560:902])).encode(),
            "garbage: 64 KB": b"x" * 65_536,
            "noise in base64url": ".".join(base64url(self._random.randbytes(size)) for size in _SEGMENTS).encode(),
            "unknown kid": self.mint(1, key=stranger).encode(),
            "wrong issuer": self.mint(1, iss="https://evil.cloudflareaccess.com").encode(),
            "wrong audience": self.mint(1, aud=[self.other_audience]).encode(),
            "expired": self.mint(1, exp=int(now) - 3_600).encode(),
        }

    def table(self, size: int) -> list[Rule]:
        """So many rules as people write them: mostly areas, some public assets, some wildcards within a segment."""
        drawn = random.Random(f"{self.seed} rules")
        rules = []
        for number in range(size):
            area = f"/{drawn.choice(_WORDS)}/{drawn.choice(_WORDS)}-{number}"
            match number % 10:
                case 7:
                    rules.append(Rule.public(f"{area}/static/*"))
                case 8:
                    rules.append(Rule.token(f"{area}/export-*.csv"))
                case 9:
                    rules.append(Rule.token(f"{area}/settings"))
                case _:
                    rules.append(Rule.token(f"{area}/*"))
        return rules

    def paths(self, rules: list[Rule], count: int) -> list[str]:
        """So many different paths, each of which one of the rules that need a token matches."""
        drawn = random.Random(f"{self.seed} paths")
        below = [rule.pattern[:-2] for rule in rules if rule.pattern.endswith("/*") and "static" not in rule.pattern]
        return [f"{drawn.choice(below)}/items/{drawn.getrandbits(40)}" for _ in range(count)]
