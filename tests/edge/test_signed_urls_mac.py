"""Does the MAC agree with Cloudflare's, and with those that other languages make?"""

import base64
import hmac
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from cfaccess_mw.edge.signed_urls_mac import is_mac, is_timed_hmac_valid_v0, make_stamp, read_stamp

HERE = Path(__file__).parent
VECTORS = json.loads((HERE.parent / "vectors" / "cloudflare" / "timed_hmac.json").read_text("utf-8"))

AT = 1_795_342_800
SECRET = "a secret of more than sixteen bytes"

# Enough of them that each of the three characters that are escaped comes up, in the first and the last place too.
CASES = [(SECRET, f"/files/{number}.bin", AT + number) for number in range(200)]
CASES += [("clé de l'été, très secrète", "/caf%C3%A9.png", AT), ("my secret symmetric key", "/", AT)]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["message"] + " " + vector["secret"] for vector in VECTORS])
@pytest.mark.parametrize(
    ("flags", "query"), [("", "query_default"), ("s", "query_flag_s")], ids=["standard", "url-safe"]
)
def test_the_vectors_agree(vector: dict[str, Any], flags: str, query: str) -> None:
    secret, message, at = vector["secret"], vector["message"], vector["timestamp"]
    stamp = make_stamp(secret.encode(), message.encode(), at, flags=flags)
    assert f"verify={stamp.decode()}" == vector[query]
    found = read_stamp(stamp, flags=flags)
    assert found == (at, base64.b64decode(vector["mac_base64"]))
    assert is_timed_hmac_valid_v0(secret, f"{message}?{vector[query]}", 100, at, 8, flags)


def test_the_documented_python_generator_agrees() -> None:
    for secret, message, at in CASES:
        digest = hmac.new(secret.encode(), f"{message}{at}".encode(), "sha256").digest()
        assert (
            make_stamp(secret.encode(), message.encode(), at).decode() == f"{at}-{quote_plus(base64.b64encode(digest))}"
        )


@pytest.mark.skipif(shutil.which("php") is None, reason="php is not installed")
def test_a_php_generator_agrees() -> None:
    made = _run(["php", str(HERE / "generate.php")], [list(case) for case in CASES])
    assert made == [make_stamp(secret.encode(), message.encode(), at).decode() for secret, message, at in CASES]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_a_worker_generates_what_we_take_and_takes_what_we_generate() -> None:
    stamps = {
        flags: [
            make_stamp(secret.encode(), message.encode(), at, flags=flags).decode() for secret, message, at in CASES
        ]
        for flags in ("", "s")
    }
    for flags, made in stamps.items():
        answers = _run(
            ["node", str(HERE / "generate.mjs")], [[*case, stamp] for case, stamp in zip(CASES, made, strict=True)]
        )
        assert [verified for _, verified in answers] == [True] * len(CASES), flags
        assert [url for url, _ in answers] == [
            f"{message}?verify={stamp}" for (_, message, _), stamp in zip(CASES, stamps[""], strict=True)
        ]


def _run(command: list[str], asked: Any) -> Any:
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


STANDARD = make_stamp(SECRET.encode(), b"/files/6.bin", AT + 6).decode()
URL_SAFE = make_stamp(SECRET.encode(), b"/files/6.bin", AT + 6, flags="s").decode()


def test_the_examples_have_every_character_that_can_be_written_in_another_way() -> None:
    assert "%2B" in STANDARD
    assert "%2F" in STANDARD
    assert {"-", "_"} <= set(URL_SAFE[11:])


@pytest.mark.parametrize(
    ("flags", "stamp"),
    [
        pytest.param("", STANDARD.replace("%2B", "%2b"), id="escapes-in-lower-case"),
        pytest.param("", STANDARD.replace("%2B", "+"), id="a-plus-as-it-is"),
        pytest.param("", STANDARD.replace("%2F", "/"), id="a-slash-as-it-is"),
        pytest.param("", STANDARD.replace("%3D", "="), id="padding-as-it-is"),
        pytest.param("", STANDARD.replace("%3D", ""), id="no-padding"),
        pytest.param("", STANDARD + "%3D", id="more-padding"),
        pytest.param("", STANDARD[:11] + "%" + f"{ord(STANDARD[11]):02X}" + STANDARD[12:], id="a-letter-escaped"),
        pytest.param("", URL_SAFE, id="url-safe-where-standard-is-wanted"),
        pytest.param("s", STANDARD, id="standard-where-url-safe-is-wanted"),
        pytest.param("s", URL_SAFE + "=", id="url-safe-with-padding"),
        pytest.param("s", URL_SAFE[:-1], id="cut"),
        pytest.param("s", URL_SAFE + "A", id="longer"),
        pytest.param("s", URL_SAFE + "\n", id="a-line-end"),
        pytest.param("", "0" + STANDARD[1:], id="nine-digits-and-a-zero"),
        pytest.param("", STANDARD[1:], id="nine-digits"),
        pytest.param("", "1" + STANDARD, id="eleven-digits"),
        pytest.param("", "-" + STANDARD[1:], id="a-sign"),
        pytest.param("", "١٢٣٤٥٦٧٨٩٠" + STANDARD[10:], id="digits-of-another-script"),
        pytest.param("", STANDARD.replace("-", "_", 1), id="no-hyphen"),
        pytest.param("", "", id="empty"),
    ],
)
def test_a_mac_has_one_spelling(flags: str, stamp: str) -> None:
    assert read_stamp(stamp.encode(), flags=flags) is None


