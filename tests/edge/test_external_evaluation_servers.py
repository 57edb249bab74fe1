"""Does a real endpoint agree with whoever plays Access: the emulator, node with WebCrypto and jose, PyJWT?"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import jwt
import pytest

from cfaccess_mw.edge.external_evaluation import create_key_file, rotate_key_file
from cfaccess_mw.emulator.evaluation_urls import EvaluationURLs
from cfaccess_mw.emulator.external_evaluation import Evaluated, ExternalEvaluator
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.emulator.server import Emulator
from tests.eventually import eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "external-evaluation"
SCRIPT = Path(__file__).with_name("access.mjs")
ADMIN = {"email": "alice@example.com", "groups": ["admins"]}
NOBODY = {"email": "nobody@example.com", "groups": []}
SERVERS: dict[str, Callable[[int], list[str]]] = {
    "uvicorn": lambda port: ["uvicorn", "app:app", "--port", str(port)],
    "gunicorn": lambda port: ["gunicorn", "app:wsgi", "--workers", "2", "--bind", f"127.0.0.1:{port}"],
}


@contextmanager
def serving(command: Callable[[int], list[str]], told: dict[str, str], log: Path) -> Iterator[str]:
    """Run the example until the block ends; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = int(bound.getsockname()[1])
    program, *arguments = command(port)
    if program == "gunicorn":
        arguments.append("--no-control-socket")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CFACCESS_", "PYTHON"))}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / program), *arguments],
            cwd=EXAMPLE,
            env={**environment, **told, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        assert _answers(process, url), log.read_text(errors="replace")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(process: "subprocess.Popen[bytes]", url: str) -> bool:
    def status() -> int:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{url}/keys", trust_env=False).status_code
        return 0

    return eventually(status, unless=lambda: process.poll() is not None) == 200


@pytest.fixture(scope="module")
def live() -> Issuer:
    """A team that signs now."""
    return Issuer("acme")


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    create_key_file(path)
    return path


@pytest.fixture(scope="module", params=list(SERVERS))
def endpoint(
    request: pytest.FixtureRequest, live: Issuer, key_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The example, whose team is an emulator."""
    log = tmp_path_factory.mktemp("log") / "log"
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(upstream="http://127.0.0.1:9", issuer=live))
        told = {"CFACCESS_TEAM": live.team, "CFACCESS_TEAM_URL": emulator.url, "EVALUATION_KEYS": str(key_file)}
        yield stack.enter_context(serving(SERVERS[request.param], told, log))


def evaluator_of(live: Issuer, endpoint: str) -> ExternalEvaluator:
    urls = EvaluationURLs(evaluate_url=f"{endpoint}/", keys_url=f"{endpoint}/keys/")
    return ExternalEvaluator(live, urls)


def ask(live: Issuer, endpoint: str, identity: dict[str, Any]) -> Evaluated:
    return anyio.run(evaluator_of(live, endpoint).ask, identity)


def test_the_emulator_calls_the_example(live: Issuer, endpoint: str) -> None:
    """Several times: of two processes now one, now the other is asked, and shows the keys."""
    for _ in range(4):
        assert ask(live, endpoint, ADMIN) == Evaluated(success=True)
        assert ask(live, endpoint, NOBODY) == Evaluated(success=False, reason="not-successful")


def test_a_new_key_is_shown_by_every_process_at_once(live: Issuer, endpoint: str, key_file: Path) -> None:
    kid = rotate_key_file(key_file)
    for _ in range(6):
        document = httpx.get(f"{endpoint}/keys/", trust_env=False).json()
        assert kid in [key["kid"] for key in document["keys"]]
    assert ask(live, endpoint, ADMIN).success


def test_pyjwt_believes_the_answer(live: Issuer, endpoint: str) -> None:
    evaluator = evaluator_of(live, endpoint)
    answer = httpx.post(endpoint, json={"token": evaluator.question(ADMIN, nonce="pyjwt")}, trust_env=False).json()
    key = jwt.PyJWKClient(f"{endpoint}/keys").get_signing_key_from_jwt(answer["token"])
    claims = jwt.decode(answer["token"], key, algorithms=["RS256"], options={"require": ["exp", "iat"]})
    assert (claims["success"], claims["nonce"], claims["exp"] - claims["iat"]) == (True, "pyjwt", 60)


def test_a_slow_or_broken_request_is_the_servers_affair(endpoint: str) -> None:
    """What reaches us over a socket that a client of HTTP would not send."""
    host, port = endpoint.removeprefix("http://").split(":")
    end, chunked = b"Host: x\r\nConnection: close\r\n\r\n", b"Transfer-Encoding: chunked\r\n"
    requests = {
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n" + end + b"{}": None,  # ends early
        b"POST / HTTP/1.1\r\nContent-Length: 999999\r\n" + end: b"413",
        b"POST / HTTP/1.1\r\n" + end: b"400",
        b"POST / HTTP/1.1\r\n" + chunked + end + b"2\r\n{}\r\n0\r\n\r\n": b"400",
        b"POST / HTTP/1.1\r\n" + chunked + end + b"zz\r\n": b"400",
        b"GET /keys/?x=1 HTTP/1.1\r\n" + end: b"200",
    }
    for request, status in requests.items():
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(request)
            if status is None:
                connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert b"Traceback" not in answer
        assert status is None or answer.split(b" ")[1] == status, request


# --- node -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the script."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(SCRIPT, folder)
    return folder


@pytest.fixture(scope="module")
def jose(node: Path) -> Path:
    """The same folder with jose: one that was prepared, else one of this run's own."""
    if prepared := os.environ.get("NODE_VERIFIERS"):
        (node / "node_modules").symlink_to(Path(prepared) / "node_modules", target_is_directory=True)
        return node
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(node), "jose@6"]
    try:
        done = subprocess.run(command, cwd=node, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install jose within a minute")
    if done.returncode:
        pytest.skip(f"npm cannot install jose: {done.stderr.strip()[-200:]}")
    return node


def through_node(folder: Path, live: Issuer, endpoint: str, name: str) -> dict[str, Any]:
    evaluator = evaluator_of(live, endpoint)

    def question(number: int, identity: dict[str, Any] = ADMIN, **claims: object) -> tuple[str, str]:
        nonce = f"{name} {number}"
        return evaluator.question(identity, nonce=nonce, **claims), nonce

    replayed = question(1)
    questions = {
        "admin": question(2),
        "nobody": question(3, NOBODY),
        "another nonce": (question(4)[0], "another"),
        "undocumented claims": question(5, iss=live.iss, aud=["x"], iat=1),
        "expired": question(6, exp=1),
        "once": replayed,
        "twice": replayed,
    }
    told = {"evaluate": endpoint, "keys": f"{endpoint}/keys/", "questions": questions}
    done = subprocess.run(
        ["node", SCRIPT.name],
        cwd=folder,
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


BELIEVED = {
    "admin": "yes",
    "nobody": "no",
    "another nonce": "another nonce",
    "undocumented claims": "yes",
    "expired": 403,
    "once": "yes",
    "twice": 403,
}


@pytest.mark.parametrize("endpoint", ["uvicorn"], indirect=True)
def test_webcrypto_believes_what_access_would(node: Path, live: Issuer, endpoint: str) -> None:
    found = through_node(node, live, endpoint, "webcrypto")
    assert {name: by["webcrypto"] for name, by in found.items()} == BELIEVED


@pytest.mark.parametrize("endpoint", ["uvicorn"], indirect=True)
def test_jose_believes_what_access_would(jose: Path, live: Issuer, endpoint: str) -> None:
    found = through_node(jose, live, endpoint, "jose")
    assert {name: by["jose"] for name, by in found.items()} == BELIEVED
