"""Are changes made of what stands outside of functions, of nothing else, and is what lives told and accounted for?"""

import os
import signal
from pathlib import Path
from textwrap import dedent

import pytest

from tests.mutation import mutants, outside, tree
from tests.mutation.variants import pattern_edits, variants


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        pytest.param("A = 5\n", {"A = 4", "A = 6"}, id="number"),
        pytest.param("A = 0.05\n", {"A = 0.025", "A = 0.075"}, id="fraction"),
        pytest.param("A = 0.0\n", {"A = -1", "A = 1"}, id="nothing"),
        pytest.param("A = True\n", {"A = False"}, id="flag"),
        pytest.param('A = "b"\n', {'A = "bX"'}, id="text"),
        pytest.param('A = "what people read here"\n', set(), id="prose"),
        pytest.param('A = b"bc"\n', {'A = b"bcX"', 'A = b"c"', 'A = b"b"'}, id="bytes"),
        pytest.param(r'A = "\x00-\x1f!"', {r'A = "\x00-\x1f!X"', r'A = "!"', r'A = "\x00-\x1f"'}, id="characters"),
        pytest.param("A = {b, c, d}\n", {"A = {c, d}", "A = {b, d}", "A = {b, c}"}, id="set"),
        pytest.param("A = (b, c)\n", {"A = (c)", "A = (b,)"}, id="pair"),
        pytest.param("A = (b,)\n", {"A = ()"}, id="one"),
        pytest.param("A = {b: c, d: e}\n", {"A = {d: e}", "A = {b: c}"}, id="table"),
        pytest.param("A = b * c\n", {"A = b", "A = c"}, id="product"),
        pytest.param("A = lambda b: b < c\n", {"A = lambda b: b <= c"}, id="lambda"),
        pytest.param("A = b(c=d, e=f)\n", {"A = b(e=f)", "A = b(c=d)"}, id="call"),
        pytest.param('A = f"{b}c{d}"\n', {'A = f"c{d}"', 'A = f"{b}c"'}, id="put-together"),
        pytest.param('A = re.compile("b+", re.I)\n', {'A = re.compile("b*", re.I)', 'A = re.compile("b+")'}, id="re"),
        pytest.param("A = B.CC\nD = B.EE\n", {"A = B.EE", "D = B.CC"}, id="members"),
        pytest.param("é = 'é'; A = 1\n", {"é = 'éX'; A = 1", "é = 'é'; A = 0", "é = 'é'; A = 2"}, id="beyond-ascii"),
        pytest.param(
            '"""Prose."""\nA = B[5]\nC = D | None\nE = TypeVar("E")\nF: TypeAlias = B[5]\n', set(), id="types"
        ),
        pytest.param('__all__ = ["a"]\n', set(), id="names"),
        pytest.param("def a():\n    return 5\n", set(), id="function"),
        pytest.param("class A:\n    @classmethod\n    def b(cls):\n        return 5\n", set(), id="class-method"),
        pytest.param(
            "class A:\n    __slots__ = ('a',)\n    b: int = None\n    c: Literal['d']\n", {"b: int = 0"}, id="class"
        ),
        pytest.param(
            "@dataclass(frozen=True, slots=True)\nclass A:\n    a: int = field(repr=False)\n",
            {"@dataclass(slots=True)", "a: int = field()"},
            id="dataclass",
        ),
        pytest.param(
            "class A:\n    @property\n    def b(self) -> bool:\n        return c and not d\n",
            {"return None", "return not (c and not d)", "return c or not d", "return c and d"},
            id="property",
        ),
        pytest.param(
            "@cache\ndef a(b):\n    if b:\n        return c\n", {"if not (b):", "return None"}, id="decorated-function"
        ),
    ],
)
def test_one_change_at_a_time(source: str, changed: set[str]) -> None:
    made = variants(dedent(source))
    assert {variant.now for variant in made} == changed
    assert all(variant.source != source and variant.was in source for variant in made)