@pytest.mark.parametrize("flags", ["", "s"])
def test_unused_bits_are_zero(flags: str) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    stamp = {"": STANDARD, "s": URL_SAFE}[flags]
    end = len(stamp) - (4 if not flags else 1)
    taken = [sign for sign in alphabet if read_stamp((stamp[:end] + sign + stamp[end + 1 :]).encode(), flags=flags)]
    assert len(taken) == 16, "43 characters hold 258 bits, of which 256 count"
    assert stamp[end] in taken


@pytest.mark.parametrize(
    ("message_mac", "separator", "flags", "good"),
    [
        pytest.param(f"/files/6.bin?verify={STANDARD}", 8, "", True, id="documented"),
        pytest.param(f"/files/6.bin&xerifx={STANDARD}", 8, "", True, id="the-separator-is-not-signed"),
        pytest.param(f"/files/6.bin?verify={URL_SAFE}", 8, "s", True, id="url-safe"),
        pytest.param(f"/files/6.bin{STANDARD}", 0, "", True, id="without-separator"),
        pytest.param(f"/files/6.bin€{STANDARD}", 3, "", True, id="the-separator-is-bytes"),
        pytest.param(f"/files/6.bin?verify={STANDARD}", 7, "", False, id="another-length"),
        pytest.param(f"/files/7.bin?verify={STANDARD}", 8, "", False, id="another-message"),
        pytest.param(f"/files/6.bin?verify={STANDARD}", 8, "s", False, id="another-alphabet"),
        pytest.param(STANDARD, 0, "", False, id="no-message"),
        pytest.param(make_stamp(SECRET.encode(), b"", AT + 6).decode(), 0, "", False, id="an-empty-message"),
        pytest.param(f"12345678{STANDARD}", 8, "", False, id="a-separator-alone"),
        pytest.param("", 8, "", False, id="empty"),
        pytest.param("-", 0, "s", False, id="a-hyphen"),
        pytest.param("\ud800", 0, "", False, id="what-is-no-text"),
    ],
)
def test_the_function_of_the_rules_language(message_mac: str, separator: int, flags: str, good: bool) -> None:
    assert is_timed_hmac_valid_v0(SECRET, message_mac, 60, AT + 6, separator, flags) is good
    assert not is_timed_hmac_valid_v0(SECRET + "!", message_mac, 60, AT + 6, separator, flags)


@pytest.mark.parametrize(("after", "good"), [(59, True), (59.999, True), (60, False), (61, False)])
def test_it_counts_as_long_as_now_is_less(after: float, good: bool) -> None:
    assert is_timed_hmac_valid_v0(SECRET, f"/files/6.bin?verify={STANDARD}", 60, AT + 6 + after, 8) is good


def test_directories_are_signed_as_the_documentation_puts_them_together() -> None:
    """``concat(substring(http.request.uri.path, 0, 9), "?", http.request.uri.query)``, with no separator."""
    stamp = make_stamp(SECRET.encode(), b"/private/?verify=", AT).decode()
    path, query = "/private/a/b.ts", f"verify={stamp}"
    assert is_timed_hmac_valid_v0(SECRET, f"{path[:9]}?{query}", 60, AT)


def test_every_secret_is_tried() -> None:
    secrets = (b"first", b"second", b"third")
    for secret in secrets:
        _, mac = read_stamp(make_stamp(secret, b"/", AT)) or (0, b"")
        assert is_mac(secrets, b"/", AT, mac)
        assert not is_mac(secrets, b"/", AT + 1, mac)
    assert not is_mac((), b"/", AT, mac)
