"""The cells of a column: read as what the trial says they are, refused one by one where they are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from trialbids.mappings.clinical import clinical_rules

from .column import ClinicalColumn
from .days import day_in, form_of
from .numbers import NUMBER, Decimals, NotRead, decimals_of

LARGEST = 999_999
"""No measurement of a trial needs more, and a date or a telephone number is larger; give large ones in thousands."""

MOST_DIGITS = 8
"""Significant digits that leave: nothing is measured better, and a telephone number has more."""

LONGEST_TEXT = 200
MOST_LEVELS = 10
"""So many levels are named where a cell is none of them."""

Typed = str | int | float | date | None


ISO = "%Y-%m-%d"
"""How workbooks and Parquet hold days that they show in a form of their own, which is the one that a trial names."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A column's values, one a row, None where there is none, and a sentence for every cell that was refused."""

    values: list[Typed]
    refused: list[str]


def read_cells(
    column: ClinicalColumn,
    cells: Sequence[str],
    where: Callable[[int], str],
    whole: Sequence[str] = (),
    beside: frozenset[str] = frozenset(),
) -> Cells:
    """Read cells of a column; ``where`` names the place of a row. Equal cells are read once. ``whole`` is the column
    with all its rows, which together tell its decimal sign, ``beside`` are those of the table's other columns.
    """
    distinct = set(cells)
    read: dict[str, Typed] = {}
    wrong: dict[str, str] = {}
    reader = _reader(column, distinct, {*whole} or distinct, beside)
    for cell in distinct:
        try:
            read[cell] = None if _is_missing(cell, column) else reader(cell)
        except NotRead as error:
            wrong[cell] = str(error)
    refused = [f"{where(at)}: {column.source}: {wrong[cell]}" for at, cell in enumerate(cells) if cell in wrong]
    return Cells([read.get(cell) for cell in cells], refused)


def _is_missing(cell: str, column: ClinicalColumn) -> bool:
    if cell in column.missing or (column.kind != "level" and _same_number(cell, column.missing)):
        return True
    return cell not in column.levels and cell.casefold() in clinical_rules().missing


def _same_number(cell: str, codes: Sequence[str]) -> bool:
    """Is the cell one of the codes written otherwise, such as -99.0 for -99?"""
    return bool(codes) and bool(NUMBER.fullmatch(cell)) and _float(cell) in {_float(c) for c in codes if _is_number(c)}


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None


def _float(cell: str) -> float:
    return float(cell.replace(",", "."))


def _reader(
    column: ClinicalColumn, distinct: set[str], whole: set[str], beside: frozenset[str]
) -> Callable[[str], Typed]:
    if column.kind == "date":
        filled = {cell for cell in distinct if not _is_missing(cell, column)}
        found = form_of(filled, column.dates) if filled else None
        also = (ISO,) if column.dates else ()
        return lambda cell: _day(cell, found.form if found else "", found.reason if found else "", also)
    decimals = Decimals()
    if column.kind in ("number", "integer"):
        said = (cell for cell in whole if not _is_missing(cell, column))
        decimals = decimals_of(said, are_whole=column.kind == "integer", beside=beside)
    by_kind: dict[str, Callable[[str], Typed]] = {
        "number": lambda cell: _number(cell, column, decimals),
        "integer": lambda cell: _integer(cell, column, decimals),
        "level": lambda cell: _level(cell, column),
        "text": _text,
    }
    return by_kind[column.kind]


def _day(cell: str, form: str, reason: str, also: Sequence[str] = ()) -> date:
    if not form:
        raise NotRead(reason)
    day = next((day for each in (form, *also) if (day := day_in(cell, each))), None)
    if day is None:
        raise NotRead(f"is no day in the form of this column ({form}), or one that no trial can hold")
    return day


def _level(cell: str, column: ClinicalColumn) -> str:
    if cell in column.levels:
        return cell
    known = list(column.levels)
    more = f" and {len(known) - MOST_LEVELS} more" if len(known) > MOST_LEVELS else ""
    raise NotRead(f"not one of the levels {', '.join(known[:MOST_LEVELS])}{more}")


def _number(cell: str, column: ClinicalColumn, decimals: Decimals) -> float:
    number = decimals.read(cell)
    if not math.isfinite(number):
        raise NotRead("not a number")
    if abs(number) > LARGEST:
        raise NotRead(f"larger than {LARGEST:,}, as dates and identifiers are")
    if column.least is not None and number < column.least:
        raise NotRead(f"less than {column.least:g}, the least that the codebook allows")
    if column.most is not None and number > column.most:
        raise NotRead(f"more than {column.most:g}, the most that the codebook allows")
    return number


def _integer(cell: str, column: ClinicalColumn, decimals: Decimals) -> int:
    number = _number(cell, column, decimals)
    if not number.is_integer():
        raise NotRead("not a whole number")
    return int(number)


def _text(cell: str) -> str:
    if len(cell) > LONGEST_TEXT or not cell.isprintable():
        raise NotRead(f"longer than {LONGEST_TEXT} characters, or holds characters that cannot be printed")
    return cell


def shown(values: Sequence[Typed], column: ClinicalColumn) -> list[str]:
    """Values as a released table writes them; a day is as it is, and moved before it leaves; nobody is over 89."""
    oldest = column.oldest
    texts = {value: _shown(value, oldest) for value in set(values)}
    return [texts[value] for value in values]


def _shown(value: Typed, oldest: float) -> str:
    if value is None:
        return "n/a"
    if isinstance(value, float):
        return f"{min(value, oldest):.{MOST_DIGITS}g}"
    if isinstance(value, int):
        return f"{min(value, oldest):.0f}"
    return value.isoformat() if isinstance(value, date) else value
