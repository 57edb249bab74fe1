"""May this person in? The endpoint of an *External Evaluation* rule, around one function.

::

    from cfaccess_mw.edge.external_evaluation import Applicant, ExternalEvaluation

    def may_in(applicant: Applicant) -> bool:
        return applicant.email in on_call()

    evaluation = ExternalEvaluation(may_in, team="acme", signing_keys="evaluation-keys.json")
    app = evaluation.asgi   # or evaluation.wsgi

Access asks at login, with a ``POST`` to the *Evaluate URL* (``/``), and checks the answer with the keys of the *Keys
URL* (``/keys`` or ``/keys/``). It comes without an assertion: behind a door of ours both paths have to be public.

Against whom: somebody who asks in Access's name, to learn who may in or to have something done; who sends a question
or an answer a second time; and whoever reads error pages. Not against the rule that asks: **for Access everything but a
signed yes is a no, and so is every failure on the way.** Use the selector where a no keeps people out, in *Include* or
*Require* of an *Allow* policy. In a *Block* policy, or in *Exclude*, whoever makes this endpoint fail gets in.

Several processes need the same ``signing_keys``, a file; and a ``nonces`` that they share, if a question that is sent
twice must not be put to the function by two of them. (An answer serves nobody a second time: it has the nonce of the
question.)
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.team import read_team
from cfaccess_mw.edge.external_evaluation_asgi import EvaluationASGI
from cfaccess_mw.edge.external_evaluation_asking import Asking, Evaluate
from cfaccess_mw.edge.external_evaluation_exchange import Exchange
from cfaccess_mw.edge.external_evaluation_nonces import Nonces, NonceStore, checked_store
from cfaccess_mw.edge.external_evaluation_request import Applicant
from cfaccess_mw.edge.external_evaluation_wsgi import EvaluationWSGI
from cfaccess_mw.edge.signing_key_file import ANNOUNCE, KEEP, create_key_file, rotate_key_file
from cfaccess_mw.edge.signing_key_ring import SigningKeyRing
from cfaccess_mw.edge.team_keys import TeamKeys
from cfaccess_mw.refresh.editions import Health
from cfaccess_mw.telemetry.events import Listener, log_event

__all__ = ["Applicant", "ExternalEvaluation", "create_key_file", "rotate_key_file"]


class ExternalEvaluation:
    """An endpoint, as an ASGI application and as a WSGI application; both may be mounted in another.

    Args:
        evaluate: Gets an :class:`Applicant`, and returns True for in; a coroutine function or a plain one. False,
            anything that is not a boolean, an exception and silence are a no.
        team: As for the doors: whose questions are answered.
        signing_keys: The path of a file with our private key: PEM, JWK, or JWK set, as :func:`create_key_file` makes
            one. It is read again when it changes. None makes a key in memory, for development, and says so loudly.
        rotate_every: For how many seconds a key signs before the file gets a new one; None for ever.
        announce: For how many seconds a new key is published before it signs.
        keep: For how many seconds an old key is published after it signed for the last time.
        timeout: Seconds for ``evaluate``.
        nonces: Remembers a nonce until a time and returns whether it was new; None keeps them in this process.
        path: The path of the Evaluate URL, below where the endpoint is mounted.
        keys_path: The path of the Keys URL.
        team_url: As for the doors, like the rest.
        certs_url: As there.
        issuer: As there.
        keys: As there; Access's keys, not ours.
        fetcher: As there.
        leeway: As there.
        cold_wait: As there.
        hard_ttl: As there; a door of this process for the same team needs the same.
        listeners: As there.
        clock: Tells the time in seconds since the epoch.

    Attributes:
        asgi: The ASGI application.
        wsgi: The WSGI application.
        signing_keys: Ours; its ``rotate`` makes a new one.

    Raises:
        ConfigurationError: At start, naming the argument, the shape of its value and the mend.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        /,
        *,
        team: str,
        signing_keys: str | os.PathLike[str] | None = None,
        rotate_every: float | None = None,
        announce: float = ANNOUNCE,
        keep: float = KEEP,
        timeout: float = 5,
        nonces: NonceStore | None = None,
        path: str = "/",
        keys_path: str = "/keys",
        team_url: str | None = None,
        certs_url: str | None = None,
        issuer: str | None = None,
        keys: Mapping[str, Any] | str | None = None,
        fetcher: object | None = None,
        leeway: float = 30,
        cold_wait: float = 5,
        hard_ttl: float = 86_400,
        listeners: Iterable[Listener] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        told = (log_event, *listeners)
        for listener in told:
            if not callable(listener):
                raise ConfigurationError(f"listeners: {shape(listener)} cannot be called; give a list of callables")
        whose = read_team(team, team_url=team_url, certs_url=certs_url, issuer=issuer)
        asking = Asking(evaluate, timeout=timeout, listeners=told)
        self.signing_keys = SigningKeyRing(
            signing_keys, rotate_every=rotate_every, announce=announce, keep=keep, listeners=told, clock=clock
        )
        exchange = Exchange(
            issuer=whose.issuer,
            signing_keys=self.signing_keys,
            nonces=Nonces(clock) if nonces is None else checked_store(nonces),
            path=path,
            keys_path=keys_path,
            leeway=leeway,
            listeners=told,
            clock=clock,
        )
        self._keys = TeamKeys(
            whose.certs_url, keys=keys, fetcher=fetcher, cold_wait=cold_wait, hard_ttl=hard_ttl, listeners=told
        )
        self.asgi = EvaluationASGI(exchange=exchange, asking=asking, keys=self._keys)
        self.wsgi = EvaluationWSGI(exchange=exchange, asking=asking, keys=self._keys)

    def hydrate(self) -> None:
        """Fetch Access's keys before the first question.

        Raises:
            KeysUnavailable: They cannot be had at the moment.
        """
        self._keys.hydrate()

    async def ahydrate(self) -> None:
        """Do the same on an event loop."""
        await self._keys.ahydrate()

    def health(self) -> Health:
        """How Access's keys are."""
        return self._keys.health()

    def close(self) -> None:
        """Let go of Access's keys for good; every further question is answered with 503."""
        self._keys.close()
