"""What is there to change outside of plain functions, where mutmut changes nothing?

That is what stands in modules and classes (numbers, texts, tables, regular expressions, defaults and options of
dataclasses) and the bodies of decorated functions. Each variant of a source has one change.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

_REACHED = {"staticmethod", "classmethod"}  # the decorators, alone, under which mutmut does change a function
_PROSE = re.compile(r"(?:\S+ ){3,}\S+")  # four words: for people, and reworded without harm
_LEFT_ALONE = {"__slots__", "__all__", "_fields"}
_HARMLESS = {"slots", "kw_only"}  # options of a dataclass: its size and how it is called

_OTHER: Mapping[type[ast.AST], tuple[str, str]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}

_PIECE = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:P<\w+>|[:=!]|<[=!])|[(|)]|\{\d+(?:,\d*)?\}|[*+?$^]|[^\\]", re.DOTALL
)
_CHARACTER = r"(?:\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|\\.|[^\\])"
_MEMBER = re.compile(rf"{_CHARACTER}(?:-{_CHARACTER})?", re.DOTALL)

Edit = tuple[int, int, str]
"""From which byte to which, and what stands there instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A module with one change.

    Attributes:
        was: The lines that are changed, without their indentation.
        now: What they have become.
        source: The whole module.
    """

    was: str
    now: str
    source: str


def variants(source: str) -> list[Variant]:
    """Return every variant of a module, each once, those that do not compile among them."""
    data = source.encode()
    made: dict[str, Variant] = {}
    for start, end, text in sorted(set(_Outside(data).edits())):
        first, last = data.rfind(b"\n", 0, start) + 1, data.find(b"\n", end)
        last = len(data) if last < 0 else last
        changed = data[first:start] + text.encode() + data[end:last]
        whole = (data[:first] + changed + data[last:]).decode()
        was = data[first:last].decode()
        if whole != source:
            made.setdefault(whole, Variant(was=_bare(was), now=_bare(changed.decode()), source=whole))
    return list(made.values())


def _bare(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines())


def pattern_edits(text: str) -> Iterator[Edit]:
    """Changes of a regular expression, as it is written: quantifiers, anchors, classes, dots, alternatives."""
    opened: list[list[int]] = [[0]]  # of each open group: where its alternatives begin
    for piece in _PIECE.finditer(text):
        found, start, end = piece[0], *piece.span()
        if found in "*+":
            yield start, end, "+" if found == "*" else "*"
        elif found in ("?", "^", "$", r"\b", r"\A", r"\Z"):
            yield start, end, ""
        elif found.startswith("{"):
            for number in re.finditer(r"\d+", found):
                for other in (int(number[0]) - 1, int(number[0]) + 1):
                    yield start + number.start(), start + number.end(), str(other)
        elif found.startswith("[") and len(found) > 1:
            inside = 2 if found.startswith("[^") else 1
            members = list(_MEMBER.finditer(found, inside, len(found) - 1))
            yield from ((start + one.start(), start + one.end(), "") for one in members if len(members) > 1)
        elif found == r"\.":
            yield start, end, "."
        elif found.startswith("("):
            opened.append([end])
        elif found == "|":
            opened[-1].append(end)
        if found == ")" and len(opened) > 1:
            yield from _alternatives(opened.pop(), start)
    yield from _alternatives(opened[0], len(text))


def _alternatives(starts: list[int], end: int) -> Iterator[Edit]:
    if len(starts) > 1:
        yield from ((start, following, "") for start, following in pairwise(starts))
        yield starts[-1] - 1, end, ""


class _Outside:
    """The changes of one module."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._lines = [0, *(place.end() for place in re.finditer(rb"\n", data))]
        self._tree = ast.parse(data)
        found = (node for node in ast.walk(self._tree) if isinstance(node, ast.Attribute) and _is_named(node))
        self._named = sorted({self._text(node) for node in found})

    def edits(self) -> Iterator[Edit]:
        """All of them; some come twice."""
        yield from self._body(self._tree.body)

    def _at(self, node: ast.expr | ast.keyword) -> tuple[int, int]:
        start = self._lines[node.lineno - 1] + node.col_offset
        return start, self._lines[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)

    def _text(self, node: ast.expr) -> str:
        return self._data[slice(*self._at(node))].decode()

    def _body(self, body: list[ast.stmt]) -> Iterator[Edit]:
        """What stands in a module or a class."""
        for statement in body:
            match statement:
                case ast.ClassDef():
                    for call in statement.decorator_list:
                        yield from self._without_options(call)
                    yield from self._body(statement.body)
                case ast.FunctionDef(decorator_list=[ast.Name(id=name)]) if name in _REACHED:
                    pass
                case ast.FunctionDef(decorator_list=[_, *_]):
                    for decorator in statement.decorator_list:
                        yield from self._expression(decorator)
                    yield from self._function(statement)
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in _LEFT_ALONE or (
                    body is self._tree.body and _is_alias(value)
                ):
                    pass
                case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
                    pass
                case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                    yield from self._expression(value)
                    if isinstance(value, ast.Constant) and value.value is None:
                        yield (*self._at(value), "0")

    def _without_options(self, call: ast.expr) -> Iterator[Edit]:
        """A call without one of its keyword arguments."""
        if isinstance(call, ast.Call):
            for keyword in call.keywords:
                if keyword.arg not in _HARMLESS:
                    start, end = self._at(keyword)
                    before, behind = re.search(rb",\s*\Z", self._data[:start]), re.match(rb",\s*", self._data[end:])
                    if before:
                        yield before.start(), end, ""
                    else:
                        yield start, end + (len(behind[0]) if behind else 0), ""

    def _function(self, function: ast.FunctionDef) -> Iterator[Edit]:
        """The body of a decorated function."""
        is_bool = isinstance(function.returns, ast.Name) and function.returns.id == "bool"
        for node in ast.walk(ast.Module(body=function.body, type_ignores=[])):
            match node:
                case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and not value.value):
                    yield (*self._at(value), "None")
                    if is_bool:
                        yield (*self._at(value), f"not ({self._text(value)})")
                    yield from self._expression(value)
                case ast.If(test=value) | ast.IfExp(test=value) | ast.While(test=value):
                    yield (*self._at(value), f"not ({self._text(value)})")
                    yield from self._expression(value)
                case ast.Assign(value=value) | ast.For(iter=value):
                    yield from self._expression(value)

    def _expression(self, top: ast.expr) -> Iterator[Edit]:
        """Everything in an expression."""
        done: set[ast.AST] = set()
        for node in ast.walk(top):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr="compile")):
                    done.add(node.args[0])
                    yield from self._pattern(node.args[0])
                    yield from ((self._at(before)[1], self._at(flag)[1], "") for before, flag in pairwise(node.args))
                case ast.Call():
                    done.update(one.value for one in node.keywords if isinstance(one.value, ast.Constant))
                    yield from self._without_options(node)
                case ast.Constant() if node not in done:
                    yield from self._constant(node)
                case ast.JoinedStr():
                    done.update(ast.walk(node))  # Python 3.11 does not know where its parts are
                    start = self._at(node)[0]
                    found = re.finditer(r"\{\w+\}", self._text(node))
                    yield from ((start + one.start(), start + one.end(), "") for one in found)
                case ast.Compare() | ast.BoolOp():
                    yield from self._operators(node)
                case ast.UnaryOp(op=ast.Not()):
                    yield (*self._at(node), self._text(node.operand))
                case ast.BinOp():
                    yield from ((*self._at(node), self._text(side)) for side in (node.left, node.right))
                case ast.Tuple(ctx=ast.Load()) | ast.List() | ast.Set():
                    yield from self._fewer(node, [self._at(one) for one in node.elts])
                case ast.Dict():
                    pairs = zip(node.keys, node.values, strict=True)
                    yield from self._fewer(node, [(self._at(k)[0], self._at(v)[1]) for k, v in pairs if k is not None])
                case ast.Attribute() if _is_named(node):
                    kind = self._text(node.value) + "."
                    others = [name for name in self._named if name.startswith(kind) and name != self._text(node)]
                    yield from ((*self._at(node), other) for other in others[:2])

    def _operators(self, node: ast.Compare | ast.BoolOp) -> Iterator[Edit]:
        """Another operator between each two operands."""
        if isinstance(node, ast.Compare):
            operands, kinds = [node.left, *node.comparators], [_OTHER[type(one)] for one in node.ops]
        else:
            operands, kinds = node.values, [_OTHER[type(node.op)]] * (len(node.values) - 1)
        for (left, right), (was, now) in zip(pairwise(operands), kinds, strict=True):
            start, end = self._at(left)[1], self._at(right)[0]
            yield start, end, self._data[start:end].decode().replace(was, now, 1)

    def _fewer(self, node: ast.expr, places: list[tuple[int, int]]) -> Iterator[Edit]:
        """One element less."""
        if len(places) == 1:
            yield (*self._at(node), {"(": "()", "[": "[]", "{": "{}"}.get(self._text(node)[0], "()"))
        for (start, _), (following, _) in pairwise(places):
            yield start, following, ""
        if len(places) > 1:
            yield places[-2][1] + (isinstance(node, ast.Tuple) and len(places) == 2), places[-1][1], ""

    def _constant(self, node: ast.Constant) -> Iterator[Edit]:
        start, end = self._at(node)
        text = self._text(node)
        match node.value:
            case bool():
                yield start, end, str(not node.value)
            case int() | float():
                step = node.value / 2 if type(node.value) is float and 0 < node.value < 1 else 1
                yield from ((start, end, f"{node.value + sign * step:.12g}") for sign in (-1, 1))
            case str() | bytes() if not _PROSE.search(text):
                yield end - 1, end - 1, "X"
                if isinstance(node.value, bytes) or r"\x" in text or r"\u" in text or "0123" in text:
                    inside = len(text) - len(text.lstrip("rb")) + 1
                    found = _MEMBER.finditer(text, inside, len(text) - 1)
                    yield from ((start + one.start(), start + one.end(), "") for one in found)

    def _pattern(self, node: ast.expr) -> Iterator[Edit]:
        text = self._text(node)
        opening = re.match(r"[rb]*\"", text)
        if opening is not None and text.isascii():
            start, text = self._at(node)[0] + opening.end(), text[opening.end() : -1]
            yield from ((start + first, start + last, new) for first, last, new in pattern_edits(text))
        else:
            yield from self._expression(node)


def _is_named(node: ast.Attribute) -> bool:
    """Whether this is a member of an enumeration, or looks like one."""
    return isinstance(node.value, ast.Name) and node.attr.isupper()


def _is_alias(value: ast.expr) -> bool:
    """Whether this is a type, or what only a type checker reads."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in {"TypeVar", "ParamSpec", "NewType"}
    return isinstance(value, ast.Subscript) or (
        isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr) and not isinstance(value.right, ast.Attribute)
    )
