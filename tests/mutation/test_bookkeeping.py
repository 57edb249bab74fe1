"""Do the lists of removed checks and of accepted survivors still speak of the source as it is?"""

from pathlib import Path

import pytest

from tests.mutation import checks, mutants
from tests.mutation.tree import ROOT

CHECKS = checks.load()


@pytest.mark.parametrize("check", [pytest.param(check, id=check.name) for check in CHECKS])
def test_each_check_can_be_removed(check: checks.Check) -> None:
    without = check.removed_from(checks.source_of(check))
    compile(without, check.file, "exec")
    assert without != checks.source_of(check)
    assert all((ROOT / test).is_file() for test in check.tests)


def test_every_item_of_the_section_has_its_checks() -> None:
    assert {check.item for check in CHECKS} == set(range(1, 14))
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_a_change_that_does_not_fit_is_an_error() -> None:
    check = checks.Check(name="a", item=1, file="core/token.py", edits=(("x", "y"),), tests=())
    assert check.removed_from("axb") == "ayb"
    for source in ("ab", "axxb"):
        with pytest.raises(ValueError, match="not once"):
            check.removed_from(source)


def test_each_module_of_the_core_has_tests_to_kill_its_mutants() -> None:
    core = {file.stem for file in (ROOT / "cfaccess_mw" / "core").glob("*.py")}
    assert mutants.modules().keys() == core - {"__init__", "states"}  # these have no functions


@pytest.mark.parametrize("module", mutants.modules())
def test_each_module_and_its_tests_are_there(module: str) -> None:
    assert mutants.source_of(module)
    assert all((ROOT / test).is_file() for test in mutants.modules()[module])


@pytest.mark.parametrize("test", mutants.counting())
def test_what_is_left_out_is_there(test: str) -> None:
    file, *_, name = test.split("::")
    assert f"def {name}(" in Path(ROOT / file).read_text("utf-8")


@pytest.mark.parametrize("survivor", mutants.accepted(), ids=lambda survivor: f"{survivor.module}-{survivor.now[:40]}")
def test_each_accepted_survivor_is_of_a_line_that_is_there(survivor: mutants.Survivor) -> None:
    source = mutants.source_of(survivor.module)
    lines = {line.strip() for line in source.splitlines()}
    assert set(survivor.was.splitlines()) <= lines
    assert f"def {survivor.function.rpartition('.')[2]}(" in source
    assert survivor.was != survivor.now
    assert mutants.why_accepted(survivor)


@pytest.mark.parametrize(
    ("was", "now", "accepted"),
    [
        pytest.param('raise KeySetError("no keys")', 'raise KeySetError("XXno keysXX")', True, id="surroundings"),
        pytest.param('raise KeySetError("no keys")', 'raise KeySetError("NO KEYS")', False, id="another-text"),
        pytest.param('raise ValueError("no text")', "raise ValueError(None)", True, id="caught-by-ourselves"),
        pytest.param(
            "raise IdentityUnavailable(retry_after=1)", "raise IdentityUnavailable(None)", False, id="a-value"
        ),
        pytest.param("a = Memory(count=64, weight=9)", "a = Memory(count=65, weight=9)", True, id="one-more"),
        pytest.param("a = Memory(count=64, weight=9)", "a = Memory(count=None, weight=9)", False, id="no-bound"),
        pytest.param('b = a.encode("ascii")', 'b = a.encode("ASCII")', True, id="an-encoding-by-case"),
        pytest.param('b = a.encode("ascii")', "b = a.encode(None)", False, id="another-encoding"),
        pytest.param('return cast("list[str]", a)', "return cast(None, a)", True, id="a-cast"),
        pytest.param('return cast("list[str]", a)', 'return cast("list[str]", b)', False, id="what-is-cast"),
        pytest.param(
            "a = get_close_matches(b, c, n=1)", "a = get_close_matches(b, c, )", True, id="more-that-are-near"
        ),
        pytest.param(
            "a = get_close_matches(b, c, n=1)", "a = get_close_matches(b, None, n=1)", False, id="near-to-what"
        ),
        pytest.param(
            "return a2b_base64(text, strict_mode=True)", "return a2b_base64(text, )", True, id="a-second-lock"
        ),
        pytest.param(
            "return a2b_base64(text, strict_mode=True)",
            "return a2b_base64(None, strict_mode=True)",
            False,
            id="what-is-decoded",
        ),
        pytest.param('"id": self.id,', '"XXidXX": self.id,', False, id="a-name-in-a-mapping"),
        pytest.param("if a < b:", "if a <= b:", False, id="a-comparison"),
    ],
)
def test_a_kind_accepts_what_it_says_and_nothing_else(was: str, now: str, accepted: bool) -> None:
    survivor = mutants.Survivor(module="token", function="anything", was=was, now=now)
    assert (mutants.why_accepted(survivor) is not None) is accepted
