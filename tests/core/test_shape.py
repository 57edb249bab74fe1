"""Is a value described without being shown?"""

import pathlib

import pytest

from cfaccess_mw.core.shape import shape


@pytest.mark.parametrize(
    ("value", "described"),
    [
        pytest.param("", "empty text", id="empty-text"),
        pytest.param("hunter2-secret", "text of 14 characters", id="text"),
        pytest.param(b"", "0 bytes", id="no-bytes"),
        pytest.param(b"hunter2", "7 bytes", id="bytes"),
        pytest.param(True, "a boolean", id="true"),
        pytest.param(False, "a boolean", id="false"),
        pytest.param(0, "a number", id="zero"),
        pytest.param(73057, "a number", id="integer"),
        pytest.param(7.5, "a number", id="float"),
        pytest.param(float("nan"), "a number", id="nan"),
        pytest.param([], "a list of 0", id="empty-list"),
        pytest.param(["hunter2"], "a list of 1", id="list"),
        pytest.param(("hunter2", "b"), "a tuple of 2", id="tuple"),
        pytest.param({"hunter2"}, "a set of 1", id="set"),
        pytest.param(frozenset({"hunter2"}), "a frozenset of 1", id="frozenset"),
        pytest.param(None, "None", id="none"),
        pytest.param({"hunter2": 1}, "a dict", id="mapping"),
        pytest.param(pathlib.PurePosixPath("/hunter2"), "a PurePosixPath", id="object"),
    ],
)
def test_a_value_is_described_by_type_and_size(value: object, described: str) -> None:
    assert shape(value) == described
    assert "hunter2" not in shape(value)
