"""Does a hostile key in the team's document let anybody in, or keep anybody out?"""

from pathlib import Path

import pytest

from cfaccess_mw import ConfigurationError
from cfaccess_mw.core.token import parts_of
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.signing_key import SigningKey
from tests.core.test_keys import document, hostile
from tests.hostile.asking import INTERFACES, Asked, Doors, options_of
from tests.tokens import AUD
from tests.vectors import table

TABLES = ("keys/hostile",)

ASSERTION = "Cf-Access-Jwt-Assertion"


def test_a_hostile_key_beside_ours_changes_nothing(team: Issuer, stranger: SigningKey, tmp_path: Path) -> None:
    """Its own tokens are of an unknown key, and ours are good: for each of them on its own, through both doors."""
    where = tmp_path / "keys.json"
    good = _entry(team)
    ours = Asked(headers=((ASSERTION, team.user("alice@example.com", audience=AUD)),))
    header = team.header(stranger, kid="hostile")
    theirs = Asked(headers=((ASSERTION, team.sign(header, _claims(team), stranger)),))
    found = {}
    for row in table("keys/hostile"):
        bad = hostile(row, {**stranger.jwk(), "kid": "hostile"})
        where.write_bytes(document(bad, good))
        doors = Doors(options_of("plain", str(where)))
        found[row["id"]] = {doors.ask(interface, asked).outcome for interface in INTERFACES for asked in (ours, theirs)}
        doors.close()
    assert found == {row["id"]: {"alice@example.com", "unknown-key"} for row in table("keys/hostile")}


def test_nothing_but_hostile_keys_is_a_mistake_at_start(team: Issuer, stranger: SigningKey, tmp_path: Path) -> None:
    where = tmp_path / "keys.json"
    jwk = {**stranger.jwk(), "kid": "hostile"}
    where.write_bytes(document(*(hostile(row, jwk) for row in table("keys/hostile"))))
    with pytest.raises(ConfigurationError, match="keys"):
        Doors(options_of("plain", str(where)))


def _entry(team: Issuer) -> bytes:
    return hostile({}, team.current.jwk())


def _claims(team: Issuer) -> bytes:
    return parts_of(team.user("mallory@example.com", audience=AUD)).decoded_payload()
