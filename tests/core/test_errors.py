"""Is the tree of errors what its manual says, and does no error tell what must not be told?"""

import copy
import inspect
import pickle
import re
import traceback
from collections.abc import Iterator

import pytest

from cfaccess_mw.core import errors
from cfaccess_mw.core.claims import (
    check_type,
    read_audience,
    read_email,
    read_expiry,
    read_issuer,
    read_lifetime,
    read_principal,
    read_text,
)
from cfaccess_mw.core.encoding import decode_json_object
from cfaccess_mw.core.errors import (
    AccessError,
    ConfigurationError,
    FetchError,
    InvalidToken,
    KeySetError,
    Refused,
    Unauthenticated,
    Unavailable,
)
from cfaccess_mw.core.keys import KeySnapshot
from cfaccess_mw.core.token import parts_of, read_key_id
from cfaccess_mw.core.verifier import Verifier
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import base64url
from tests.tokens import AUD, ISSUER, NOW, Held, good, verify

SECRET = "sup3rs3cr3t"

EVERY = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, AccessError)]
REFUSALS = [kind for kind in EVERY if issubclass(kind, Refused)]


def drawn() -> set[tuple[str, str]]:
    """The pairs of class and parent that the module's docstring draws."""
    pairs = set()
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([ │├└─]+)([A-Z]\w+(?:, [A-Z]\w+)*)(?:  .*)?$", line)
        if match is None:
            continue
        depth, names = len(match[1]), match[2].split(", ")
        while above and above[-1][0] >= depth:
            above.pop()
        if above:
            pairs |= {(name, above[-1][1]) for name in names}
        above.append((depth, names[-1]))
    return pairs


def test_the_tree_that_is_drawn_is_the_tree_that_is() -> None:
    assert drawn() == {(kind.__name__, kind.__bases__[0].__name__) for kind in EVERY if kind is not AccessError}
    assert AccessError.__bases__ == (Exception,)
    assert issubclass(ConfigurationError, ValueError)


def test_every_class_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in EVERY]
    assert len(set(codes)) == len(codes) == len(EVERY) > 30
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code)] == []
    assert [kind for kind in EVERY if "code" not in vars(kind)] == []


# Codes are an interface: logs are searched for them, and alarms are set on them.
CODES = {
    "AccessError": ("access-error", None),
    "ConfigurationError": ("configuration", None),
    "KeySetError": ("no-usable-key", None),
    "FetchError": ("fetch-failed", None),
    "Refused": ("refused", 401),
    "Unauthenticated": ("unauthenticated", 401),
    "NoToken": ("no-token", 401),
    "InvalidToken": ("invalid-token", 401),
    "DuplicateToken": ("duplicate-token", 401),
    "TooManyTokens": ("too-many-tokens", 401),
    "OversizedToken": ("oversized-token", 401),
    "MalformedToken": ("malformed-token", 401),
    "BadEncoding": ("bad-encoding", 401),
    "BadHeader": ("bad-header", 401),
    "ForbiddenHeader": ("forbidden-header", 401),
    "AlgorithmNotAllowed": ("algorithm-not-allowed", 401),
    "BadKeyId": ("bad-key-id", 401),
    "BadPayload": ("bad-payload", 401),
    "MissingClaim": ("missing-claim", 401),
    "InvalidClaim": ("invalid-claim", 401),
    "WrongIssuer": ("wrong-issuer", 401),
    "WrongAudience": ("wrong-audience", 401),
    "WrongTokenType": ("wrong-token-type", 401),
    "Expired": ("expired", 401),
    "NotYetValid": ("not-yet-valid", 401),
    "TooOld": ("too-old", 401),
    "SessionEnded": ("session-ended", 401),
    "SessionRevoked": ("session-revoked", 401),
    "UnknownKey": ("unknown-key", 401),
    "BadSignature": ("bad-signature", 401),
    "UnknownPrincipal": ("unknown-principal", 401),
    "NotPermitted": ("not-permitted", 403),
    "Ambiguous": ("ambiguous", 400),
    "AmbiguousPath": ("ambiguous-path", 400),
    "AmbiguousHost": ("ambiguous-host", 400),
    "Unavailable": ("unavailable", 503),
    "IdentityUnavailable": ("identity-unavailable", 503),
    "RevocationsUnavailable": ("revocations-unavailable", 503),
    "KeysUnavailable": ("keys-unavailable", 503),
}


