"""The door of WSGI applications: nothing reaches the application that did not come through Cloudflare Access (PEP
3333).

One line wraps any of them::

    application = AccessMiddleware(application, team="acme", audience="4714c1358e65fe4b408ad6d432a5f878f081…")

With Flask: ``app.wsgi_app = AccessMiddleware(app.wsgi_app, …)``.

Against whom: see :mod:`cfaccess_mw.asgi`. The application finds ``environ["cfaccess.identity"]``, ``REMOTE_USER``,
``AUTH_TYPE`` and ``current_identity()``. Servers join repeated headers of one name, so an assertion with a comma or
white space in it is refused. The keys are kept fresh by one daemon thread a process; uWSGI needs ``enable-threads``
for that.
"""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from cfaccess_mw.core.admission import NO_FACTS, Lacking
from cfaccess_mw.core.decide import NO_ANSWERS, Given, Pass, Refusal
from cfaccess_mw.core.errors import AmbiguousPath, Refused
from cfaccess_mw.core.facts import Facts
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.memory import Memory
from cfaccess_mw.core.requirement import Requirement, both, refused
from cfaccess_mw.protection import Protection, checked_application
from cfaccess_mw.telemetry.asked import Asked
from cfaccess_mw.wire.client import ClientReader
from cfaccess_mw.wire.current import current
from cfaccess_mw.wire.environ import ASSERTION_KEY, EnvironReader, is_preflight, names_mount, value_of, values_of
from cfaccess_mw.wire.refusals import refusals_of
from cfaccess_mw.wire.response import Response
from cfaccess_mw.wire.target import PEER_KEY, target_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# What is required of a path that cannot be read at all.
_AMBIGUOUS = refused(AmbiguousPath)


# Paths that are remembered as they come, at most, what all of them may take, and one of them, its texts aside.
_PATHS = 16_384
_PATH_BYTES = 8 * 2**20
_ENTRY_BYTES = 320

IDENTITY_KEY = "cfaccess.identity"
DOOR_KEY = "cfaccess.door"


class Door:
    """Decides over the requests of one WSGI application, and answers those that it refuses.

    :class:`AccessMiddleware` is all that an application needs. This is for integrations that stand elsewhere, in a
    framework's own chain of middleware.

    Args:
        config: An :class:`~cfaccess_mw.AccessConfig` or a mapping, instead of keywords.
        options: The names of :class:`~cfaccess_mw.AccessConfig`; where ``team`` is not among them, the environment says
            what they leave out.

    Attributes:
        protection: What is known and decided, for callers that want to ask without a request.

    Raises:
        ConfigurationError: At start, naming the key, the shape of its value and the mend.
    """

    def __init__(self, config: Any = None, /, **options: Any) -> None:
        self.protection = Protection(config, **options)
        settings = self.protection.config
        self._reader = EnvironReader(scrub=settings.scrub, cookie=settings.cookie, remote_user=settings.remote_user)
        self._client = ClientReader(peers=settings.peers, certificate_headers=settings.certificate_headers)
        self._refusals = refusals_of(settings, blocking=True)
        self._rules = self.protection.rules
        self._names_hosts, self._names_methods = self._rules.names_hosts, self._rules.names_methods
        # What was required of a path as the server writes it, before anybody has put it together and decoded it.
        self._found: Memory[tuple[str | None, ...], Requirement] = Memory(count=_PATHS, weight=_PATH_BYTES)

    def decide(self, environ: "WSGIEnvironment") -> Pass | Refusal:
        """Decide over a request; a refusal has been told to the listeners, and holds.

        Args:
            environ: As the server gives it.
        """
        protection = self.protection
        began = perf_counter() if protection.observed else 0.0
        requirement = self._requirement(environ)
        protection.attend_blocking()
        token: Given = environ.get(ASSERTION_KEY)
        cookies: tuple[str, ...] = ()
        if token is None:
            token, cookies = self._reader.tokens(environ)
        facts = self.facts(environ) if requirement.reads_request else NO_FACTS
        decision = protection.gate.decide(requirement, token, time(), cookies, NO_ANSWERS, facts)
        if isinstance(decision, Pass):
            if began:
                protection.accept(decision, requirement, **self._asked(environ, began))
            return decision
        if isinstance(decision, Lacking):
            answers, until = NO_ANSWERS, self.protection.patience_ends()
            while isinstance(decision, Lacking):
                answers = {**answers, decision: self.protection.obtain_blocking(decision, until)}
                decision = self.protection.decide(requirement, token, cookies, answers, facts)
        if isinstance(decision, Refusal):
            passing = protection.waive(
                decision,
                requirement,
                is_preflight=lambda: is_preflight(environ),
                **self._asked(environ, began),
            )
            return decision if passing is None else passing
        if began:
            protection.accept(decision, requirement, **self._asked(environ, began))
        return decision

    def clean(self, environ: "WSGIEnvironment", passing: Pass) -> "WSGIEnvironment":
        """The environ that the application may see: with who is asking, and without what a client could forge.

        Args:
            environ: As the server gives it.
            passing: The decision.
        """
        cleaned = self._reader.clean(environ, passing)
        cleaned[DOOR_KEY] = self
        return cleaned

    def facts(self, environ: "WSGIEnvironment") -> Facts:
        """What a request says of its client, as far as it is believed; for policies that are asked in a handler."""
        (path, mount), query = self._reader.sent(environ), environ.get("QUERY_STRING", "").encode("latin-1", "replace")
        target = None if path is None else target_of(path, self._reader.raw_path(environ), mount, query)
        peer = environ.get(PEER_KEY, environ).get("REMOTE_ADDR")
        method, mount = environ["REQUEST_METHOD"], environ.get("SCRIPT_NAME", "")
        return self._client.read(method, peer, lambda name: values_of(environ, name), target, mount)

    def tell(self, error: Refused, environ: "WSGIEnvironment") -> None:
        """Tell the listeners of a refusal that a handler made behind the door; its own are told.

        Args:
            error: Why.
            environ: Of the request.
        """
        self.protection.tell(error, **self._asked(environ, identity=environ.get(IDENTITY_KEY)))

    def response(self, error: Refused, environ: "WSGIEnvironment", identity: Identity | None = None) -> Response:
        """The answer to a request that is refused.

        Args:
            error: Why.
            environ: Of the request.
            identity: Who is refused; the one of the environ by default.
        """
        return self._refusals.response(
            error,
            method=environ["REQUEST_METHOD"],
            header=lambda name: value_of(environ, name),
            path=self._reader.path(environ) or "",
            query=environ.get("QUERY_STRING", ""),
            scheme=environ.get("wsgi.url_scheme", "http"),
            audiences=self._requirement(environ).audiences,
            identity=identity or environ.get(IDENTITY_KEY),
        )

    def _asked(self, environ: "WSGIEnvironment", began: float = 0.0, identity: Identity | None = None) -> Asked:
        """What is told of a request; its headers are read when somebody asks."""
        return {
            "method": environ["REQUEST_METHOD"],
            "path": self._reader.path(environ) or environ.get("PATH_INFO", ""),
            "header": lambda name: value_of(environ, name),
            "began": began,
            "identity": identity,
        }

    def _requirement(self, environ: "WSGIEnvironment") -> Requirement:
        """What is required of a request; for a path seen before, this is one look-up in memory."""
        mount = environ.get("SCRIPT_NAME", "")
        if "HTTP_SCRIPT_NAME" in environ or (mount and names_mount(environ)):
            return self._work_out(environ)  # by headers; nothing that they say is remembered
        path, raw = environ.get("PATH_INFO", ""), self._reader.raw_target(environ)
        method = environ["REQUEST_METHOD"] if self._names_methods else None
        host = environ.get("HTTP_HOST") if self._names_hosts else None
        key = (mount, path, raw, method, host)
        found = self._found.get(key)
        if found is None:
            found = self._work_out(environ)
            if found.refusal is None:
                self._found.put(key, found, _ENTRY_BYTES + 4 * sum(len(text) for text in key if text is not None))
        return found

    def _work_out(self, environ: "WSGIEnvironment") -> Requirement:
        path = self._reader.path(environ)
        if path is None:
            return _AMBIGUOUS
        method, host, mount = environ["REQUEST_METHOD"], environ.get("HTTP_HOST"), environ.get("SCRIPT_NAME", "")
        find = self._rules.find
        found = find(method, path, self._reader.raw_path(environ), mount, host)
        if mount and names_mount(environ):
            inside = self._reader.path({**environ, "SCRIPT_NAME": ""}) or "/"
            return both(found, find(method, inside, None, "", host))
        return found