@pytest.mark.parametrize(
    ("pattern", "changed"),
    [
        pytest.param("ab", set(), id="nothing"),
        pytest.param("a*b+", {"a+b+", "a*b*"}, id="repeats"),
        pytest.param("ab?", {"ab"}, id="optional"),
        pytest.param("a{2,8}", {"a{1,8}", "a{3,8}", "a{2,7}", "a{2,9}"}, id="counted"),
        pytest.param(r"^a\Z", {r"a\Z", "^a"}, id="anchors"),
        pytest.param(r"a\.b", {"a.b"}, id="dot"),
        pytest.param(r"[a-z_\]]", {r"[_\]]", r"[a-z\]]", "[a-z_]"}, id="class"),
        pytest.param("[^ab]", {"[^a]", "[^b]"}, id="negated-class"),
        pytest.param("a|b|c", {"b|c", "a|c", "a|b"}, id="alternatives"),
        pytest.param("x(?:a|b)", {"x(?:b)", "x(?:a)"}, id="alternatives-in-a-group"),
        pytest.param(r"(?P<a>\(b)?", {r"(?P<a>\(b)"}, id="named-group"),
    ],
)
def test_a_pattern_is_changed_a_little(pattern: str, changed: set[str]) -> None:
    assert {pattern[:start] + new + pattern[end:] for start, end, new in pattern_edits(pattern)} == changed


@pytest.mark.parametrize("module", outside.modules())
def test_each_module_has_variants_that_compile_or_are_known_not_to(module: str) -> None:
    made = variants(mutants.source_of(module))
    assert len({variant.source for variant in made}) == len(made)


# Where processes cannot be forked, the tool does not run; where there are threads beside us, Python warns.
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
beside_threads = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def dies() -> int:
    """End by a signal."""
    os.kill(os.getpid(), signal.SIGTERM)
    return 0


@forks
@beside_threads
@pytest.mark.parametrize(
    ("work", "status"),
    [
        pytest.param(lambda: 0, 0, id="passed"),
        pytest.param(lambda: 1, 1, id="failed"),
        pytest.param(lambda: int("a"), 99, id="broken"),
        pytest.param(dies, -signal.SIGTERM, id="ended"),
    ],
)
def test_what_becomes_of_work_in_a_process_of_its_own(work: "outside.Work", status: int, tmp_path: Path) -> None:
    assert outside.forked(work, tmp_path / "said") == status


@pytest.mark.parametrize("survivor", outside.accepted(), ids=lambda one: f"{one.module}-{one.now[:40]}")
def test_each_accepted_survivor_is_a_change_that_is_made(survivor: outside.Survivor) -> None:
    made = {(variant.was, variant.now) for variant in variants(mutants.source_of(survivor.module))}
    assert (survivor.was, survivor.now) in made
    assert outside.why_accepted(survivor)


@pytest.mark.parametrize("kind", outside.kinds(), ids=lambda kind: kind["was"][:40])
def test_each_kind_accepts_a_change_that_is_made(kind: dict[str, str]) -> None:
    made = variants(mutants.source_of(kind["module"]))
    changes = [outside.Survivor(module=kind["module"], was=one.was, now=one.now) for one in made]
    assert any(outside.is_of(kind, change) for change in changes)
    other = outside.Survivor(module="another", was=changes[0].was, now=changes[0].now)
    assert not outside.is_of(kind, other)


@forks
def test_a_module_is_tried_in_a_copy_and_its_changes_are_noticed() -> None:
    before = mutants.source_of("explain")
    done = tree.run(tree.ROOT, "tests.mutation", "outside", "explain")
    assert done.returncode == 0, done.stdout
    assert "explain: 2 killed, 0 live, 0 cannot be imported" in done.stdout
    assert mutants.source_of("explain") == before


def test_a_module_without_tests_is_a_mistake() -> None:
    done = tree.run(tree.ROOT, "tests.mutation", "outside", "explain", "nothing")
    assert done.returncode == 1
    assert "names no tests for nothing" in done.stdout
