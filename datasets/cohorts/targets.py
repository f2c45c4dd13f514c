"""What a model shall learn, from columns of the clinical tables; a value that is not known never becomes a zero."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import QueryError
from ..files.tables import Value

Row = Mapping[str, Value]
Column = Callable[[str], Sequence[Value]]
"""All values of a column in the whole tree, by its name."""

GAPS = ("refuse", "mask")
YES = frozenset({"1", "1.0", "true", "yes", "y"})
NO = frozenset({"0", "0.0", "false", "no", "n"})
NAN = float("nan")
NO_CLASS = -1
"""The class of a sample without a value, where ``gaps="mask"`` was asked for: an ``ignore_index`` for the loss."""


@dataclass(frozen=True, slots=True)
class Regression:
    """A number: the column as it is, a float.

    A sample without a value is missing; ``gaps="mask"`` keeps it with NaN, for a loss that leaves NaN out.
    """

    column: str
    gaps: str = "refuse"

    def __post_init__(self) -> None:
        _check(self, self.columns, self.gaps)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads."""
        return (self.column,)

    @property
    def classes(self) -> tuple[Value, ...]:
        """None: a number has no classes."""
        return ()

    def fit(self, column: Column) -> Regression:
        """Check the column in the whole tree. Raises :class:`QueryError` where it holds text."""
        for value in column(self.column):
            if isinstance(value, str):
                raise QueryError(f"Regression({self.column!r}): the column holds text such as {value!r}")
        return self

    def objection(self, row: Row) -> str | None:
        """Why a sample can have no value, None where it has one."""
        return _gap(self.columns, row, self.gaps)

    def encode(self, row: Row) -> float:
        """The sample's value; NaN for a gap."""
        value = row.get(self.column)
        return NAN if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Categorical:
    """A class: the index of the value in ``classes``.

    Without ``classes``, they are all values of the column in the whole tree, sorted, so that every part of a cohort
    counts alike; a column with one value only is then refused. Give ``classes`` where several trees (the sites of a
    federation) shall count alike. A sample without a value is missing; ``gaps="mask"`` keeps it with -1.
    """

    column: str
    classes: tuple[Value, ...] = ()
    gaps: str = "refuse"

    def __post_init__(self) -> None:
        _check(self, self.columns, self.gaps)
        object.__setattr__(self, "classes", _classes(self.classes, f"Categorical({self.column!r})"))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads."""
        return (self.column,)

    def fit(self, column: Column) -> Categorical:
        """The same with its classes known. Raises :class:`QueryError` for a value outside those given."""
        found = sorted({value for value in column(self.column) if value is not None}, key=_order)
        if self.classes:
            _check_known(f"Categorical({self.column!r})", found, self.classes)
            return self
        if len(found) < 2:
            held = f"the one value {found[0]!r}" if found else "no value"
            raise QueryError(
                f"Categorical({self.column!r}): the column holds {held} in the whole tree, so there is nothing to "
                "tell apart; give classes=(…) if there are others elsewhere"
            )
        return replace(self, classes=tuple(found))

    def objection(self, row: Row) -> str | None:
        """Why a sample can have no class, None where it has one."""
        return _gap(self.columns, row, self.gaps)

    def encode(self, row: Row) -> int:
        """The sample's class; -1 for a gap."""
        value = row.get(self.column)
        return NO_CLASS if value is None else self.classes.index(value)


@dataclass(frozen=True, slots=True, init=False)
class MultiLabel:
    """Several findings at once: a list of 0.0 and 1.0 in the order of ``classes``, a float32 tensor once it is read.

    ``MultiLabel(("crib", "cyst"))``, also ``MultiLabel(("crib",))``, reads one column of 0/1 (or true/false, yes/no) a
    finding; ``MultiLabel("findings", separator=";")`` one column that lists the names of what was found, where the
    word ``nothing``, in capitals or not, stands for an empty list (an empty cell is a gap). Without ``classes`` the
    names in the whole tree, sorted. ``gaps="mask"`` keeps a sample with NaN for what is not known.
    """

    columns: tuple[str, ...]
    listing: bool
    classes: tuple[Value, ...]
    separator: str
    nothing: str
    gaps: str

    def __init__(
        self,
        columns: str | Sequence[str],
        classes: Sequence[Value] = (),
        separator: str = ";",
        nothing: str = "none",
        gaps: str = "refuse",
    ) -> None:
        object.__setattr__(self, "columns", (columns,) if isinstance(columns, str) else tuple(columns))
        object.__setattr__(self, "listing", isinstance(columns, str))
        object.__setattr__(self, "separator", separator)
        object.__setattr__(self, "nothing", nothing)
        object.__setattr__(self, "gaps", gaps)
        _check(self, self.columns, gaps)
        if not self.listing and classes and tuple(classes) != self.columns:
            raise QueryError(f"{self._name}: classes= belongs to one column with a list; columns of 0/1 are the names")
        if not isinstance(separator, str) or not separator:
            raise QueryError(f"{self._name}: separator={separator!r} must be the characters between two names")
        object.__setattr__(self, "classes", _classes(classes if self.listing else self.columns, self._name))
        for name in self.classes if self.listing else ():
            if self._is_nothing(str(name)):
                raise QueryError(f"{self._name}: {name!r} says that nothing was found (nothing=), and is no class")

    @property
    def _name(self) -> str:
        return f"MultiLabel({(self.columns[0] if self.listing else self.columns)!r})"

    def fit(self, column: Column) -> MultiLabel:
        """The same with its classes known. Raises :class:`QueryError` for a value that is neither yes nor no, or a
        name outside the classes given."""
        if not self.listing:
            for name in self.columns:
                _check_flags(self._name, name, column(name))
            return self
        cells = [value for value in column(self.columns[0]) if value is not None]
        found = sorted({name for cell in cells for name in self._names(cell)})
        if self.classes:
            _check_known(self._name, found, tuple(map(str, self.classes)))
            return self
        if not found:
            raise QueryError(f"{self._name}: the column names nothing in the whole tree; give classes=(…)")
        return MultiLabel(self.columns[0], found, self.separator, self.nothing, self.gaps)

    def _names(self, cell: Value) -> list[str]:
        names = [part.strip() for part in str(cell).split(self.separator)]
        return [name for name in names if name and not self._is_nothing(name)]

    def _is_nothing(self, name: str) -> bool:
        return name.casefold() == self.nothing.strip().casefold()

    def objection(self, row: Row) -> str | None:
        """Why a sample can have no value, None where it has one."""
        return _gap(self.columns, row, self.gaps)

    def encode(self, row: Row) -> tuple[float, ...]:
        """0.0 or 1.0 a class; NaN for a gap."""
        if not self.listing:
            return tuple(_flag(row.get(name)) for name in self.columns)
        cell = row.get(self.columns[0])
        if cell is None:
            return (NAN,) * len(self.classes)
        names = self._names(cell)
        return tuple(float(str(name) in names) for name in self.classes)


