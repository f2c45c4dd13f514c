"""Conditions on people, visits and images: a small, safe language in the syntax of Python.

``age >= 18 and site not in ('S07', 'S08') and (has(T2w, sag) or count(DWI) >= 2) and not found('G04')``

Columns, numbers, text, ``None``, the comparisons, ``in``, ``and``, ``or``, ``not``, and three functions:

``has(…)``    whether there is an image of these words of the vocabulary, ``count(…)`` how many there are
``found(…)``  whether a check of quality found something, by its code
``column(…)`` a column whose name is no plain word

The text is read with :mod:`ast`, checked node by node, and computed by simpleeval; nothing else is accepted. What is
not known is neither true nor false (Kleene's three-valued logic): a missing value, an attribute that harmonisation
left ``unknown``. ``age == None`` asks whether a value is missing.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from .criteriatext import ConditionError, Reading
from .imageterms import ImageTerm
from .kleene import Kleene
from .record import Record

Value = str | int | float | None

__all__ = ["Condition", "ConditionError", "Value"]


class Condition:
    """A condition that is read once, checked against the columns, and asked of rows.

    ``columns``, ``functions`` (``has``, ``count``, ``found``), ``words`` (of images) and ``codes`` (of checks) say what
    it reads, ``compared`` with which texts each column is compared. Raises :class:`ConditionError` where ``text`` is
    not in the language.

    >>> adult = Condition("age >= 18 and has(T2w, plane=sag)")
    >>> adult.truth({"age": 40}, [Record(sequence="T2w", plane="sag")])
    True
    >>> adult.truth({"age": 12})
    False
    >>> adult.truth({"age": None}, [Record(sequence="T2w", plane="sag")]) is None
    True
    """

    def __init__(self, text: str) -> None:
        self.text = text
        reading = Reading(text)
        self._tree: ast.expr = reading.tree
        self._terms: tuple[ImageTerm, ...] = tuple(reading.terms)
        self._reading = reading
        self.columns: frozenset[str] = frozenset(reading.columns)
        self.functions: frozenset[str] = frozenset(reading.functions)
        self.words: frozenset[str] = frozenset(reading.words)
        self.codes: frozenset[str] = frozenset(reading.codes)
        self.compared: Mapping[str, frozenset[str]] = {name: frozenset(t) for name, t in reading.compared.items()}

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"

    def check(self, columns: Mapping[str, type]) -> None:
        """Raise :class:`ConditionError` for a column that is not there, or text compared with a number."""
        for name in sorted(self.columns - set(columns)):
            if self.wants_quotes(name, columns):
                raise ConditionError(f"{self.text!r}: there is no column {name!r}; text stands in quotes: '{name}'")
            guess = get_close_matches(name, columns, n=1)
            raise ConditionError(
                f"{self.text!r}: there is no column {name!r}; there are: {' '.join(sorted(columns)) or 'none'}"
                + (f"; did you mean {guess[0]!r}?" if guess else "")
            )
        self._reading.check_kinds(columns)

    def wants_quotes(self, name: str, columns: Mapping[str, type]) -> bool:
        """Whether a name that is no column stands beside one of text, as in ``site == S02``."""
        return name not in columns and any(columns.get(each) is str for each in self._reading.beside.get(name, ()))

    def truth(
        self,
        row: Mapping[str, Value],
        images: Sequence[Record] = (),
        found: Callable[[str], bool] | None = None,
    ) -> bool | None:
        """True, False, or None where something that is not known decides.

        ``row`` holds the values by column (absent, None and NaN are not known), ``images`` the records that ``has``
        and ``count`` see; ``found`` tells whether a check found something, and without it no check is known.
        Raises :class:`ConditionError` where text and a number are compared, which :meth:`check` finds beforehand.
        """
        try:
            return self._engine(row, images, found).eval(self.text, self._tree)
        except TypeError as error:
            raise ConditionError(f"{self.text!r}: text is compared with a number") from error

    def untold(
        self,
        row: Mapping[str, Value],
        images: Sequence[Record] = (),
        found: Callable[[str], bool] | None = None,
    ) -> tuple[str, ...]:
        """What is not known and would decide where :meth:`truth` is None: columns and calls, as they are written.

        >>> Condition("age >= 18 and (arm == 'A' or has(T2w))").untold({"age": 40})
        ('arm',)
        """
        engine = self._engine(row, images, found)

        def missing(node: ast.AST) -> Iterator[str]:
            if isinstance(node, ast.Name):
                if engine.eval(self.text, node) is None:
                    yield node.id
            elif isinstance(node, ast.Call):
                answer = engine.eval(self.text, node)
                if answer is None or (isinstance(answer, range) and len(answer) > 1):
                    yield self._reading.called(node)
            elif not isinstance(node, ast.BoolOp | ast.UnaryOp | ast.Compare) or engine.eval(self.text, node) is None:
                for part in ast.iter_child_nodes(node):
                    yield from missing(part)

        return tuple(dict.fromkeys(missing(self._tree)))

    def _engine(
        self, row: Mapping[str, Value], images: Sequence[Record], found: Callable[[str], bool] | None
    ) -> Kleene:
        """What computes the condition on these values."""

        def value(node: ast.Name) -> Value:
            given = row.get(node.id)
            return None if isinstance(given, float) and math.isnan(given) else given

        def count(term: int) -> range:
            """From the images that are meant for certain to those that may be."""
            answers = [self._terms[term].matches(record) for record in images]
            sure = answers.count(True)
            return range(sure, sure + answers.count(None) + 1)

        def has(term: int) -> bool | None:
            numbers = count(term)
            return True if numbers.start else None if len(numbers) > 1 else False

        def any_found(*codes: str) -> bool | None:
            return None if found is None else any(found(code) for code in codes)

        return Kleene(value, {"has": has, "count": count, "found": any_found})
