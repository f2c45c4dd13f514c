"""What the headers say of the participants, in the form in which it may leave."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from ..inventory.instance import Instance
from .dataset import Person

OLDEST = 89
SEXES = ("F", "M", "O")


def person(subject: str, site: str, instances: Iterable[Instance]) -> Person:
    """A participant from all the instances of a subject: sex where the headers agree, age at the first session."""
    rows = sorted(instances, key=lambda i: (i.StudyDate, i.key))
    sexes = {i.PatientSex for i in rows} & set(SEXES)
    ages = (years(i) for i in rows)
    age = next((a for a in ages if a is not None), None)
    return Person(
        subject, site, sexes.pop() if len(sexes) == 1 else "n/a", "n/a" if age is None else str(min(age, OLDEST))
    )


def years(instance: Instance) -> int | None:
    """Whole years of age, from PatientAge (PS3.5 AS: ``042Y``) or from the birth date; None where neither says.

    >>> years(Instance(path="", PatientAge="042Y"))
    42
    >>> years(Instance(path="", PatientAge="018M"))
    1
    """
    found = re.fullmatch(r"(\d{1,3})([DWMY])", instance.PatientAge.strip())
    if found:
        per_year = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[found.group(2)]
        return int(int(found.group(1)) / per_year)
    try:
        born = datetime.strptime(instance.PatientBirthDate, "%Y%m%d")
        seen = datetime.strptime(instance.StudyDate, "%Y%m%d")
    except ValueError:
        return None
    age = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    return age if 0 <= age <= 150 else None
