"""Are our keys read strictly, kept from others, shown before they sign and after, and replaced while we run?"""

import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.keys import parse_jwks
from cfaccess_mw.edge.signing_key import SigningKey
from cfaccess_mw.edge.signing_key_file import create_key_file, read_key_file, rotate_key_file
from cfaccess_mw.edge.signing_key_reading import read_signing_keys
from cfaccess_mw.edge.signing_key_ring import SigningKeyRing
from cfaccess_mw.edge.signing_key_set import SigningKeySet
from tests.edge.evaluating import Clock, Heard
from tests.tokens import NOW

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture(scope="module")
def weak() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


@pytest.fixture(scope="module")
def three(key: SigningKey) -> tuple[SigningKey, SigningKey, SigningKey]:
    """Three keys that begin to sign at 0, 100 and 200."""
    others = (SigningKey.generate(signs_from=100), SigningKey.generate(signs_from=200))
    return (SigningKey.of(key.private_key, signs_from=0), *others)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "evaluation.json"


def pem(private_key: Any, *, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return bytes(private_key.private_bytes(Encoding.PEM, form, encryption))


def store(path: Path, *keys: SigningKey, mode: int = 0o600) -> None:
    """What an operator would do: a new file in place of the old."""
    beside = path.with_suffix(".new")
    beside.write_bytes(json.dumps({"keys": [one.private_jwk() for one in keys]}).encode())
    beside.chmod(mode)
    beside.replace(path)


# --- one key ----------------------------------------------------------------------------------------------------------


def test_a_key_is_published_so_that_our_own_parser_and_others_take_it(key: SigningKey) -> None:
    document = json.dumps({"keys": [key.jwk()]})
    [parsed] = parse_jwks(document.encode()).keys.values()
    assert parsed.kid == key.kid
    claims = {"success": True, "nonce": "x"}
    assert jwt.decode(key.sign(claims), jwt.PyJWKSet.from_json(document)[key.kid], algorithms=["RS256"]) == claims


def test_a_key_keeps_its_id_and_shows_nothing_else(key: SigningKey) -> None:
    assert SigningKey.of(key.private_key).kid == key.kid
    assert len(key.kid) == 64
    assert repr(key) == f"SigningKey(kid='{key.kid}', signs_from=0.0)"
    assert {"d", "p", "q", "dp", "dq", "qi"}.isdisjoint(key.jwk())


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda key: pem(key.private_key), id="PKCS 8"),
        pytest.param(lambda key: pem(key.private_key, form=PrivateFormat.TraditionalOpenSSL), id="PKCS 1"),
        pytest.param(lambda key: b"\n" + pem(key.private_key) + b"\n\n", id="PEM with white space"),
        pytest.param(lambda key: json.dumps(key.private_jwk()).encode(), id="JWK"),
        pytest.param(lambda key: json.dumps({"keys": [key.private_jwk()]}, indent=1).encode(), id="JWK set"),
        pytest.param(
            lambda key: json.dumps({**key.private_jwk(), "key_ops": ["sign", "verify"], "ext": True}).encode(),
            id="JWK of WebCrypto",
        ),
        pytest.param(
            lambda key: json.dumps({**key.private_jwk(), "kid": None}).encode(),
            id="JWK without an id",
        ),
    ],
)  # fmt: skip
def test_a_key_is_read(key: SigningKey, write: Callable[[SigningKey], bytes]) -> None:
    [read] = read_signing_keys(write(key))
    assert (read.kid, read.signs_from) == (key.kid, 0)
    assert read.sign({"a": 1}) == key.sign({"a": 1})


def test_pyjwt_s_jwk_of_a_key_is_the_same_as_ours(key: SigningKey) -> None:
    theirs = jwt.algorithms.RSAAlgorithm.to_jwk(key.private_key, as_dict=True)
    [read] = read_signing_keys(json.dumps(theirs).encode())
    assert read.jwk() == key.jwk()


def test_a_key_may_have_an_id_and_a_time_of_its_own(key: SigningKey) -> None:
    [read] = read_signing_keys(json.dumps({**key.private_jwk(), "kid": "mine", "nbf": 5}).encode())
    assert (read.kid, read.signs_from) == ("mine", 5)


