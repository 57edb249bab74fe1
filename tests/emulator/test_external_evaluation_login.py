"""Is somebody who signs in to the emulator asked about at the application's External Evaluation endpoint?"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.edge.external_evaluation import Applicant, ExternalEvaluation
from cfaccess_mw.emulator.applications import Application
from cfaccess_mw.emulator.evaluation_urls import EvaluationURLs
from cfaccess_mw.emulator.file import read_file
from cfaccess_mw.emulator.server import Emulator
from tests.emulator.conftest import Connect, Emulate
from tests.emulator.visiting import LOGIN, sign_in


def may_in(applicant: Applicant) -> bool:
    return applicant.email == "alice@example.com" and applicant.document["geo"] == {"country": "US"}


@pytest.fixture(scope="module")
def evaluated(share: Emulate) -> Iterator[Emulator]:
    """An edge whose application lets in whom a real endpoint lets in; the endpoint has its keys from that very edge."""
    bound = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    urls = EvaluationURLs(evaluate_url=f"{url}/", keys_url=f"{url}/keys/")
    emulator = share(applications=[Application(external_evaluation=urls)])
    evaluation = ExternalEvaluation(may_in, team="acme", team_url=emulator.url)
    server = uvicorn.Server(uvicorn.Config(evaluation.asgi, log_config=None))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
    thread.start()
    yield emulator
    server.should_exit = True
    thread.join()
    evaluation.close()


def test_whoever_is_let_in_gets_there(evaluated: Emulator, connect: Connect) -> None:
    assert sign_in(connect(evaluated)).status_code == 302


def test_whoever_is_not_is_told_and_has_no_session(evaluated: Emulator, connect: Connect) -> None:
    browser = connect(evaluated, headers={"Accept": "application/json"})
    answer = browser.post(LOGIN, data={"email": "bob@example.com"})
    assert answer.status_code == 403
    assert answer.json()["reasons"] == ["external-evaluation-not-successful"]
    assert not browser.cookies


def test_nobody_gets_in_where_nobody_answers(emulate: Emulate, connect: Connect) -> None:
    urls = EvaluationURLs(evaluate_url="http://127.0.0.1:9/", keys_url="http://127.0.0.1:9/keys/")
    browser = connect(emulate(applications=[Application(external_evaluation=urls)]))
    answer = browser.post(LOGIN, data={"email": "alice@example.com"}, headers={"Accept": "application/json"})
    assert answer.json()["reasons"] == ["external-evaluation-unreachable"]


def test_the_file_names_the_endpoint(tmp_path: Path) -> None:
    written = tmp_path / "team.toml"
    written.write_text(
        "[[applications]]\n"
        'external_evaluation = { evaluate_url = "https://x.example/", keys_url = "https://x.example/keys" }'
    )
    [application] = read_file(written)["applications"]
    assert application.external_evaluation.keys_url == "https://x.example/keys"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param('"https://x.example/"', "is text of 18 characters; write {", id="text"),
        pytest.param('{ evaluate_url = "https://x.example/" }', "write {", id="one missing"),
        pytest.param(
            '{ evaluate_url = "http://x.example/", keys_url = "https://x.example/" }', "evaluate_url: ", id="http"
        ),
        pytest.param('{ evaluate_url = 7, keys_url = "https://x.example/" }', "evaluate_url: ", id="number"),
    ],
)
def test_mistakes_in_the_file(tmp_path: Path, value: str, problem: str) -> None:
    written = tmp_path / "team.toml"
    written.write_text(f"[[applications]]\nexternal_evaluation = {value}")
    with pytest.raises(ConfigurationError, match="external_evaluation") as mistake:
        read_file(written)
    assert problem in str(mistake.value)
