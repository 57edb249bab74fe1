"""How is this package called where it is measured? Its core, its doors, and fresh ones of both."""

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from benchmarks.subject import Subject
from cfaccess_mw.asgi import AccessMiddleware as AsgiMiddleware
from cfaccess_mw.core.decide import Gate, Pass
from cfaccess_mw.core.encoding import decode_base64url
from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.emulator.signing_key import base64url

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


class Core:
    """The verification core without a door: keys at hand, and one requirement.

    Args:
        subject: Whose tokens.
        keys: What is published; the subject's by default.
        signatures: Whether they are computed; without, for what is about numbers of tokens that nobody can wait for,
            :meth:`unsigned` ones pass.
    """

    def __init__(self, subject: Subject, *, keys: KeySnapshot | None = None, signatures: bool = True) -> None:
        snapshot = subject.snapshot if keys is None else keys
        if not signatures:
            agreeing = cast("RSAPublicKey", _Agreeing())
            agreed = {kid: replace(key, public_key=agreeing) for kid, key in snapshot.keys.items()}
            snapshot = replace(snapshot, keys=agreed)
        self._sources = {subject.issuer.iss: Held(snapshot)}
        self._header, payload, self._signature = subject.token.split(".")
        self._claims = json.loads(decode_base64url(payload.encode()))
        self._verifier = Verifier(self._sources, leeway=30, max_age=None, certificates=False)
        self.requirement = Requirement(access=Access.TOKEN, audiences=(frozenset({subject.audience}),))
        self.gate = self.fresh()

    def fresh(self) -> Gate:
        """A gate that remembers nobody."""
        return Gate(self._verifier, self._sources)

    def unsigned(self, number: int) -> bytes:
        """A token like the subject's, of another person each, that carries some signature."""
        claims = {**self._claims, **({"email": f"person.{number:08x}@example.com"} if "email" in self._claims else {})}
        mark = "sub" if claims["sub"] else "common_name"
        claims[mark] = f"{number:032x}" + claims[mark][32:]
        signature = f"{number:08x}" + self._signature[8:]
        return ".".join((self._header, base64url(_compact(claims)), signature)).encode()


def _compact(claims: dict[str, Any]) -> bytes:
    return json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Held:
    """A source whose keys are what they are."""

    snapshot: KeySnapshot | None


class _Agreeing:
    """Stands for a public key that finds every signature good."""

    def verify(self, *_: object) -> None:
        """Find it good."""


def expect(decision: object, *, passes: bool) -> None:
    """Make sure that a benchmark measures what it says.

    Raises:
        RuntimeError: A good token was not accepted, or a bad one was.
    """
    if isinstance(decision, Pass) is not passes:
        raise RuntimeError(f"a {'good' if passes else 'bad'} token led to {decision!r}")


def asgi_door(app: Any, subject: Subject, **options: object) -> AsgiMiddleware:
    """A door with the subject's rules."""
    return AsgiMiddleware(app, **{**subject.options, "rules": subject.table(subject.rules), **options})
