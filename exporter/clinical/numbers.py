"""Numbers as a column writes them: whether its decimal sign is the point or the comma is told from all its cells.

``1.234`` is 1.234 in one country and 1234 in another; no cell can say which, its column often can. What it leaves open
is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
"""A number without signs for thousands."""

_OPEN = re.compile(r"[+-]?[1-9]\d{0,2}(?P<sign>[.,])\d{3}(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
"""What may be thousands as well as decimals."""

_GROUPED = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:(?P<points>(?:\.\d{3})+,\d*|(?:\.\d{3}){2,})|(?:,\d{3})+\.\d*|(?:,\d{3}){2,})", re.ASCII
)
"""Thousands, with decimals or several times: ``1.234,5`` and ``1.234.567``, ``1,234.5`` and ``1,234,567``."""

NAMES = {".": "point", ",": "comma"}


class NotRead(ValueError):
    """A cell is not what its column says; the sentence does not repeat it."""


@dataclass(frozen=True, slots=True)
class Decimals:
    """Which decimal signs a column uses for certain, and which stand where they may also be for thousands.

    Numbers that ``are_whole`` need no decimals, so a lone point says no more than a comma there.
    """

    certain: frozenset[str] = frozenset()
    unclear: frozenset[str] = frozenset()
    are_whole: bool = False

    def read(self, cell: str) -> float:
        """The number in a cell. Raises :class:`NotRead` where it is none, or can be read in two ways."""
        grouped = _GROUPED.fullmatch(cell)
        if grouped:
            thousands = "." if grouped["points"] else ","
            return float(cell.replace(thousands, "").replace(",", "."))
        unclear = _OPEN.fullmatch(cell)
        if unclear and not self._is_decimal(unclear["sign"]):
            raise NotRead(self._why(unclear["sign"]))
        if not NUMBER.fullmatch(cell):
            raise NotRead("not a number")
        return float(cell.replace(",", "."))

    def _is_decimal(self, sign: str) -> bool:
        """Is a sign with three digits behind it the decimal sign here? A point is, where no cell has a comma."""
        if self.certain:
            return self.certain == {sign}
        return sign == "." and "," not in self.unclear and not self.are_whole

    def _why(self, sign: str) -> str:
        """The sentence for a sign that may stand for either."""
        either = f"the {NAMES[sign]} may stand for thousands or for decimals"
        if len(self.certain) == 1:
            (used,) = self.certain
            return f"{either}: the decimal sign of this column is the {NAMES[used]}; write 1234 or 1{used}234"
        how = "point and comma are both decimal signs in this column" if self.certain else "this column does not tell"
        return f"{either}: {how}; write 1234 or 1.2340"


def is_number(cell: str) -> bool:
    """Is a cell written as a number, whichever its signs mean?"""
    return NUMBER.fullmatch(cell) is not None or _GROUPED.fullmatch(cell) is not None


def decimals_of(cells: Iterable[str], *, are_whole: bool = False, beside: frozenset[str] = frozenset()) -> Decimals:
    """What the cells of a column tell together. ``33,25`` and ``1.234,5`` can be read in one way only. ``beside`` are
    the decimal signs of the table's other columns: who writes 33,25 there may mean 1234 by a 1.234 here.

    >>> decimals_of(["33,25", "1.234,5"]).read("1.234,5"), decimals_of(["12.5"]).read("1.234")
    (1234.5, 1.234)
    """
    certain: set[str] = set()
    unclear: set[str] = set()
    for cell in cells:
        grouped, either = _GROUPED.fullmatch(cell), _OPEN.fullmatch(cell)
        if grouped:
            certain.add("," if grouped["points"] else ".")
        elif either:
            unclear.add(either["sign"])
        elif NUMBER.fullmatch(cell):
            certain.update(sign for sign in NAMES if sign in cell)
    return Decimals(frozenset(certain), frozenset(unclear) | beside, are_whole)
