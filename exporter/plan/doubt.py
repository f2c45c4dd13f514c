"""Whether the images under one subject id are of one person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ..inventory.instance import Instance


@dataclass(frozen=True, slots=True)
class Doubt:
    """What speaks against all images of a subject id being of one person; ``two_people`` where it is too much."""

    message: str
    two_people: bool


def find_doubt(instances: Sequence[Instance]) -> Doubt | None:
    """One name with two birth dates is a slip to be mended; two names that only an id has in common are two people."""
    births = {i.PatientBirthDate for i in instances} - {""}
    sexes = {i.PatientSex for i in instances} & {"F", "M"}
    names = {frozenset(re.findall(r"\w+", i.PatientName.casefold())) for i in instances} - {frozenset()}
    other_names = any(not (one <= other or other <= one) for one, other in combinations(names, 2))
    strangers = any(not one & other for one, other in combinations(names, 2))
    told_apart = [f"{len(v)} {word}" for v, word in ((births, "birth dates"), (sexes, "sexes")) if len(v) > 1]
    two_people = (other_names or not names) if told_apart else (strangers and not births)
    if other_names:
        told_apart.insert(0, f"{len(names)} names")
    if not told_apart:
        return None
    return Doubt(f"one subject id with {', '.join(told_apart)}: two people may share it", two_people)
