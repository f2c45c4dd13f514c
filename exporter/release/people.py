"""What the headers say of the participants, in the form in which it may leave."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from ..inventory.instance import Instance
from .dataset import Person
from .session import Fragment

OLDEST = 89
SEXES = ("F", "M", "O")


def sex_and_age(instances: Iterable[Instance]) -> tuple[str, str]:
    """What the headers of a session say of the participant: sex where they agree, age in years, "n/a" elsewhere."""
    rows = sorted(instances, key=lambda i: (i.StudyDate, i.key))
    sexes = {i.PatientSex for i in rows} & set(SEXES)
    age = next((a for a in map(years, rows) if a is not None), None)
    return sexes.pop() if len(sexes) == 1 else "n/a", "n/a" if age is None else str(min(age, OLDEST))


def people(fragments: Iterable[Fragment]) -> list[Person]:
    """The participants of all sessions with images: site and age are those of the first session."""
    sessions: dict[str, list[Fragment]] = defaultdict(list)
    for fragment in fragments:
        if fragment.images:
            sessions[fragment.visit.subject].append(fragment)
    out = []
    for subject, members in sorted(sessions.items()):
        members.sort(key=lambda f: (f.visit.date, f.visit.session))
        sexes = {f.sex for f in members} - {"n/a"}
        sex = sexes.pop() if len(sexes) == 1 else "n/a"
        out.append(Person(subject, members[0].visit.site, sex, members[0].age))
    return out


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
