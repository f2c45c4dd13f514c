"""The days of a column: all read in one form, or none of them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from trialbids.mappings.clinical import clinical_rules

EARLIEST, LATEST = date(1850, 1, 1), date(2125, 12, 31)
"""No day of a living person's trial lies outside; what is earlier or later is a slip or a code for a missing day."""

_SIGNS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Form:
    """How a column writes its days (a form of ``strptime``), or why that cannot be told."""

    form: str
    reason: str = ""


def day_in(cell: str, form: str) -> date | None:
    """The day of a cell in this form, None where it is written in another.

    >>> day_in("14.03.2019", "%d.%m.%Y"), day_in("2019-03-14 08:15", "%Y-%m-%d"), day_in("14.03.19", "%d.%m.%Y")
    (datetime.date(2019, 3, 14), datetime.date(2019, 3, 14), None)
    """
    timed = clinical_rules().times.fullmatch(cell)
    text = timed["day"] if timed else cell
    if _signs(form) != _SIGNS.sub("-", text) or not text.isascii() or (form == "%Y%m%d" and len(text) != 8):
        return None
    try:
        day = date.fromisoformat(text) if form == "%Y-%m-%d" and len(text) == 10 else _parsed(text, form)
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None


def _parsed(text: str, form: str) -> date:
    return datetime.strptime(text, form).date()


@lru_cache(maxsize=64)
def _signs(form: str) -> str:
    """What a form has between its numbers and words, so that most forms need not be tried."""
    return _SIGNS.sub("-", date(2019, 10, 31).strftime(form))


def form_of(cells: Collection[str], given: str | None = None) -> Form:
    """The one form in which a column's filled cells are read: the given one, or the only one that fits.

    Where none reads all cells, it is the one that reads most of them, unless another order of day and month reads some
    of the others. Where two orders read all cells, and not as the same days, it cannot be told.
    """
    if given is not None:
        return Form(given)
    read: dict[str, dict[str, date]] = {}
    for form in clinical_rules().dates:
        read[form] = {cell: day for cell in cells if (day := day_in(cell, form))}
        if form.startswith("%Y") and len(read[form]) == len(cells):
            return Form(form)  # with the year first nothing can be taken for something else
    best = max(read, key=lambda form: len(read[form]))
    if not read[best]:
        return Form("", "holds no days in a form that is known; say dates in trial.yaml, such as '%d.%m.%Y'")
    rivals = [form for form in read if form != best and _signs(form) == _signs(best) and read[form]]
    if any(read[form].keys() - read[best].keys() for form in rivals) or any(
        len(read[form]) == len(read[best]) and read[form] != read[best] for form in rivals
    ):
        either = " or ".join(f"'{form}'" for form in (best, *rivals))
        return Form("", f"day and month cannot be told apart; say dates in trial.yaml: {either}")
    return Form(best)