# What is made of a good private JWK.
BAD_JWK = [
    pytest.param({"kty": "EC"}, "is not an RSA key", id="kty"),
    pytest.param({"alg": "RS512"}, "not for signing with RS256", id="alg"),
    pytest.param({"use": "enc"}, "not for signing with RS256", id="use"),
    pytest.param({"key_ops": ["verify"]}, "not for signing with RS256", id="key_ops"),
    pytest.param({"key_ops": "sign"}, "not for signing with RS256", id="text for key_ops"),
    pytest.param({"kid": ""}, "holds a kid that", id="empty kid"),
    pytest.param({"kid": "\n"}, "holds a kid that", id="kid of a line end"),
    pytest.param({"kid": 7}, "holds a kid that", id="number for a kid"),
    pytest.param({"nbf": "soon"}, "holds an nbf that", id="text for nbf"),
    pytest.param({"nbf": -1}, "holds an nbf that", id="nbf before there was time"),
    pytest.param({"nbf": True}, "holds an nbf that", id="boolean for nbf"),
    pytest.param({"d": None}, "without all of n, e, p, q, d, dp, dq, qi", id="no d"),
    pytest.param({"qi": "AQAB"}, "without all of", id="another qi"),
    pytest.param({"n": "AQAB"}, "without all of", id="another n"),
    pytest.param({"e": "Aw"}, "without all of", id="another e"),
    pytest.param({"p": "====", "q": 7}, "without all of", id="no numbers"),
]


@pytest.mark.parametrize(("change", "problem"), BAD_JWK)
@pytest.mark.parametrize("in_set", [False, True], ids=["alone", "in a set"])
def test_a_bad_jwk_ends_at_start(key: SigningKey, change: dict[str, Any], problem: str, in_set: bool) -> None:
    jwk = {**key.private_jwk(), **change}
    _is_refused(json.dumps({"keys": [jwk]} if in_set else jwk).encode(), problem, key)


BAD_TEXT: list[Any] = [
    pytest.param(lambda _, __: b"", "is not a private key", id="empty"),
    pytest.param(lambda _, __: b"MIIEvQ", "is not a private key", id="no PEM"),
    pytest.param(lambda _, __: b"\xff\xfe\x00", "is not a private key", id="binary"),
    pytest.param(lambda key, _: pem(key.private_key)[:200], "is not a private key", id="cut"),
    pytest.param(lambda key, _: pem(key.private_key, password=b"x"), "is encrypted with a password", id="encrypted"),
    pytest.param(lambda key, _: pem(key.private_key) * 2, "more than one PEM block", id="two"),
    pytest.param(
        lambda key, _: key.private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "is public",
        id="public",
    ),
    pytest.param(lambda _, __: pem(ec.generate_private_key(ec.SECP256R1())), "that is not RSA", id="elliptic curve"),
    pytest.param(lambda _, weak: pem(weak), "too weak", id="1,024 bits"),
    pytest.param(lambda _, __: pem(rsa.generate_private_key(3, 2048)), "too weak", id="an exponent of 3"),
    pytest.param(
        lambda _, weak: json.dumps(SigningKey.of(weak).private_jwk()).encode(), "too weak", id="JWK of 1,024 bits"
    ),
    pytest.param(lambda _, __: b"{", "is not a JSON object", id="no JSON"),
    pytest.param(lambda _, __: b'{"kty":"RSA","kty":"RSA"}', "is not a JSON object", id="a member twice"),
    pytest.param(lambda _, __: b"{}", "is not an RSA key", id="empty object"),
    pytest.param(lambda _, __: b'{"keys":[]}', "must hold 1 to 16 keys", id="empty set"),
    pytest.param(lambda _, __: b'{"keys":{}}', "must hold 1 to 16 keys", id="object for a set"),
    pytest.param(lambda _, __: b'{"keys":[7]}', "is not an RSA key", id="number in a set"),
    pytest.param(
        lambda key, _: json.dumps({"keys": [key.private_jwk()] * 2}).encode(), "two keys with the same id", id="one id"
    ),
    pytest.param(lambda key, _: json.dumps({"keys": [key.jwk()]}).encode(), "without all of", id="public set"),
    pytest.param(
        lambda key, _: json.dumps({"keys": [key.private_jwk(), key.jwk()]}).encode(), "without all of", id="one public"
    ),
]


