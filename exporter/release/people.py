"""The participants of the released sessions, with columns left out or made coarser where the trial says so."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace

from trialbids.mappings.participant import OLDEST, capped

from ..clinical.column import oldest
from ..clinical.rows import ClinicalRows
from .dataset import Person
from .said import NOT_SAID
from .session import Fragment


def people(
    fragments: Iterable[Fragment], *, age_band: int | None = None, suppress: Collection[str] = ()
) -> list[Person]:
    """The participants of all sessions with images: site and age are those of the first session.

    With ``age_band`` an age leaves as the lowest of its band of so many years; columns in ``suppress`` as "n/a".
    """
    sessions: dict[str, list[Fragment]] = defaultdict(list)
    for fragment in fragments:
        if fragment.images:
            sessions[fragment.visit.subject].append(fragment)
    out = []
    for subject, members in sorted(sessions.items()):
        members.sort(key=lambda f: (f.visit.date, f.visit.session))
        sexes = {f.said.sex for f in members} - {NOT_SAID}
        sex = sexes.pop() if len(sexes) == 1 else NOT_SAID
        person = Person(subject, members[0].visit.site, sex, banded(members[0].said.age, age_band))
        out.append(replace(person, **dict.fromkeys(suppress, NOT_SAID)))
    return out


def coarser(clinical: ClinicalRows, age_band: int | None, suppress: Collection[str]) -> ClinicalRows:
    """Clinical values with the same columns left out and ages in the same bands as those of the headers."""
    if age_band is None and not suppress:
        return clinical

    def highest(column: str) -> float:
        known = clinical.described.get(column)
        return oldest(column) if known is None else known.oldest

    def cell(_: str, column: str, text: str) -> str:
        return NOT_SAID if column in suppress else _banded_cell(text, highest(column), age_band)

    names = {name for _, row in clinical.rows() for name in row}
    return clinical.changed([n for n in sorted(names) if n in suppress or math.isfinite(highest(n))], cell)


def _banded_cell(cell: str, highest: float, width: int | None) -> str:
    """A cell; the age of a clinical column as the lowest of its band, in the unit that it has."""
    if width is None or cell == NOT_SAID or not math.isfinite(highest):
        return cell
    whole = width * highest / OLDEST
    return f"{float(cell) // whole * whole:.10g}"


def banded(age: str, width: int | None) -> str:
    """The lowest age of the band that an age lies in.

    >>> banded("67", 5), banded("67", None), banded("n/a", 5)
    ('65', '67', 'n/a')
    """
    return age if width is None or age == NOT_SAID else str(capped(int(age), width))
