"""What the headers of one session say of the participant, in the form in which it may leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trialbids.mappings import participant

from ..deidentify.dates import parsed
from ..inventory.instance import Instance

SEXES = ("F", "M", "O")
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
        NOT_SAID if age is None else str(participant.capped(age)),
        next(filter(None, (participant.kilograms(i.PatientWeight) for i in rows)), NOT_SAID) if weight else NOT_SAID,
    )


def years(instance: Instance) -> int | None:
    """Whole years of age, from PatientAge (PS3.5 AS: ``042Y``) or from the birth date; None where neither says.

    >>> years(Instance(path="", PatientAge="042Y"))
    42
    >>> years(Instance(path="", PatientAge="018M"))
    1
    """
    stated = participant.years(instance.PatientAge.strip())
    if stated is not None:
        return stated
    born, seen = parsed(instance.PatientBirthDate), parsed(instance.StudyDate)
    if born is None or seen is None:
        return None
    age = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    return age if 0 <= age <= 150 else None