@pytest.mark.parametrize(("write", "problem"), BAD_TEXT)
def test_what_is_no_key_ends_at_start(
    key: SigningKey, weak: rsa.RSAPrivateKey, write: Callable[[SigningKey, rsa.RSAPrivateKey], bytes], problem: str
) -> None:
    _is_refused(write(key, weak), problem, key)


def _is_refused(text: bytes, problem: str, key: SigningKey) -> None:
    with pytest.raises(ConfigurationError) as mistake:
        read_signing_keys(text)
    message = str(mistake.value)
    assert message.startswith("signing_keys: ")
    assert problem in message
    assert str(key.private_jwk()["d"])[:20] not in message
    assert mistake.value.__cause__ is mistake.value.__context__ is None


# --- a set ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "signs", "shown"),
    [
        pytest.param(-1, 0, [0, 1, 2], id="before the first: it signs all the same"),
        pytest.param(0, 0, [0, 1, 2], id="the first"),
        pytest.param(99.9, 0, [0, 1, 2], id="the last moment of the first"),
        pytest.param(100, 1, [0, 1, 2], id="the second"),
        pytest.param(149.9, 1, [0, 1, 2], id="the first is still shown"),
        pytest.param(150, 1, [1, 2], id="the first is shown no more"),
        pytest.param(200, 2, [1, 2], id="the third"),
        pytest.param(250, 2, [2], id="the second is shown no more"),
        pytest.param(1e9, 2, [2], id="the last stays for ever"),
    ],
)
def test_a_key_is_shown_before_it_signs_and_after(
    three: tuple[SigningKey, ...], now: float, signs: int, shown: list[int]
) -> None:
    keys = SigningKeySet.of(reversed(three))
    assert keys.current(now) is three[signs]
    assert keys.published(now, keep=50) == tuple(three[index] for index in shown)


def test_rotating_drops_what_is_shown_no_more(three: tuple[SigningKey, ...]) -> None:
    first, second, third = three
    assert SigningKeySet.of((first, second)).rotated(third, 120, keep=50).keys == three
    assert SigningKeySet.of((first, second)).rotated(third, 150, keep=50).keys == (second, third)


@pytest.mark.parametrize(("now", "due"), [(159, False), (160, True)])
def test_a_new_key_is_due_so_early_that_it_can_be_announced(
    three: tuple[SigningKey, ...], now: float, due: bool
) -> None:
    assert SigningKeySet.of(three[:2]).is_due(now, every=70, announce=10) is due


def test_there_is_no_set_without_keys() -> None:
    with pytest.raises(ConfigurationError, match="at least one key"):
        SigningKeySet.of(())


# --- a file -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "is_read"),
    [
        pytest.param(0o600, True, id="the owner"),
        pytest.param(0o400, True, id="the owner, reading"),
        pytest.param(0o440, True, id="a group, reading"),
        pytest.param(0o640, True, id="a group, reading, and the owner"),
        pytest.param(0o660, False, id="a group, writing"),
        pytest.param(0o604, False, id="everybody, reading"),
        pytest.param(0o602, False, id="everybody, writing"),
        pytest.param(0o644, False, id="as files are made"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="there are no such permissions")
def test_a_key_that_others_can_read_is_no_secret(path: Path, key: SigningKey, mode: int, is_read: bool) -> None:
    store(path, key, mode=mode)
    if is_read:
        assert read_key_file(path)[0].newest.kid == key.kid
        return
    with pytest.raises(ConfigurationError, match="can be read or changed by others than its owner; chmod 600"):
        read_key_file(path)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(lambda path: None, "cannot be read \\(No such file", id="missing"),
        pytest.param(lambda path: path.mkdir(), "cannot be read \\(Is a directory", id="folder"),
        pytest.param(lambda path: path.write_bytes(b" " * 140_000) and path.chmod(0o600), "larger than", id="large"),
    ],
)
def test_a_file_that_cannot_be_one(path: Path, make: Callable[[Path], object], problem: str) -> None:
    make(path)
    with pytest.raises(ConfigurationError, match=f"^signing_keys: the file .*{problem}"):
        SigningKeyRing(path)


