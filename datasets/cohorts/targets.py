"""What a model shall learn, from a column of the clinical tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import QueryError
from ..files.tables import Value


@dataclass(frozen=True, slots=True)
class Regression:
    """A number: the column as it is, a float."""

    column: str

    def fit(self, values: Sequence[Value]) -> Regression:
        """Check the whole column. Raises :class:`QueryError` where it holds text."""
        for value in values:
            if isinstance(value, str):
                raise QueryError(f"Regression({self.column!r}): the column holds text such as {value!r}")
        return self

    def encode(self, value: Value) -> float:
        """The sample's value."""
        return float(value or 0.0)


@dataclass(frozen=True, slots=True)
class Categorical:
    """A class: the index of the value in ``classes``.

    Without ``classes``, they are all values of the column in the whole database, sorted, so that every part of a
    cohort counts alike.
    """

    column: str
    classes: tuple[Value, ...] = ()

    def fit(self, values: Sequence[Value]) -> Categorical:
        """The same with its classes known. Raises :class:`QueryError` for a value outside those given."""
        found = sorted({value for value in values if value is not None}, key=lambda v: (isinstance(v, str), v))
        if not self.classes:
            return Categorical(self.column, tuple(found))
        for value in found:
            if value not in self.classes:
                raise QueryError(f"Categorical({self.column!r}): {value!r} is not one of the classes {self.classes!r}")
        return Categorical(self.column, tuple(self.classes))

    def encode(self, value: Value) -> int:
        """The sample's class."""
        return self.classes.index(value)


Target = Regression | Categorical
