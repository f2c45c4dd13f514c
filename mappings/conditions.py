"""The small language of conditions: a mapping of fields to tests, compiled into a function of a reader."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from .description import plain
from .facts import Facts
from .lexicon import concepts
from .patterns import PatternError, safe_pattern
from .vocabulary import vocabulary

RECORD = "record."
"""Prefix of conditions on what the rules before have decided: ``record.sequence``."""

CLOSED_FIELDS = {"plane": "plane", "part": "part", "dixon": "dixon"}
"""Facts that hold the values of an attribute of the record."""

CONCEPT_FIELDS = frozenset({"said", "named", "study_said"})
RANGES, LISTS = frozenset({"min", "max"}), frozenset({"in", "lacks", "all"})
LONGEST_SHOWN = 60
NUMBER_NAMES = frozenset(f.name for f in fields(Facts) if str(f.type).startswith(("Numbers", "int", "float")))
FACT_NAMES = frozenset(f.name for f in fields(Facts))


class RuleError(ValueError):
    """A rule file cannot be used: one sentence with file, line, rule and what is wrong."""


class Reader(Protocol):
    """Gives the values of a field, words in lower case: a fact, or an attribute of the record decided so far."""

    def __call__(self, name: str) -> tuple[Any, ...]: ...


Condition = Callable[[Reader], bool]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule stands, for error sentences."""

    file: str
    line: int
    rule: str = "?"

    def error(self, what: str) -> RuleError:
        """The error sentence."""
        return RuleError(f"{self.file}, line {self.line}, rule {self.rule}: {what}")


def read_names(given: Any) -> Iterable[str]:
    """Every field that a condition asks for."""
    if isinstance(given, list):
        for part in given:
            yield from read_names(part)
    elif isinstance(given, dict):
        for name, value in given.items():
            if name in ("any", "not"):
                yield from read_names(value)
            elif name != "__line__":
                yield name


def read_condition(given: Any, place: Place) -> Condition:
    """A mapping of fields to tests: all must hold. ``any`` takes a list of mappings, ``not`` one mapping."""
    if not isinstance(given, dict):
        raise place.error("a condition is a mapping of field to test")
    tests: list[Condition] = []
    for name, value in given.items():
        if name == "__line__":
            continue
        if name == "any":
            if not isinstance(value, list) or not value:
                raise place.error("'any' takes a list of conditions")
            tests.append(one_holds([read_condition(part, place) for part in value]))
        elif name == "not":
            tests.append(fails(read_condition(value, place)))
        elif name in FACT_NAMES or (name.startswith(RECORD) and name.removeprefix(RECORD) in vocabulary()):
            tests.append(read_test(name, value, place))
        else:
            raise place.error(
                f"unknown field {name!r}; there are {', '.join(sorted(FACT_NAMES))}, and record.<attribute>"
            )
    return tests[0] if len(tests) == 1 else all_hold(tests)


def read_test(name: str, value: Any, place: Place) -> Condition:
    """The test of one field: a value, a list of values (one must be there), or a mapping of operators."""
    if name in CONCEPT_FIELDS:
        check_values(name, value, concepts(), "concept of lexicon.yaml", place)
    elif allowed := closed_values(name):
        check_values(name, value, {v.lower() for v in allowed} | {""}, f"value of {name}", place)
    if not isinstance(value, dict):
        check_scalars(name, value, place)
        return is_one_of(name, value)
    tests: list[Condition] = []
    for operator, argument in value.items():
        if operator == "__line__":
            continue
        if operator not in OPERATORS:
            raise place.error(f"unknown operator {operator!r} of {name}; there are {', '.join(sorted(OPERATORS))}")
        if operator in RANGES and name not in NUMBER_NAMES:
            raise place.error(f"{operator!r} asks for numbers, and {name} holds words; use in, lacks, words or match")
        if operator in LISTS:
            check_scalars(name, argument, place)
        try:
            tests.append(OPERATORS[operator](name, argument))
        except PatternError as error:
            raise place.error(f"the pattern {short(argument)} of {name} {error}") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise place.error(f"{operator!r} of {name} cannot take {short(argument)}") from error
    return tests[0] if len(tests) == 1 else all_hold(tests)


def closed_values(name: str) -> tuple[str, ...]:
    """The values that a field can hold at all, () where they are not listed."""
    attribute = vocabulary().get(CLOSED_FIELDS.get(name, name.removeprefix(RECORD) if name.startswith(RECORD) else ""))
    return attribute.values if attribute else ()


def check_scalars(name: str, argument: Any, place: Place) -> None:
    """Raise where something is compared with a mapping or a list of lists."""
    for item in argument if isinstance(argument, list) else [argument]:
        if not isinstance(item, str | bool | int | float):
            raise place.error(f"{name} is compared with {short(item)}; write a word, a number, or a list of them")