@dataclass(frozen=True, slots=True)
class Survival:
    """Time to an event or to the end of observation: a list ``[time, event]``, a float32 tensor once it is read.

    ``time`` is the column as it is, from 0 on; ``event`` is 1.0 where it happened and 0.0 where the time is censored
    (a column of 0/1, true/false or yes/no). ``gaps="mask"`` keeps a sample with NaN for what is not known; a negative
    time is wrong and never kept.
    """

    time: str
    event: str
    gaps: str = "refuse"

    def __post_init__(self) -> None:
        _check(self, self.columns, self.gaps)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads: the time, then the event."""
        return (self.time, self.event)

    @property
    def classes(self) -> tuple[Value, ...]:
        """None: a time has no classes."""
        return ()

    def fit(self, column: Column) -> Survival:
        """Check both columns in the whole tree. Raises :class:`QueryError` for a time that is text, or an event that is
        neither yes nor no."""
        name = f"Survival({self.time!r}, {self.event!r})"
        for value in column(self.time):
            if isinstance(value, str):
                raise QueryError(f"{name}: the column {self.time!r} holds text such as {value!r}, where a time is due")
        _check_flags(name, self.event, column(self.event))
        return self

    def objection(self, row: Row) -> str | None:
        """Why a sample can have no value, None where it has one."""
        value = row.get(self.time)
        if value is not None and float(value) < 0:
            return f"{self.time} is {value}, and no time is negative"
        return _gap(self.columns, row, self.gaps)

    def encode(self, row: Row) -> tuple[float, float]:
        """Time and event; NaN for a gap."""
        time = row.get(self.time)
        return (NAN if time is None else float(time), _flag(row.get(self.event)))


Target = Regression | Categorical | MultiLabel | Survival


def _check(target: object, columns: Sequence[str], gaps: str) -> None:
    kind = type(target).__name__
    if not columns or not all(isinstance(name, str) and name for name in columns):
        raise QueryError(f"{kind}: the name of a column is expected, found {list(columns)!r}")
    if len(set(columns)) < len(columns):
        raise QueryError(f"{kind}: the same column is named twice in {list(columns)!r}")
    if gaps not in GAPS:
        raise QueryError(f"{kind}: gaps={gaps!r} is not known; legal: {', '.join(map(repr, GAPS))}")


def _classes(classes: Sequence[Value], name: str) -> tuple[Value, ...]:
    several = isinstance(classes, Iterable) and not isinstance(classes, str)
    if not several or not all(isinstance(value, Hashable) for value in classes) or len(set(classes)) < len(classes):
        raise QueryError(f"{name}: classes={classes!r} must be a tuple of values, each once")
    return tuple(classes)


def _check_known(name: str, found: Sequence[Value], classes: Sequence[Value]) -> None:
    for value in found:
        if value not in classes:
            raise QueryError(f"{name}: {value!r} is not one of the classes {tuple(classes)!r}")


def _check_flags(name: str, column: str, values: Sequence[Value]) -> None:
    for value in values:
        if value is not None and str(value).strip().lower() not in YES | NO:
            raise QueryError(f"{name}: the column {column!r} holds {value!r}; expected 0/1, true/false or yes/no")


def _flag(value: Value) -> float:
    return NAN if value is None else float(str(value).strip().lower() in YES)


def _gap(columns: Sequence[str], row: Row, gaps: str) -> str | None:
    empty = [name for name in columns if row.get(name) is None] if gaps == "refuse" else []
    return f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty" if empty else None


def _order(value: Value) -> tuple[bool, Value]:
    """Numbers before text, each in its own order."""
    return (isinstance(value, str), value)