def test_codes_and_statuses_are_kept() -> None:
    assert {kind.__name__: (kind.code, getattr(kind, "status", None)) for kind in EVERY} == CODES


# Short, and shown to people: pages, and the reasons with which sockets are closed.
TITLES = {
    "Refused": "Refused",
    "Unauthenticated": "Not signed in",
    "InvalidToken": "Assertion not accepted",
    "Expired": "Session expired",
    "TooOld": "Session expired",
    "SessionEnded": "Session ended",
    "SessionRevoked": "Session ended",
    "NotPermitted": "Not permitted",
    "Ambiguous": "Ambiguous request",
    "Unavailable": "Temporarily unavailable",
}


def test_titles_are_kept() -> None:
    assert {kind.__name__: kind.title for kind in REFUSALS if "title" in vars(kind)} == TITLES


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.code)
def test_a_refusal_says_only_what_is_the_same_for_everyone(kind: type[Refused]) -> None:
    refusal = kind()
    assert str(refusal) == refusal.code
    assert refusal.args == ()
    assert refusal.retry_after is None
    assert refusal.detail.endswith(".")
    assert refusal.title
    assert issubclass(kind, Unauthenticated) is (refusal.status == 401) or kind is Refused


@pytest.mark.parametrize("kind", [kind for kind in REFUSALS if kind.status == 503], ids=lambda kind: kind.code)
def test_what_cannot_be_known_may_say_when_to_come_back(kind: type[Unavailable]) -> None:
    assert kind(retry_after=2.5).retry_after == 2.5