def check_values(name: str, value: Any, legal: Collection[str], what: str, place: Place) -> None:
    """Raise where a test asks for something that the field never holds, so that the rule could never fire."""
    given = [v for k, v in value.items() if k in ("in", "lacks", "all")] if isinstance(value, dict) else [value]
    for asked in (word for words in given for word in (words if isinstance(words, list) else [words])):
        if str(asked).lower() not in legal:
            hint = " To look for words of your own, write text: {words: [...]}" if name in CONCEPT_FIELDS else ""
            raise place.error(f"{asked!r} is no {what}; it has {', '.join(sorted(v for v in legal if v))}.{hint}")


def short(argument: Any) -> str:
    """An argument as it is shown in a sentence."""
    text = repr(argument)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def all_hold(tests: Sequence[Condition]) -> Condition:
    """Every test holds."""

    def holds(read: Reader) -> bool:
        for test in tests:  # noqa: SIM110 - a loop is twice as fast, and a long table asks this millions of times
            if not test(read):
                return False
        return True

    return holds


def one_holds(tests: Sequence[Condition]) -> Condition:
    """At least one test holds."""

    def holds(read: Reader) -> bool:
        for test in tests:  # noqa: SIM110
            if test(read):
                return True
        return False

    return holds


def fails(test: Condition) -> Condition:
    """The test does not hold."""
    return lambda read: not test(read)


def as_values(argument: Any) -> frozenset[Any]:
    """The values a test compares with: words in lower case, numbers as they are."""
    items = argument if isinstance(argument, list) else [argument]
    return frozenset(i if isinstance(i, bool | int | float) else str(i).lower() for i in items)


def is_one_of(name: str, argument: Any) -> Condition:
    """One of the field's values is among the given ones."""
    wanted = as_values(argument)
    return lambda read: not wanted.isdisjoint(read(name))


def lacks(name: str, argument: Any) -> Condition:
    """None of the field's values is among the given ones."""
    unwanted = as_values(argument)
    return lambda read: unwanted.isdisjoint(read(name))


def has_all(name: str, argument: Any) -> Condition:
    """All given values are among the field's."""
    wanted = as_values(argument)
    return lambda read: wanted.issubset(read(name))


def known(name: str, argument: Any) -> Condition:
    """The field holds (or, with ``false``, does not hold) a value."""
    if not isinstance(argument, bool):
        raise TypeError(argument)
    return lambda read: bool([v for v in read(name) if v not in ("", "unknown")]) is argument


def finite(argument: Any) -> float:
    """A number that can be compared with."""
    limit = float(argument)
    if not math.isfinite(limit):
        raise ValueError(argument)
    return limit


def at_least(name: str, argument: Any) -> Condition:
    """The field is known and all its numbers are at least this."""
    limit = finite(argument)
    return lambda read: bool(values := read(name)) and min(values) >= limit


def at_most(name: str, argument: Any) -> Condition:
    """The field is known and all its numbers are at most this."""
    limit = finite(argument)
    return lambda read: bool(values := read(name)) and max(values) <= limit


def matches(name: str, argument: Any) -> Condition:
    """A regular expression is found in one of the field's values, which are in lower case."""
    pattern = safe_pattern(str(argument))
    return lambda read: any(pattern.search(str(v)) for v in read(name))


def says(name: str, argument: Any) -> Condition:
    """One of the words or phrases stands in the text; ``*`` at an end stands for the rest of a word."""
    if not isinstance(argument, list) or not argument:
        raise TypeError(argument)
    pattern = re.compile(word_pattern(argument))
    return lambda read: any(pattern.search(str(v)) for v in read(name))


def word_pattern(words: Sequence[str]) -> str:
    """A regular expression for any of these whole words.

    >>> bool(re.search(word_pattern(["sagit*"]), "t2 sagittal"))
    True
    """
    return (
        r"(?<![a-z0-9])(?:"
        + "|".join(re.escape(in_plain_letters(w)).replace(r"\*", "[a-z0-9]*") for w in words)
        + ")(?![a-z0-9])"
    )


def in_plain_letters(phrase: str) -> str:
    """A phrase as plain text has it: what is no letter or digit parts words; ``*`` stays."""
    return " ".join(plain(part) + "*" * part.endswith("*") for part in str(phrase).replace("_", " ").split())


OPERATORS: Mapping[str, Callable[[str, Any], Condition]] = {
    "in": is_one_of,
    "lacks": lacks,
    "all": has_all,
    "known": known,
    "min": at_least,
    "max": at_most,
    "match": matches,
    "words": says,
}
