"""What may be said of the record of accesses, and what not? More of the latter stands in ``test_config``."""

from pathlib import PurePosixPath
from typing import Any

import pytest

from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.recording import Recording, beside, read_recording, read_recording_text
from tests.tokens import AUD

KEY = "0123456789abcdef"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        pytest.param(None, None, id="none"),
        pytest.param(False, None, id="false"),
        pytest.param(True, Recording(), id="true"),
        pytest.param("stderr", Recording(to="stderr"), id="a-stream"),
        pytest.param("/var/log/a.jsonl", Recording(to="/var/log/a.jsonl"), id="a-path"),
        pytest.param({}, Recording(to="stdout", email="hashed", key=None), id="an-empty-mapping"),
        pytest.param({"key": KEY}, Recording(key=KEY), id="a-key"),
        pytest.param({"to": "x", "email": "plain"}, Recording(to="x", email="plain"), id="a-mapping"),
        pytest.param(Recording(email="off"), Recording(email="off"), id="ready"),
    ],
)
def test_what_may_be_given(given: Any, meant: Recording | None) -> None:
    assert read_recording(given) == meant
    config = AccessConfig(team="acme", audience=AUD, audit=given)
    assert config.recording == meant
    assert KEY not in repr(config)
    assert KEY not in repr(meant)


MEND = "give true for standard output, 'stderr', the path of a file, or a mapping of to, email and key"
TO_MEND = "give 'stdout', 'stderr' or the path of a file"
KEY_MEND = "give at least 16 characters, made at random"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(7, f"is a number; {MEND}", id="number"),
        pytest.param(["stdout"], f"is a list of 1; {MEND}", id="list"),
        pytest.param("", f"to is empty text; {TO_MEND}", id="nowhere"),
        pytest.param("a\0b", f"to is text of 3 characters; {TO_MEND}", id="a-path-that-cannot-be"),
        pytest.param({"to": 7}, f"to is a number; {TO_MEND}", id="to-a-number"),
        pytest.param({"email": "no"}, "email is text of 2 characters; give 'hashed', 'off' or 'plain'", id="email"),
        pytest.param({"key": 7}, f"key is a number; {KEY_MEND}", id="key-a-number"),
        pytest.param({"key": KEY[1:]}, f"key is text of 15 characters; {KEY_MEND}", id="short-key"),
        pytest.param(
            {"key": KEY, "email": "off"},
            "key hashes nothing while email is 'off'; leave one of them out",
            id="key-for-nothing",
        ),
        pytest.param({"emails": "off"}, "'emails' is not a key of it; did you mean 'email'?", id="near"),
        pytest.param({"x" * 65: 1}, f"'{'x' * 64}' is not a key of it; give to, email or key", id="far"),
        pytest.param({7: 1}, "'7' is not a key of it; give to, email or key", id="no-text"),
    ],
)
def test_what_may_not_be_given_is_named_with_its_mend(given: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_recording(given)
    assert str(refused.value) == f"audit: {message}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(pytest.param(word, True, id=word) for word in ("true", "yes", "on", "1", "TRUE")),
        *(pytest.param(word, False, id=word) for word in ("false", "no", "off", "0", "OFF")),
        pytest.param("stdout", "stdout", id="a-stream"),
        pytest.param("/var/log/a.jsonl", "/var/log/a.jsonl", id="a-path"),
        pytest.param('{"to": "x", "email": "off"}', {"to": "x", "email": "off"}, id="an-object"),
    ],
)
def test_what_a_variable_says(text: str, value: object) -> None:
    assert read_recording_text("audit", text) == value


@pytest.mark.parametrize(
    "text", ['{"key": "sup3rs3cr3t"', "{" * 200_000, '{"a":' * 200_000], ids=["cut", "deep", "deeper"]
)
def test_a_variable_that_is_no_object_is_not_shown(text: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^audit: is text of \d+ characters and no JSON object; give "
    ) as wrong:
        read_recording_text("audit", text)
    assert "sup3rs3cr3t" not in repr((wrong.value, wrong.value.__context__, wrong.value.__cause__))


@pytest.mark.parametrize(
    ("value", "to"),
    [
        pytest.param(True, "stdout", id="true"),
        pytest.param({"to": "stderr"}, "stderr", id="a-stream"),
        pytest.param("a.jsonl", "/etc/app/a.jsonl", id="relative"),
        pytest.param({"to": "logs/a.jsonl", "key": KEY}, "/etc/app/logs/a.jsonl", id="relative-in-a-mapping"),
        pytest.param("/var/log/a.jsonl", "/var/log/a.jsonl", id="absolute"),
    ],
)
def test_a_path_in_a_file_is_relative_to_the_file(value: object, to: str) -> None:
    meant = beside(value, PurePosixPath("/etc/app"))
    assert isinstance(meant, Recording)
    assert meant.to == to


def test_nothing_said_in_a_file_is_nothing() -> None:
    assert beside(False, PurePosixPath("/etc/app")) is None
