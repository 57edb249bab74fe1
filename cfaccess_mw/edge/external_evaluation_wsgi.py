"""How does a WSGI server put Access's question? (PEP 3333)"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cfaccess_mw.core.errors import Refused
from cfaccess_mw.edge.external_evaluation_asking import Asking
from cfaccess_mw.edge.external_evaluation_exchange import Exchange, Page
from cfaccess_mw.edge.external_evaluation_request import MOST_BYTES, NotAQuestion, QuestionTooLarge
from cfaccess_mw.edge.team_keys import TeamKeys
from cfaccess_mw.wire.response import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationWSGI:
    """The WSGI application; it may be mounted in another.

    Args:
        exchange: What is said.
        asking: Who decides.
        keys: Access's.
    """

    exchange: Exchange
    asking: Asking
    keys: TeamKeys

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        response = self._respond(environ)
        start_response(f"{response.status} {response.phrase}", list(response.headers))
        return [response.body]

    def _respond(self, environ: "WSGIEnvironment") -> Response:
        exchange, method = self.exchange, environ["REQUEST_METHOD"]
        found = exchange.find(method, environ.get("PATH_INFO", ""))
        if isinstance(found, Response):
            return found
        if found is Page.KEYS:
            return exchange.keys(method)
        try:
            length = environ.get("CONTENT_LENGTH")
            exchange.check_head(environ.get("CONTENT_TYPE"), environ.get("HTTP_CONTENT_ENCODING"), length)
            question = exchange.read(_read(environ, length))
            applicant = exchange.prove(question, self.keys.find(question.kid))
        except Refused as error:
            return exchange.refusal(error)
        return exchange.answer(question, success=self.asking.ask_blocking(applicant))


def _read(environ: "WSGIEnvironment", length: str | None) -> bytes:
    """The body: as long as announced, or to its end where the server says that there is one.

    Raises:
        NotAQuestion: It is shorter than announced, or cannot be read.
        QuestionTooLarge: It is longer than 128 KiB.
    """
    if not length and not environ.get("wsgi.input_terminated"):
        return b""
    wanted = int(length) if length else MOST_BYTES + 1
    parts: list[bytes] = []
    try:
        while wanted > 0 and (part := environ["wsgi.input"].read(wanted)):
            parts.append(part)
            wanted -= len(part)
    except (OSError, ValueError) as error:
        raise NotAQuestion from error  # the client is gone, or its chunks are none
    body = b"".join(parts)
    if length and len(body) < int(length):
        raise NotAQuestion
    if len(body) > MOST_BYTES:
        raise QuestionTooLarge
    return body
