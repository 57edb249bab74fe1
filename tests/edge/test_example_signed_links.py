"""Does the example do what its first lines say, behind a real server?"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from tests.processes import free_port, listens
from tests.tokens import AUD

FOLDER = Path(__file__).parents[2] / "examples" / "signed-links"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """A team that signs now."""
    return Issuer("acme")


@pytest.fixture(scope="module")
def example(issuer: Issuer) -> Iterator[httpx.Client]:
    """A client of the example."""
    port = free_port()
    with Emulator(upstream="http://127.0.0.1:9", issuer=issuer) as emulator:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("CFACCESS_")}
        variables |= {
            "CFACCESS_TEAM": "acme",
            "CFACCESS_AUDIENCE": AUD,
            "CFACCESS_TEAM_URL": emulator.url,
            "LINK_SECRET": f"{'0123456789abcdef' * 2},{'fedcba9876543210' * 2}",
        }
        command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "warning"]
        process = subprocess.Popen(command, cwd=FOLDER, env=variables)
        try:
            listens(process, port)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                yield client
        finally:
            process.terminate()
            process.wait(20)


def test_whoever_is_signed_in_makes_links_for_others(example: httpx.Client, issuer: Issuer) -> None:
    alice = {"Cf-Access-Jwt-Assertion": issuer.user("alice@example.com", audience=AUD)}
    assert example.post("/links/reports/q3.pdf").status_code == 401
    link = example.post("/links/reports/q3.pdf", headers=alice).json()["link"]
    assert example.get(link).text == "q3.pdf, for the holder of a link\n"
    assert example.get("/reports/q3.pdf", headers=alice).text == "q3.pdf, for alice@example.com\n"
    assert example.get("/reports/q3.pdf").json()["code"] == "link-missing"
    assert example.get(link.replace("q3", "q4")).json()["code"] == "link-forged"
    assert example.post(link).json()["code"] == "link-missing"
