"""What is one call of Access's, and what is answered? The conversation, without a server.

Access takes nothing for a yes but a signed answer with its own nonce. All else has one body that says nothing: whoever
tries requests learns no more than the status.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cfaccess_mw.core.errors import ConfigurationError, Refused
from cfaccess_mw.core.keys import Key
from cfaccess_mw.core.shape import shape
from cfaccess_mw.edge.external_evaluation_nonces import NonceStore, use_up
from cfaccess_mw.edge.external_evaluation_request import (
    MOST_BYTES,
    Applicant,
    NotAQuestion,
    Question,
    QuestionNotJSON,
    QuestionTooLarge,
    prove,
    read_body,
    read_question,
)
from cfaccess_mw.edge.signing_key_ring import SigningKeyRing
from cfaccess_mw.telemetry.events import Event, Listener, tell
from cfaccess_mw.wire.response import NO_STORE, Headers, Response, for_method

_ANSWER_LASTS: Final = 60  # seconds, as in Cloudflare's example
_KEYS_LAST: Final = 60  # seconds for which a cache may keep our keys; far less than they are announced
_NO: Final = b'{"success":false}'

_PATH: Final = re.compile(r"/(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*)?")

# Cloudflare does not say which media type Access sends; a fetch that names none for a text sends the second.
_JSON: Final = re.compile(r"(?:application/(?:[!#-.0-9a-z^_`|~]+\+)?json|text/plain)\s*(?:;.*)?", re.IGNORECASE)


class Page(Enum):
    """What is asked for."""

    EVALUATE = ("POST",)
    KEYS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What both servers' sides do.

    Args:
        issuer: The team's.
        signing_keys: Sign the answers.
        nonces: Remembers what was asked.
        path: Where Access asks; with or without a slash at the end.
        keys_path: Where the keys are, likewise.
        leeway: Seconds by which clocks may differ, 0 to 300.
        listeners: Told what happens.
        clock: Tells the time in seconds since the epoch.

    Raises:
        ConfigurationError: Names the argument, the shape of its value and the mend.
    """

    issuer: str
    signing_keys: SigningKeyRing
    nonces: NonceStore
    path: str
    keys_path: str
    leeway: float
    listeners: tuple[Listener, ...]
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        for name in ("path", "keys_path"):
            value = getattr(self, name)
            if not isinstance(value, str) or not _PATH.fullmatch(value) or {".", ".."} & set(value.split("/")):
                raise ConfigurationError(f"{name}: is {shape(value)}; give a path such as '/evaluate'")
        if self.path == self.keys_path:
            raise ConfigurationError("keys_path: is the same as path; give the keys one of their own, such as '/keys'")
        if type(self.leeway) not in (int, float) or not 0 <= self.leeway <= 300:
            raise ConfigurationError(f"leeway: is {shape(self.leeway)}; give seconds from 0 to 300")

    def find(self, method: str, path: str) -> Page | Response:
        """What is asked for, or the answer where it is nothing of ours.

        Args:
            method: As sent.
            path: Without the mount.
        """
        trimmed = path.removesuffix("/") or "/"
        page = {self.path: Page.EVALUATE, self.keys_path: Page.KEYS}.get(trimmed)
        if page is None:
            return for_method(_response(404, _NO), method)
        if method not in page.value:
            return for_method(_response(405, _NO, ("Allow", ", ".join(page.value))), method)
        return page

    def keys(self, method: str) -> Response:
        """The document with our keys (RFC 7517); it may read a file."""
        body = json.dumps({"keys": [key.jwk() for key in self.signing_keys.published()]}).encode("ascii")
        lasting = (("Cache-Control", f"public, max-age={_KEYS_LAST}"), ("X-Content-Type-Options", "nosniff"))
        return for_method(_response(200, body, control=lasting), method)

    def check_head(self, content_type: str | None, content_encoding: str | None, content_length: str | None) -> None:
        """Refuse what need not be read.

        Args:
            content_type: The header, or None.
            content_encoding: Likewise.
            content_length: Likewise.

        Raises:
            NotAQuestion: It cannot be a question.
        """
        if content_type and not _JSON.fullmatch(content_type.strip()):
            raise QuestionNotJSON
        if content_encoding and content_encoding.strip().lower() != "identity":
            raise QuestionNotJSON
        if content_length and not (content_length.isascii() and content_length.isdecimal()):
            raise NotAQuestion
        # by its digits: a text of thousands is no number that Python reads
        if content_length and (len(content_length) > 9 or int(content_length) > MOST_BYTES):
            raise QuestionTooLarge

    def read(self, body: bytes) -> Question:
        """What is asked, of which nothing is proved yet.

        Raises:
            Refused: It is not a question, or not one of now.
        """
        return read_question(read_body(body), self.issuer, self.clock(), self.leeway)

    def prove(self, question: Question, key: Key) -> Applicant:
        """Whom Access asks about, once.

        Raises:
            Refused: It was not Access that asked, or it has asked before.
        """
        applicant = prove(question, key, self.clock(), self.leeway)
        use_up(self.nonces, question.nonce, question.expires_at + self.leeway)
        return applicant

    def answer(self, question: Question, *, success: bool) -> Response:
        """The signed answer; it may read a file."""
        issued_at = int(self.clock())
        claims = {"success": success, "iat": issued_at, "exp": issued_at + _ANSWER_LASTS, "nonce": question.nonce}
        token = self.signing_keys.current().sign(claims)
        tell(self.listeners, Event(name="evaluation-answered", facts={"success": success}))
        return _response(200, json.dumps({"token": token}, separators=(",", ":")).encode("ascii"))

    def refusal(self, error: Refused) -> Response:
        """The answer to whatever is not answered with a signature."""
        tell(self.listeners, Event(name="evaluation-refused", facts={"code": error.code}))
        # There is nothing to sign in with, which is what 401 asks for (RFC 9110 section 15.5.2).
        status = 403 if error.status == 401 else error.status
        if error.retry_after is None:
            return _response(status, _NO)
        return _response(status, _NO, ("Retry-After", str(max(1, round(error.retry_after)))))


def _response(status: int, body: bytes, *more: tuple[str, str], control: Headers = NO_STORE) -> Response:
    headers = (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *control, *more)
    return Response(status=status, headers=headers, body=body)
