"""What does this token say of itself? The command ``decode``, which verifies nothing."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from cfaccess_mw.cli.bearer import refusal_code
from cfaccess_mw.cli.documents import read_token, warn_of_history
from cfaccess_mw.cli.mends import mend_of
from cfaccess_mw.cli.mistakes import NotSo, told_as_mistakes
from cfaccess_mw.cli.options import examples, json_option
from cfaccess_mw.cli.rendering import as_json_text, columns, shown
from cfaccess_mw.cli.times import from_now, in_utc
from cfaccess_mw.core.claims import check_type, read_expiry, read_lifetime
from cfaccess_mw.core.encoding import decode_base64url, decode_json_object
from cfaccess_mw.core.errors import BadEncoding, BadHeader, BadPayload, InvalidToken
from cfaccess_mw.core.token import Parts, parts_of, read_key_id

_LOUD: Final = "NOT VERIFIED: anybody can write a token like this one; `cfaccess verify` says whether it is good."
_TIMES: Final = ("iat", "nbf", "exp")
_LATEST: Final = 253402300799  # 9999-12-31T23:59:59Z


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A token that nobody verified.

    Attributes:
        header: What its header says.
        claims: What its payload says.
        problems: The codes of what no configuration would accept about it, its signature and whom it is for aside.
    """

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    problems: tuple[str, ...]


@click.command(short_help="Show what a token says; NOTHING is verified.", epilog=examples("pbpaste | cfaccess decode"))
@click.argument("token", required=False, metavar="[TOKEN|-]")
@json_option
def decode(*, token: str | None, as_json: bool) -> None:
    """Show what a token says of itself; NOTHING of it is verified.

    The token comes from standard input unless it is given. Exits with 1 if it is no token.
    """
    warn_of_history(token)
    with told_as_mistakes():
        text = read_token(token)
    now = time.time()
    try:
        decoded = decode_token(text, now)
        refusal = None
    except InvalidToken as error:
        refusal = error
    if refusal is not None:
        raise NotSo(f"token: is none ({refusal.code}); {mend_of(refusal.code)}")
    click.echo(as_json_text(_as_data(decoded, now)) if as_json else "\n".join(_lines(decoded, now)))
    if not as_json:
        sys.stdout.flush()
        click.secho(_LOUD, err=True, bold=True)


def decode_token(token: str, now: float) -> Decoded:
    """Take a token apart.

    Args:
        token: The assertion.
        now: Seconds since the epoch.

    Raises:
        InvalidToken: It has another form than a signed token.
    """
    parts = parts_of(token)
    header, claims = _object(_header(parts), BadHeader), _object(parts.decoded_payload(), BadPayload)
    checks: tuple[Callable[[], object], ...] = (
        lambda: read_key_id(parts.header),
        lambda: check_type(claims),
        lambda: read_expiry(claims, now, 0),
        lambda: read_lifetime(claims, now, 0, None),
    )
    problems = dict.fromkeys(code for check in checks if (code := refusal_code(check)))
    return Decoded(header=header, claims=claims, problems=tuple(problems))


def _header(parts: Parts) -> bytes:
    try:
        return decode_base64url(parts.header)
    except ValueError:
        raise BadEncoding from None


def _object(text: bytes, refusal: type[InvalidToken]) -> dict[str, Any]:
    try:
        return decode_json_object(text)
    except ValueError:
        raise refusal from None


def _as_data(decoded: Decoded, now: float) -> dict[str, Any]:
    times = {name: at for name in _TIMES if (at := _time(decoded.claims.get(name))) is not None}
    return {
        "verified": False,
        "header": decoded.header,
        "claims": decoded.claims,
        "times": {name: {"utc": in_utc(at), "from_now": from_now(at, now)} for name, at in times.items()},
        "problems": list(decoded.problems),
    }


def _lines(decoded: Decoded, now: float) -> Iterator[str]:
    yield "header, not verified"
    yield from (f"  {line}" for line in columns([(shown(name), _value(it)) for name, it in decoded.header.items()]))
    yield "claims, not verified"
    rows = [(shown(name), _claim(name, value, now)) for name, value in decoded.claims.items()]
    yield from (f"  {line}" for line in columns(rows))
    for code in decoded.problems:
        yield f"would be refused: {code}; {mend_of(code)}"


def _claim(name: str, value: Any, now: float) -> str:
    at = _time(value) if name in _TIMES else None
    return _value(value) if at is None else f"{_value(value)}  {in_utc(at)}, {from_now(at, now)}"


def _time(value: Any) -> float | None:
    """A number that a calendar can show; a claim may be anything."""
    return value if type(value) in (int, float) and 0 <= value <= _LATEST else None


def _value(value: Any) -> str:
    return shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
