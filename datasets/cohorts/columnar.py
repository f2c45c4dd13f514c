"""A table of plain values held by column: small in memory, small when it is sent to a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Columnar:
    """Columns of one length."""

    columns: Mapping[str, tuple[Any, ...]]
    length: int

    @classmethod
    def of_rows(cls, rows: Iterable[Mapping[str, Any]], fill: Callable[[str, int], Any] | None = None) -> Columnar:
        """The columns of rows; ``fill`` gives the value of a row that lacks a column, from its name and position."""
        given = tuple(rows)
        names = dict.fromkeys(name for row in given for name in row)
        missing = fill or (lambda name, position: None)
        columns = {
            name: tuple(row[name] if name in row else missing(name, n) for n, row in enumerate(given)) for name in names
        }
        return cls(columns, len(given))

    def row(self, position: int) -> dict[str, Any]:
        """One row as a fresh dict."""
        return {name: column[position] for name, column in self.columns.items()}

    def take(self, positions: Sequence[int]) -> Columnar:
        """The rows at some positions, in that order."""
        columns = {name: tuple(map(column.__getitem__, positions)) for name, column in self.columns.items()}
        return Columnar(columns, len(positions))
