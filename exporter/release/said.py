"""What the headers of one session say of the participant, in the form in which it may leave."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..deidentify.dates import parsed
from ..inventory.instance import Instance

OLDEST = 89
SEXES = ("F", "M", "O")
HEAVIEST_KG = 300.0
NOT_SAID = "n/a"


@dataclass(frozen=True, slots=True)
class Said:
    """Sex (F, M, O), age in whole years (89 stands for 89 and over) and weight in whole kg; "n/a" where not said."""

    sex: str = NOT_SAID
    age: str = NOT_SAID
    weight: str = NOT_SAID


def said(instances: Iterable[Instance], *, weight: bool = False) -> Said:
    """What the headers of a session say: sex where they agree, the first age, and the weight if it is wanted."""
    rows = sorted(instances, key=lambda i: (i.StudyDate, i.key))
    sexes = {i.PatientSex for i in rows} & set(SEXES)
    age = next((a for a in map(years, rows) if a is not None), None)
    return Said(
        sexes.pop() if len(sexes) == 1 else NOT_SAID,
        NOT_SAID if age is None else str(min(age, OLDEST)),
        next(filter(None, map(_kilograms, rows)), NOT_SAID) if weight else NOT_SAID,
    )


def _kilograms(instance: Instance) -> str:
    kg = instance.PatientWeight
    return f"{kg:.0f}" if kg is not None and 0 < kg <= HEAVIEST_KG else ""


def years(instance: Instance) -> int | None:
    """Whole years of age, from PatientAge (PS3.5 AS: ``042Y``) or from the birth date; None where neither says.

    >>> years(Instance(path="", PatientAge="042Y"))
    42
    >>> years(Instance(path="", PatientAge="018M"))
    1
    """
    found = re.fullmatch(r"(\d{1,3})([DWMY])", instance.PatientAge.strip(), re.ASCII)
    if found:
        per_year = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[found.group(2)]
        return int(int(found.group(1)) / per_year)
    born, seen = parsed(instance.PatientBirthDate), parsed(instance.StudyDate)
    if born is None or seen is None:
        return None
    age = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    return age if 0 <= age <= 150 else None