def test_what_looks_like_a_key_instead_of_a_path_is_not_shown(key: SigningKey) -> None:
    with pytest.raises(ConfigurationError) as mistake:
        SigningKeyRing(pem(key.private_key).decode())
    assert "PRIVATE" not in str(mistake.value)


def test_a_file_is_made_for_its_owner_once(path: Path) -> None:
    before = os.umask(0)
    try:
        create_key_file(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(read_key_file(path)[0].keys) == 1
    was = path.read_bytes()
    with pytest.raises(ConfigurationError, match="File exists"):
        create_key_file(str(path))
    assert path.read_bytes() == was


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        pytest.param(lambda _: create_key_file(cast("Any", 7)), "path: is a number", id="no path"),
        pytest.param(lambda path: create_key_file(path / "x" / "y"), "No such file or directory", id="no folder"),
        pytest.param(rotate_key_file, "No such file or directory", id="nothing to rotate"),
        pytest.param(lambda path: rotate_key_file(path / "x" / "y"), "no lock can be made", id="nowhere to rotate"),
        pytest.param(lambda path: rotate_key_file(path, announce=0), "announce: is a number", id="not announced"),
        pytest.param(lambda path: rotate_key_file(path, keep=59), "keep: is a number", id="not kept"),
    ],
)
def test_mistakes_with_files(path: Path, call: Callable[[Path], object], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        call(path)


def test_rotating_a_file_adds_a_key_that_signs_later(path: Path, key: SigningKey) -> None:
    store(path, key, mode=0o640)
    new = rotate_key_file(path, announce=60)
    keys, _ = read_key_file(path)
    assert [one.kid for one in keys.keys] == [key.kid, new]
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in path.parent.iterdir()) == [".evaluation.json.lock", "evaluation.json"]


def test_of_many_that_rotate_one_does(path: Path) -> None:
    create_key_file(path)
    start, new = threading.Barrier(4), []

    def rotate() -> None:
        start.wait()
        new.append(rotate_key_file(path, every=300, announce=300))

    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(kid is not None for kid in new) == 1
    assert len(read_key_file(path)[0].keys) == 2


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_a_rotated_file_belongs_to_whom_it_belonged(path: Path) -> None:
    create_key_file(path)
    os.chown(path, 1234, 4321)
    path.chmod(0o640)
    rotate_key_file(path)
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1234, 4321, 0o640)


