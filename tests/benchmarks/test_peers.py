"""Do the others do what they are measured for: let good tokens in, and no other?"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from benchmarks.certs import serving
from benchmarks.options import Options
from benchmarks.peers import authlib, flask_cfaccess, joserfc, node, pyjwt, raw
from benchmarks.processes import probed
from benchmarks.remote import Unavailable
from benchmarks.subject import Subject
from benchmarks.traffic import headers_of

VERIFIERS: dict[str, Callable[[Subject, str], Callable[[str], object]]] = {
    "joserfc": lambda subject, url: joserfc.verifier(subject),
    "authlib": lambda subject, url: authlib.verifier(subject),
    "pyjwt": lambda subject, url: pyjwt.with_key(subject),
    "pyjwkclient": pyjwt.with_client,
}


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject()


@pytest.mark.parametrize("name", VERIFIERS)
def test_a_good_token_is_let_in_and_others_are_not(name: str, subject: Subject) -> None:
    with serving(subject) as certs:
        verify = VERIFIERS[name](subject, certs.url)
        verify(subject.token)
        for wrong in ("wrong issuer", "wrong audience", "expired", "unknown kid"):
            with pytest.raises(Exception):  # noqa: B017, PT011 - each package has its own
                verify(subject.forged[wrong].decode())


def test_the_floor_verifies_signatures_and_nothing_else(subject: Subject) -> None:
    verify = raw.whole(subject)
    assert verify(subject.token) == raw.read(subject.token.encode())
    verify(subject.forged["expired"].decode())
    with pytest.raises(InvalidSignature):
        verify(subject.forged["unknown kid"].decode())


def test_the_certs_endpoint_counts(subject: Subject) -> None:
    with serving(subject) as certs:
        assert certs.fetches == 0
        pyjwt.with_client(subject, certs.url)(subject.token)
        assert certs.fetches == 1


@pytest.mark.parametrize("who", ["node", "flask-cfaccess"])
def test_what_cannot_be_installed_is_left_out_with_the_reason(
    who: str, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(cache=tmp_path / "no-folder")
    contending = {
        "node": lambda: node.contending(subject, "", options),
        "flask-cfaccess": lambda: flask_cfaccess.contending(subject, "", "/", options),
    }
    monkeypatch.setenv("PATH", str(tmp_path))
    options.cache.write_text("not a folder", encoding="utf-8")
    with pytest.raises(Unavailable), contending[who]():
        pass


def test_the_stall_of_a_loop_is_seen_in_a_fresh_process(subject: Subject) -> None:
    asked = json.dumps({"audience": subject.audience, "headers": headers_of(subject, subject.token)})
    with serving(subject) as certs:
        found, _ = probed("stall", "ours", certs.url, given=asked)
        assert certs.fetches == 1
    assert set(found) == {"alone", "stall"}


def test_a_probe_that_fails_says_so() -> None:
    with pytest.raises(RuntimeError, match="the probe imports failed"):
        probed("imports", "json", "no_such_module")


def test_an_import_says_what_came(tmp_path: Path) -> None:
    found, account = probed("imports", "json", "wave", flags=("-X", "importtime"), compiled=tmp_path)
    assert "wave" in found["modules"]
    assert "json" not in found["modules"]
    assert "wave" in account
    assert list(tmp_path.rglob("wave.*.pyc"))


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")
def test_a_worker_on_node_without_its_packages_says_so(subject: Subject, tmp_path: Path) -> None:
    (tmp_path / "node" / "node_modules" / "aws-jwt-verify").mkdir(parents=True)  # it looks installed
    with (
        pytest.raises(Unavailable, match="Cannot find"),
        node.contending(subject, "http://127.0.0.1:9/", Options(cache=tmp_path)),
    ):
        pass