@pytest.mark.parametrize(
    "error",
    [
        *(kind() for kind in REFUSALS),
        *(kind(retry_after=7) for kind in REFUSALS if issubclass(kind, Unavailable)),
        FetchError("http-500", retry_after=7),
        KeySetError("none"),
        ConfigurationError("team: is missing"),
    ],
    ids=lambda error: error.code,
)
def test_an_error_survives_being_copied_and_sent_to_another_process(error: AccessError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert (str(other), vars(other)) == (str(error), vars(error))


def test_a_failed_fetch_says_why_and_when_to_come_back() -> None:
    error = FetchError("http-503", retry_after=30)
    assert (str(error), error.reason, error.retry_after) == ("http-503", "http-503", 30)
    assert FetchError("timeout").retry_after is None


def spoiled(issuer: Issuer) -> Iterator[str]:
    """Tokens that hold a secret and fail at every step."""
    good = {"iss": ISSUER, "aud": [AUD], "exp": NOW + 60, "iat": NOW, "type": "app", "email": "a@b.c", "sub": "x"}
    yield SECRET
    yield f"{SECRET}é.a.b"
    yield f"{SECRET}=.a.b"
    yield f"a.b.{SECRET}!"
    yield SECRET * 2_000
    for junk in (
        f"{SECRET}",
        f'{{"{SECRET}":',
        f'{{"{SECRET}":NaN}}',
        f'{{"{SECRET}":1,"{SECRET}":2}}',
        f'["{SECRET}"]',
    ):
        yield issuer.sign(junk.encode(), {})
        yield issuer.sign(None, junk.encode())
    yield issuer.sign(None, SECRET.encode() + b"\xff")
    yield issuer.sign(None, f'{{"{SECRET}":'.encode() + b"[" * 5_000 + b"]" * 5_000 + b"}")
    yield issuer.sign(None, f'{{"{SECRET}":{"9" * 5_000}}}'.encode())
    yield issuer.sign(SECRET.encode() + b"\xff", {})
    for field in ("alg", "typ", "kid", "jku"):
        yield issuer.sign({**issuer.header(), field: SECRET + "\n"}, {})
    for claim in ("iss", "aud", "exp", "iat", "nbf", "type"):
        yield issuer.sign(None, {**good, claim: SECRET})
    for claim in ("email", "sub", "common_name", "country", "identity_nonce"):
        yield issuer.sign(None, {**good, claim: SECRET + "\n"})
    yield issuer.sign(None, {**good, "email": SECRET})
    yield issuer.sign(None, {**good, "email": None, "sub": SECRET})
    yield issuer.sign(None, {**good, "custom": {SECRET: SECRET}}, signature=SECRET.encode())
    yield issuer.sign(issuer.header(kid=SECRET), {**good, "custom": SECRET})


def told_by(error: BaseException | None) -> Iterator[str]:
    """Everything that a logger of exceptions would find on one, its causes included."""
    while error is not None:
        yield from (str(error), repr(error), repr(error.args), repr(vars(error)), type(error).__name__)
        for name in ("object", "doc", "msg", "reason"):  # where UnicodeDecodeError and JSONDecodeError keep the text
            yield repr(getattr(error, name, None))
        yield "".join(traceback.format_exception_only(error))
        error = error.__cause__ or error.__context__


def test_no_refusal_carries_anything_of_the_token(issuer: Issuer, snapshot: KeySnapshot) -> None:
    needles = {SECRET, base64url(SECRET.encode())[:-1], "a@b.c", ISSUER}
    codes = set()
    for forged in spoiled(issuer):
        with pytest.raises(InvalidToken) as refused:
            verify(forged, snapshot)
        codes.add(refused.value.code)
        told = "\n".join(told_by(refused.value))
        assert not [needle for needle in needles if needle in told], (refused.value.code, told)
        assert pickle.loads(pickle.dumps(refused.value)).code == refused.value.code
    assert len(codes) >= 12


def by_hand(token: str) -> None:
    """What a verification makes of a token, by the functions that raise, as whoever has no request calls them."""
    parts = parts_of(token)
    read_key_id(parts.header)
    claims = decode_json_object(parts.decoded_payload())
    read_issuer(claims)
    read_audience(claims, (frozenset({AUD}),))
    read_expiry(claims, NOW, 30)
    check_type(claims)
    read_lifetime(claims, NOW, 30, None)
    principal = read_email(claims), read_text(claims, "sub"), read_text(claims, "common_name")
    read_text(claims, "country"), read_text(claims, "identity_nonce")
    read_principal(*principal, certificates=False)


def test_no_error_that_is_raised_carries_anything_of_the_token(issuer: Issuer) -> None:
    needles = {SECRET, base64url(SECRET.encode())[:-1], "a@b.c", ISSUER}
    told, kinds = "", set()
    for forged in spoiled(issuer):
        try:
            by_hand(forged)
        except (InvalidToken, ValueError) as error:
            told += "\n".join(told_by(error))
            kinds.add(type(error).__name__)
    assert not [needle for needle in needles if needle in told], told
    assert len(kinds) >= 12


def test_nothing_on_the_way_shows_the_token_in_its_repr(issuer: Issuer, snapshot: KeySnapshot) -> None:
    signed = issuer.user(f"{SECRET}@example.com", audience=AUD, sub=SECRET, custom={SECRET: SECRET})
    verifier = Verifier({ISSUER: Held(snapshot)}, leeway=30, max_age=None, certificates=False)
    candidate = good(verifier.read(signed, (frozenset({AUD}),), NOW))
    identity, *times = good(verifier.prove(candidate, snapshot.keys[candidate.kid], NOW))
    shown = f"{candidate!r} {identity!r} {identity} {times} {verifier!r} {vars(verifier)!r} {snapshot!r}"
    assert not [part for part in (SECRET, *signed.split(".")) if part in shown]
