"""What does a team expect of its rules, and does it hold? A file of questions with their answers, for CI."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cfaccess_mw.cli.documents import read_object
from cfaccess_mw.cli.explain import unmet_expectation
from cfaccess_mw.cli.explanation import outcome_of
from cfaccess_mw.cli.question import OUTCOMES, Question, ask
from cfaccess_mw.cli.rendering import shown
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.settings import read_json, read_toml

_TABLE = "expectations"

# Those of a question that are objects; where they are text, that names a file beside ours.
_OBJECTS = ("claims", "profile")
_QUESTION = tuple(field.name for field in fields(Question))
_KNOWN = (*_QUESTION, "expect", "code", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A question and its answer.

    Attributes:
        question: What is asked.
        expect: The outcome.
        code: Of the refusal; None for any.
        name: For people; empty where there is none.
        place: Where it stands, for messages.
    """

    question: Question
    expect: str
    code: str | None
    name: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of an expectation.

    Attributes:
        what: What was asked, in a few words.
        seen: The outcome, with the code of a refusal.
        unmet: What is not as expected; empty where everything is.
        notes: What would be otherwise with a real request.
    """

    what: str
    seen: str
    unmet: str
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether everything is as expected."""
        return not self.unmet

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON has it; the names are stable."""
        return {
            "what": self.what,
            "seen": self.seen,
            "holds": self.holds,
            "unmet": self.unmet,
            "notes": list(self.notes),
        }


def read_expectations(file: str) -> list[Expectation]:
    """Read a file: ``[[expectations]]`` in TOML; in JSON a list, or an object with one of that name.

    Raises:
        ConfigurationError: Names the file, the number of the expectation and the key.
    """
    path = Path(file)
    document: Any = read_toml(path) if path.suffix == ".toml" else read_json(path)
    given = document.get(_TABLE) if isinstance(document, Mapping) else document
    if isinstance(document, Mapping) and document.keys() != {_TABLE}:
        raise ConfigurationError(f"{file}: has other keys than {_TABLE!r}; write [[{_TABLE}]], and nothing beside it")
    if not isinstance(given, list) or not given:
        raise ConfigurationError(f"{file}: {_TABLE}: is {shape(given)}; give a list with at least one")
    return [_read(f"{file}: number {number}", path.parent, one) for number, one in enumerate(given, start=1)]


def check_expectations(config: AccessConfig, expectations: Iterable[Expectation]) -> list[Result]:
    """Try each.

    Raises:
        ConfigurationError: A question means nothing; the message names its place.
    """
    return [_check(config, expectation) for expectation in expectations]


def _check(config: AccessConfig, expectation: Expectation) -> Result:
    question = expectation.question
    try:
        answer = ask(config, question)
    except ConfigurationError as mistake:
        raise ConfigurationError(f"{expectation.place}: {mistake}") from None
    who = "nobody" if answer.identity is None else f"{answer.identity.kind} {answer.identity.display_name}"
    return Result(
        what=shown(expectation.name or f"{question.method} {question.path}, asked by {who}"),
        seen=outcome_of(answer.explanation),
        unmet=unmet_expectation(answer, expectation.expect, expectation.code),
        notes=answer.notes,
    )


def _read(place: str, folder: Path, given: object) -> Expectation:
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{place}: is {shape(given)}; give a mapping with 'path' and 'expect'")
    for name in given:
        if name not in _KNOWN:
            near = get_close_matches(name, _KNOWN, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_KNOWN)}"
            raise ConfigurationError(f"{place}: {name[:64]!r} is not known here; {mend}")
    found = {name: _value(place, folder, name, value) for name, value in given.items() if value is not None}
    if "path" not in found:
        raise ConfigurationError(f"{place}: path: is missing; give the path that is asked for")
    if found.get("expect") not in OUTCOMES:
        raise ConfigurationError(f"{place}: expect: is {shape(found.get('expect'))}; give one of {', '.join(OUTCOMES)}")
    return Expectation(
        question=Question(**{name: value for name, value in found.items() if name in _QUESTION}),
        expect=found["expect"],
        code=found.get("code"),
        name=found.get("name", ""),
        place=place,
    )


def _value(place: str, folder: Path, name: str, value: object) -> Any:
    if name in _OBJECTS:
        if isinstance(value, str):
            try:
                return read_object(name, str(folder / value))
            except ConfigurationError as mistake:
                raise ConfigurationError(f"{place}: {mistake}") from None
        if isinstance(value, Mapping):
            return value
        raise ConfigurationError(f"{place}: {name}: is {shape(value)}; give an object, or the path of a file with one")
    if not isinstance(value, str):
        raise ConfigurationError(f"{place}: {name}: is {shape(value)}; give a text")
    return value