class AccessMiddleware(Door):
    """Protects a WSGI application.

    Args:
        app: The application.
        config: An :class:`~cfaccess_mw.AccessConfig` or a mapping, instead of keywords.
        options: The names of :class:`~cfaccess_mw.AccessConfig`; where ``team`` is not among them, the environment says
            what they leave out.

    Attributes:
        app: The application.
        protection: What is known and decided, for callers that want to ask without a request.

    Raises:
        ConfigurationError: At start, naming the key, the shape of its value and the mend.
    """

    def __init__(self, app: "WSGIApplication", /, config: Any = None, **options: Any) -> None:
        self.app = checked_application(app)
        super().__init__(config, **options)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Decide, then pass on or answer."""
        decision = self.decide(environ)
        if isinstance(decision, Refusal):
            response = self.response(decision.error, environ, decision.passing.identity)
            start_response(f"{response.status} {response.phrase}", list(response.headers))
            return [response.body]
        identity = decision.identity
        current.set(identity)
        try:
            body = self.app(self.clean(environ, decision), start_response)
        except BaseException:
            current.set(None)
            raise
        file_wrapper = environ.get("wsgi.file_wrapper")
        # Nothing of the application runs while a list is iterated, or a file for the server.
        if type(body) in (list, tuple) or (isinstance(file_wrapper, type) and isinstance(body, file_wrapper)):
            current.set(None)
            return body
        return _Body(body, identity)


class _Body:
    """A response body that runs as its own request: generators and streams ask who is asking while they are
    iterated."""

    __slots__ = ("_body", "_identity", "_parts")

    def __init__(self, body: Iterable[bytes], identity: Identity | None) -> None:
        self._body = body
        self._parts: Iterator[bytes] | None = None
        self._identity = identity

    def __iter__(self) -> Iterator[bytes]:
        """Itself; what is beneath is not begun here: a ``for`` over an iterator that was begun asks for it again."""
        return self

    def __next__(self) -> bytes:
        """The next part, made while ``current_identity()`` is the one of this request."""
        current.set(self._identity)
        if self._parts is None:
            self._parts = iter(self._body)
        return next(self._parts)

    def close(self) -> None:
        """Close the application's body, then show nobody."""
        try:
            close: Callable[[], object] | None = getattr(self._body, "close", None)
            if close is not None:
                current.set(self._identity)
                close()
        finally:
            current.set(None)
