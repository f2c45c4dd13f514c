"""What may be said of a participant's age and weight: never an age over 89 years, nor a weight that names somebody."""

from __future__ import annotations

import re

OLDEST = 89
"""Years: nobody leaves as older than this (45 CFR 164.514(b)(2)(i)(C))."""

HEAVIEST_KG = 300
"""Few people are heavier, who could be known by it; more is mostly a slip of units."""

PER_YEAR = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
"""How many of each unit of an age a year has, by the letter of DICOM (PS3.5 section 6.2, AS)."""

_AGE = re.compile(r"([0-9]{1,3})([DWMY])")


def years(age: str) -> int | None:
    """Whole years of an age as DICOM writes it, None where it is none.

    >>> years("042Y"), years("018M"), years("42")
    (42, 1, None)
    """
    found = _AGE.fullmatch(age)
    return int(int(found.group(1)) / PER_YEAR[found.group(2)]) if found else None


def capped(age: int, band: int | None = None) -> int:
    """An age in years as it may leave: 89 stands for 89 and over; with ``band`` the lowest of its band of that width.

    >>> capped(94), capped(67, 5), capped(94, 10)
    (89, 65, 80)
    """
    low = min(age, OLDEST)
    return low - low % band if band else low


def highest(unit: str) -> int:
    """The most whole units (a letter of DICOM) of an age that may leave.

    >>> highest("Y"), highest("M"), highest("D")
    (89, 1068, 32507)
    """
    return int(OLDEST * PER_YEAR[unit])


def kilograms(weight: float | None) -> str:
    """A weight in kg as it may leave, in whole kilograms; "" where there is none or it is not plausible.

    >>> kilograms(61.53), kilograms(320.0), kilograms(None)
    ('62', '', '')
    """
    return f"{weight:.0f}" if weight is not None and 0 < weight <= HEAVIEST_KG else ""