def test_a_file_that_cannot_be_given_to_its_group_is_left_as_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else another group could read it, that of whoever rotates."""
    create_key_file(path)
    before, owner = path.read_bytes(), os.fstat

    def other(file: int) -> os.stat_result:
        found = list(owner(file))
        found[5] += 1  # st_gid
        return os.stat_result(found)

    def refuse(*_: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("cfaccess_mw.edge.signing_key_file.os.fchown", refuse)
    key_set = read_key_file(path)[0]
    monkeypatch.setattr("cfaccess_mw.edge.signing_key_file.read_key_file", lambda *_, **__: (key_set, ()))
    monkeypatch.setattr("cfaccess_mw.edge.signing_key_file.os.fstat", other)
    with pytest.raises(ConfigurationError, match="not permitted"):
        rotate_key_file(path)
    assert path.read_bytes() == before
    assert not [one for one in path.parent.iterdir() if one.name.startswith(".") and not one.name.endswith(".lock")]


def test_a_pem_file_cannot_be_rotated(path: Path, key: SigningKey) -> None:
    path.write_bytes(pem(key.private_key))
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="path: is a PEM file"):
        rotate_key_file(path)
    with pytest.raises(ConfigurationError, match=r"rotate_every: .*is a PEM file"):
        SigningKeyRing(path, rotate_every=86_400)


# --- a running endpoint -----------------------------------------------------------------------------------------------


def test_a_key_made_in_memory_is_told_of_loudly() -> None:
    heard, clock = Heard(), Clock()
    ring = SigningKeyRing(None, listeners=[heard], clock=clock)
    [event] = heard
    assert (event.name, event.level) == ("signing-key-generated", 30)
    assert "for-development-only" in str(event.facts["advice"])
    first = ring.current()
    ring.rotate()
    assert ring.current() is first
    assert [key.kid for key in ring.published()] == [first.kid, heard[-1].facts["kid"]]
    clock.now += 300
    assert ring.current().kid == heard[-1].facts["kid"]
    clock.now += 86_400
    assert ring.published() == (ring.current(),)


def test_a_file_that_is_replaced_is_read_again_by_whoever_signs_or_shows(
    path: Path, three: tuple[SigningKey, ...]
) -> None:
    first, second, third = three
    store(path, first)
    rings = [SigningKeyRing(path, clock=Clock(now=150), keep=60) for _ in range(2)]
    store(path, first, second)
    assert rings[0].current().kid == second.kid
    assert [key.kid for key in rings[1].published()] == [first.kid, second.kid]
    store(path, third)
    assert [key.kid for key in rings[1].published()] == [third.kid]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: path.write_bytes(b"{"), id="garbage"),
        pytest.param(lambda path: path.chmod(0o644) or path.write_bytes(path.read_bytes() + b" "), id="open"),
    ],
)
def test_a_file_that_cannot_be_read_any_more_changes_nothing_and_is_told_once(
    path: Path, three: tuple[SigningKey, ...], spoil: Callable[[Path], object]
) -> None:
    heard, (first, second, _) = Heard(), three
    store(path, first)
    ring = SigningKeyRing(path, listeners=[heard])
    spoil(path)
    for _ in range(3):
        assert ring.current().kid == first.kid
        assert len(ring.published()) == 1
    assert heard.names == ["signing-keys-unreadable"]
    store(path, second)
    assert ring.current().kid == second.kid


def test_a_file_is_read_again_once_its_mode_is_right(path: Path, three: tuple[SigningKey, ...]) -> None:
    heard, (first, second, _) = Heard(), three
    store(path, first)
    ring = SigningKeyRing(path, listeners=[heard])
    store(path, second, mode=0o644)
    assert ring.current().kid == first.kid
    path.chmod(0o600)
    assert ring.current().kid == second.kid
    assert heard.names == ["signing-keys-unreadable"]


def test_a_key_is_replaced_when_it_is_due(path: Path, key: SigningKey) -> None:
    """Nobody waits for it: whoever signs next finds it."""
    heard, done = Heard(), threading.Event()

    def listener(event: Any) -> None:
        heard(event)
        done.set()

    clock = Clock(now=1_000_000)
    store(path, SigningKey.of(key.private_key, signs_from=1_000_000))
    ring = SigningKeyRing(path, rotate_every=3_600, listeners=[listener], clock=clock)
    clock.now += 3_299
    assert ring.current().kid == key.kid
    assert not heard
    clock.now += 1
    assert ring.current().kid == key.kid
    assert done.wait(30)
    [event] = heard
    assert event.name == "signing-key-announced"
    assert [one.kid for one in ring.published()] == [key.kid, event.facts["kid"]]
    assert ring.current().kid == key.kid
    clock.now += 302
    assert ring.current().kid == event.facts["kid"]
    assert heard == [event]


def test_a_file_that_cannot_be_rotated_is_told_and_goes_on(path: Path, key: SigningKey) -> None:
    heard, told = Heard(), threading.Semaphore(0)

    def listener(event: Any) -> None:
        heard(event)
        told.release()

    store(path, key)
    ring = SigningKeyRing(path, rotate_every=3_600, listeners=[listener], clock=Clock(now=NOW))
    path.with_name(f".{path.name}.lock").mkdir()
    assert ring.current().kid == key.kid
    assert told.acquire(timeout=30)
    for _ in range(1_000):  # the thread that told us may not have ended yet
        assert ring.current().kid == key.kid
        if told.acquire(timeout=0.01):
            break
    assert len(heard) >= 2
    assert set(heard.names) == {"signing-key-not-rotated"}
    assert "no lock can be made" in str(heard[0].facts["problem"])
