"""Is every advisory that we know of represented by vectors that are run, or said not to apply and why?

``tests/vectors/advisories.json`` is the catalogue: of the verifiers, proxies and frameworks that were looked at
(``advisories``, 2022 to 2026), and of everybody else's that a vector names as its origin (``elsewhere``).
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.hostile import test_keys, test_paths, test_requests, test_tokens
from tests.servers import tables as servers
from tests.vectors import Row, table

VECTORS: Final = Path(__file__).parents[1] / "vectors"
CATALOGUE: Final[dict[str, Any]] = json.loads((VECTORS / "advisories.json").read_text("utf-8"))
ADVISORIES: Final[list[Row]] = CATALOGUE["advisories"]
ELSEWHERE: Final[list[Row]] = CATALOGUE["elsewhere"]

PRODUCTS: Final = {
    "PyJWT", "python-jose", "Authlib", "joserfc", "jose", "Nimbus JOSE + JWT", "aws-jwt-verify", "Envoy",
    "oauth2-proxy", "Spring Security", "Starlette", "Traefik", "Caddy", "Next.js", "hono",
}  # fmt: skip

# What is run here through core and doors; and what ``tests/servers`` sends to every server.
HERE: Final = (
    *test_tokens.TABLES,
    *test_keys.TABLES,
    *test_paths.TABLES,
    *test_requests.TABLES,
    *test_requests.EMAILS,
)
SENT: Final = ("paths/requests", "paths/mounted", "paths/identity")

NUMBER: Final = re.compile(r"CVE-(\d{4})-\d{4,7}|GHSA(?:-[23456789cfghjmpqrvwx]{4}){3}")


def vectors() -> dict[str, Row]:
    """Every row of the tables that are run, by the name under which the catalogue refers to it."""
    return {f"{name}:{row['id']}": row for name in (*HERE, *SENT) for row in table(name)}


def named(row: Row) -> Iterator[str]:
    """The numbers that a row's origin and its explanation name."""
    for text in (row.get("origin", ""), row.get("exploits", "")):
        yield from (match[0] for match in NUMBER.finditer(text))


def test_every_advisory_is_represented_or_excused() -> None:
    for row in ADVISORIES:
        assert row["exploited"].endswith("."), row
        assert ("vectors" in row) != ("outside" in row), row
        assert row.get("vectors", True), row
    assert {row["outside"] for row in ADVISORIES if "outside" in row} == CATALOGUE["outside"].keys()


def test_every_vector_that_is_referred_to_is_run() -> None:
    run = vectors()
    missing = {vector for row in ADVISORIES for vector in row.get("vectors", ()) if vector not in run}
    assert missing == set()


def test_the_tables_of_servers_are_the_ones_that_are_sent() -> None:
    """They have rows there under the same ids."""
    for name in SENT:
        assert [row["id"] for row in servers.rows(name.removeprefix("paths/"))] == [row["id"] for row in table(name)]


def test_every_product_is_there_and_nothing_else() -> None:
    assert {row["product"] for row in ADVISORIES} == PRODUCTS


@pytest.mark.parametrize("rows", [ADVISORIES, ELSEWHERE], ids=["advisories", "elsewhere"])
def test_numbers_are_numbers_and_stand_there_once(rows: list[Row]) -> None:
    counted = Counter(number for row in rows for number in row["numbers"])
    assert [number for number in counted if not NUMBER.fullmatch(number)] == []
    # what several products inherited from the same place
    assert {number for number, times in counted.items() if times > 1} == set()


def test_the_years_are_those_that_were_looked_at() -> None:
    years = {
        int(match[1]) for row in ADVISORIES for match in map(NUMBER.fullmatch, row["numbers"]) if match and match[1]
    }
    assert years == set(range(2022, 2027))


def test_what_is_without_a_number_says_so() -> None:
    unnumbered = [row for row in ADVISORIES if not row["numbers"]]
    assert [row["product"] for row in unnumbered if "no number confirmed" not in row["exploited"]] == []


def test_every_number_that_a_vector_names_is_in_the_catalogue_under_its_product() -> None:
    """A number from memory has no place: each was looked up, and says whose it is."""
    known = {number: row["product"] for row in (*ADVISORIES, *ELSEWHERE) for number in row["numbers"]}
    every = {**vectors(), **{f"honest:{row['id']}": row for row in table("paths/honest")}}
    unknown = {name: number for name, row in every.items() for number in named(row) if number not in known}
    assert unknown == {}
    wrong = {}
    for name, row in every.items():
        for number, product in re.findall(r"(CVE-[\d-]+|GHSA-[\w-]+) \(([^)]+)\)", row.get("origin", "")):
            if not known[number].casefold().endswith(product.casefold()):
                wrong[name] = (number, product)
    assert wrong == {}


def test_nothing_is_kept_elsewhere_that_no_vector_names() -> None:
    used = {number for row in vectors().values() for number in named(row)}
    assert {number for row in ELSEWHERE for number in row["numbers"]} - used == set()


def test_every_row_says_what_it_exploits_and_where_it_comes_from() -> None:
    told = {
        name for name, row in vectors().items() if not (row.get("origin") and (row.get("exploits") or row.get("why")))
    }
    assert told == set()
