"""What must not be stacked: copies and reused identifiers; and series that claim two studies or two patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from ..inventory.instance import Instance
from .reasons import DUPLICATE, RESENT, SENTENCES, SERIES_IN_TWO_PATIENTS, SERIES_IN_TWO_STUDIES, SOP_UID_REUSED
from .resent import resent_objects
from .stack import SetAside

Digest = Callable[[Instance], str]
Object = tuple[Instance, ...]
"""All rows of one DICOM object: one instance, or the frames of a multi-frame object in order."""


def sift(instances: Iterable[Instance], digest: Digest) -> tuple[list[Instance], list[SetAside]]:
    """Part the inventory into what can be stacked and what is set aside.

    ``digest`` gives a hash of an object's content; it is called only where a SOPInstanceUID, or all that
    the headers of a series say, is met twice.
    """
    kept, aside = unique_objects(objects_of(instances), digest)
    objects = objects_of(kept)
    again = resent_objects(objects, digest)
    if not again:
        return kept, aside
    copies = [rows for rows in objects if (rows[0].path, rows[0].member) in again]
    aside.extend(set_aside(copies, RESENT))
    return [i for i in kept if (i.path, i.member) not in again], aside


def objects_of(instances: Iterable[Instance]) -> list[Object]:
    """Group rows into objects, ordered by file, member and frame whatever the order of the input."""
    objects: dict[tuple[str, str], list[Instance]] = defaultdict(list)
    for instance in sorted(instances, key=lambda i: i.key):
        objects[instance.path, instance.member].append(instance)
    return [tuple(rows) for rows in objects.values()]


def unique_objects(objects: Sequence[Object], digest: Digest) -> tuple[list[Instance], list[SetAside]]:
    """Keep one object a SOPInstanceUID (all objects where the UID is empty)."""
    by_uid: dict[str, list[Object]] = defaultdict(list)
    kept: list[Instance] = []
    aside: list[SetAside] = []
    for rows in objects:
        if rows[0].SOPInstanceUID:
            by_uid[rows[0].SOPInstanceUID].append(rows)
        else:
            kept.extend(rows)
    for same in by_uid.values():
        if len(same) == 1:
            kept.extend(same[0])
            continue
        firsts, copies = first_of_each_content(same, digest)
        aside.extend(set_aside(copies, DUPLICATE))
        if len({home(rows) for rows in firsts}) == 1:
            firsts.sort(key=lambda rows: (number(rows[0].SeriesNumber), number(rows[0].InstanceNumber), rows[0].key))
            kept.extend(firsts[0])
            aside.extend(set_aside(firsts[1:], SOP_UID_REUSED))
        else:
            aside.extend(set_aside(firsts, SOP_UID_REUSED))
    return kept, aside


def first_of_each_content(same: Sequence[Object], digest: Digest) -> tuple[list[Object], list[Object]]:
    """Objects of one UID: the first of each content (and home), and the copies."""
    firsts: dict[tuple[str, tuple[str, str, str]], Object] = {}
    copies: list[Object] = []
    for rows in same:
        content = digest(rows[0]), home(rows)
        if content in firsts:
            copies.append(rows)
        else:
            firsts[content] = rows
    return list(firsts.values()), copies


def home(rows: Object) -> tuple[str, str, str]:
    """Whose object it claims to be: patient, study, series."""
    return rows[0].PatientID, rows[0].StudyInstanceUID, rows[0].SeriesInstanceUID


def doubtful_series(instances: Iterable[Instance]) -> dict[str, str]:
    """Series that lie under several patients or several studies, with the reason: which is right cannot be told."""
    by_series: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        by_series[instance.SeriesInstanceUID].append(instance)
    doubts = {}
    for uid, rows in by_series.items():
        if uid and len({i.PatientID for i in rows}) > 1:
            doubts[uid] = SERIES_IN_TWO_PATIENTS
        elif uid and len({i.StudyInstanceUID for i in rows}) > 1:
            doubts[uid] = SERIES_IN_TWO_STUDIES
    return doubts


def set_aside(objects: Iterable[Object], reason: str) -> list[SetAside]:
    """Every row of these objects with the reason."""
    return [SetAside(row, reason, SENTENCES[reason]) for rows in objects for row in rows]


def number(value: int | None) -> int:
    """A sortable number; absent comes first."""
    return -1 if value is None else value
