"""Dates moved by one secret whole number of days a subject: intervals stay, calendars do not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .pseudonyms import Pseudonyms

LAST = date(1925, 12, 31)
"""BIDS: dates that were moved lie in 1925 or before, so that everybody sees that they were."""

LATEST_SOURCE = date(2125, 12, 31)
"""No date of a trial lies behind this; it and everything before lands at or before :data:`LAST`."""

SPREAD_DAYS = 36_525
"""A hundred years: the number of days that a subject's shift may be, so that it cannot be guessed."""

DICOM_DATE = "%Y%m%d"


@dataclass(frozen=True, slots=True)
class Shift:
    """How a subject's dates leave: moved back by ``days``, as they are (0), or not at all (None)."""

    days: int

    def moved(self, day: date) -> date | None:
        """The day moved back, None where it would fall before the year 1."""
        try:
            return day - timedelta(days=self.days)
        except OverflowError:
            return None

    def date(self, text: str) -> str:
        """A DICOM date (DA: ``YYYYMMDD``) moved, "" where the text is no date or one that no trial can hold.

        >>> Shift(73_414).date("20190314")
        '18180314'
        >>> Shift(73_414).date("20190231")
        ''
        """
        day = parsed(text)
        moved = self.moved(day) if day is not None else None
        return "" if moved is None else f"{moved.year:04d}{moved:%m%d}"


UNMOVED = Shift(0)


def parsed(text: str) -> date | None:
    """The day that a DICOM date names, in today's or the old form (``YYYY.MM.DD``); None where it names none.

    >>> parsed("2019.03.14")
    datetime.date(2019, 3, 14)
    """
    digits = text.strip().replace(".", "") if text.strip()[4:5] == "." else text.strip()
    if len(digits) != 8 or not digits.isascii() or not digits.isdigit():
        return None
    try:
        day = datetime.strptime(digits, DICOM_DATE).date()
    except ValueError:
        return None
    return day if day <= LATEST_SOURCE else None


def shift_of(pseudonyms: Pseudonyms, subject: str) -> Shift:
    """The shift of a subject (its label): the same whenever and wherever it is computed with this key."""
    least = (LATEST_SOURCE - LAST).days
    secret = int.from_bytes(pseudonyms.digest("dates", "", subject)[:8], "big")
    return Shift(least + secret % SPREAD_DAYS)
